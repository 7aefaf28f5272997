"""``asterisk import``: the entries of a voicemail.conf become mailboxes."""

from __future__ import annotations

import json
import os
import time

import pytest

from syncengine.cli.main import main
from syncengine.options.files import load
from tests.support.asterisk import FakeAsterisk
from tests.support.fake_ami import running

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


@pytest.fixture
def spool(tmp_path):
    """A spool with a mailbox in use, and options that name it."""
    box = tmp_path / "spool" / "default" / "101"
    FakeAsterisk(box).leave(1)
    (tmp_path / "voicemail.conf").write_text("[default]\n101 => 1,Peter,,,maxmsg=9\n")
    (tmp_path / "syncengine.toml").write_text(
        f'[system]\nvoice_mail_server = "asterisk"\nspool = "{tmp_path}/spool"\n'
        f'voicemail_conf = "{tmp_path}/voicemail.conf"\n[mailboxes.101]\n[mailboxes.102]\n'
    )
    return tmp_path / "spool"


def checked(tmp_path, capsys) -> tuple[int, dict[str, str], dict[str, str]]:
    code = main(["--config", str(tmp_path / "syncengine.toml"), "--json", "asterisk", "check"])
    found = json.loads(capsys.readouterr().out)
    fine = {one["where"]: one["detail"] for one in found if one["ok"]}
    return code, fine, {one["where"]: one["detail"] for one in found if not one["ok"]}


def test_a_spool_that_can_be_worked_on_is_said_to_be_so(spool, tmp_path, capsys):
    with running(FakeAsterisk(spool / "default" / "101")) as ami:
        with (tmp_path / "syncengine.toml").open("r+") as file:
            text = file.read().replace("[mailboxes.102]\n", "")
            manager = f'ami_server = "127.0.0.1"\nami_port = {ami.port}\nami_secret_file = "secret"\n'
            file.seek(0)
            file.truncate()
            file.write(text.replace("[mailboxes.101]", manager + "[mailboxes.101]"))
        (tmp_path / "secret").write_text("amp111\n")
        (tmp_path / "secret").chmod(0o600)
        before = set(spool.rglob("*")) | {spool / "default" / "101" / f for f in ("Old", "Urgent")}
        code, fine, wrong = checked(tmp_path, capsys)
    assert (code, wrong) == (0, {})
    assert fine["voicemail.conf [default] 101"] == "maxmsg 9"
    assert fine[f"manager interface 127.0.0.1:{ami.port}"] == "Asterisk counts 1 messages in 101"
    assert {"user", "lock mode lockfile", str(spool / "default" / "101" / "INBOX")} <= fine.keys()
    assert set(spool.rglob("*")) == before  # Old and Urgent are Asterisk's doing


def test_what_keeps_a_spool_from_being_worked_on_is_said(spool, tmp_path, capsys, monkeypatch):
    inbox = spool / "default" / "101" / "INBOX"
    (inbox / ".lock").touch()
    (inbox / "msgTMP0000.txt").touch()
    (tmp_path / "voicemail.conf").write_text(
        "[default]\n101 => 1,Peter,p@example.com,,delete=yes|moveheard=no\n"
    )
    later = time.time() + 3600
    monkeypatch.setattr("time.time", lambda: later)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    code, fine, wrong = checked(tmp_path, capsys)
    assert code == 1
    assert "stood for 36" in wrong[str(inbox / ".lock")]
    assert "msgTMP" in wrong[str(inbox)]
    assert "run as" in wrong["user"]
    assert "Asterisk mails it too" in wrong["voicemail.conf [default] 101"]
    assert wrong["voicemail.conf [default] 102"] == "there is no such entry"
    assert "no folder yet" in fine[str(spool / "default" / "102")]


def test_without_a_spool_nothing_more_is_looked_at(spool, tmp_path, capsys):
    spool.rename(tmp_path / "away")
    code, fine, wrong = checked(tmp_path, capsys)
    assert (code, fine, list(wrong)) == (1, {}, [str(spool)])


def test_a_check_without_asterisk_is_wrong_usage(tmp_path, capsys):
    config = tmp_path / "syncengine.toml"
    assert main(["--config", str(config), "init"]) == 0
    assert main(["--config", str(config), "asterisk", "check"]) == 2
    assert "not in Asterisk's spool" in capsys.readouterr().err
