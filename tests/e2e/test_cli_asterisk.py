"""``asterisk import``: the entries of a voicemail.conf become mailboxes."""

from __future__ import annotations

import json

from syncengine.cli.main import main
from syncengine.options.files import load

CONF = """
[general]
format = wav49|gsm|wav
#include vm_general.inc
#include gone.inc
[zonemessages]
vienna = Europe/Vienna|'vm-received' Q 'digits/at' R
[default]
101 => 1234,Peter Adams,petera@example.com,,tz=vienna|delete=yes
102 => 4321,Dana,dana@example.com|copy@example.com,pager@example.com,attach=no|maxmsg=20
[sales]
201 => 1111,Sales,sales@example.com
"""


def test_every_entry_becomes_a_mailbox_that_is_off(tmp_path, capsys):
    config = tmp_path / "syncengine.toml"
    conf = tmp_path / "voicemail.conf"
    conf.write_text(CONF)
    (tmp_path / "vm_general.inc").write_text("maxmsg = 50\n")
    assert main(["--config", str(config), "init"]) == 0
    capsys.readouterr()
    assert main(["--config", str(config), "--json", "asterisk", "import", str(conf)]) == 0
    told = json.loads(capsys.readouterr().out)

    assert told["made"] == ["101", "102", "201"]
    assert any("delete=yes" in line for line in told["warnings"])
    assert told["unread"] == ["gone.inc"]
    mailboxes = load(config).mailboxes
    assert (mailboxes["102"].copies, mailboxes["102"].send_as_attachment) == (("copy@example.com",), False)
    assert mailboxes["101"].send_as_attachment
    assert [mailboxes[n].maxmsg for n in ("101", "102", "201")] == [50, 20, 50]
    assert (mailboxes["101"].email_name, mailboxes["101"].timezone) == ("petera@example.com", "Europe/Vienna")
    assert mailboxes["201"].context == "sales"
    assert not any(mailbox.email_integration for mailbox in mailboxes.values())
    assert "1234" not in "".join(p.read_text() for p in tmp_path.rglob("*.toml"))

    assert main(["--config", str(config), "--json", "asterisk", "import", str(conf)]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == ["101", "102", "201"]


def test_an_entry_that_cannot_be_taken_is_said_and_keeps_no_other_from_being_made(tmp_path, capsys):
    config, conf = tmp_path / "syncengine.toml", tmp_path / "voicemail.conf"
    conf.write_text(
        "[default]\n1 => 1,A,a@example.com,,tz=central\n2 => 2,B,b@@example com\n3 => 3,C,c@example.com\n"
    )
    assert main(["--config", str(config), "init"]) == 0
    capsys.readouterr()
    assert main(["--config", str(config), "asterisk", "import", str(conf)]) == 1
    said = capsys.readouterr()
    assert "not made: " in said.err
    assert "mailboxes.2.email_name" in said.err
    assert "mailbox 1: tz=central names no time zone" in said.out
    mailboxes = load(config).mailboxes
    assert sorted(mailboxes) == ["1", "3"]
    assert mailboxes["1"].timezone == ""


def test_an_unreadable_file_is_wrong_usage(tmp_path, capsys):
    config = tmp_path / "syncengine.toml"
    assert main(["--config", str(config), "init"]) == 0
    assert main(["--config", str(config), "asterisk", "import", str(tmp_path / "none")]) == 2
    assert "cannot be read" in capsys.readouterr().err
