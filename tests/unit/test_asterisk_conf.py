"""voicemail.conf on disk: includes in their place, limits as they are now, nothing that breaks the reader."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncengine.errors import SyncError
from syncengine.model import State
from syncengine.voicemail.asterisk import ConfLimits, load_conf
from tests.support.asterisk import write_message
from tests.support.asterisk_world import World, one, states


def test_included_files_are_read_in_their_place(tmp_path: Path):
    """As FreePBX lays them out, and as a hand does with patterns."""
    (tmp_path / "voicemail.conf").write_text(
        "[general]\n#include vm_general.inc\n#tryinclude nothing.inc\n[default]\n"
        f'#include "{tmp_path}/boxes.d/*.conf" ; all of them\n[sales]\n200 => 1,Sales\n'
    )
    (tmp_path / "vm_general.inc").write_text("maxmsg=7\nattach=no\n")
    (tmp_path / "boxes.d").mkdir()
    (tmp_path / "boxes.d" / "1.conf").write_text("101 => 1,Peter Adams\n#include more.inc\n")
    (tmp_path / "boxes.d" / "2.conf").write_text("102 => 1,Dana,,,maxmsg=3\n")
    conf, unread = load_conf(tmp_path / "voicemail.conf")

    found = {(box.context, box.number): (box.maxmsg, box.attach) for box in conf.mailboxes}
    assert found == {
        ("default", "101"): (7, False),
        ("default", "102"): (3, False),
        ("sales", "200"): (7, False),
    }
    assert unread == ("more.inc",)


def test_a_file_that_includes_itself_comes_to_an_end(tmp_path: Path):
    (tmp_path / "voicemail.conf").write_text("[default]\n101 => 1,Peter\n" + "#include voicemail.conf\n" * 9)
    conf, unread = load_conf(tmp_path / "voicemail.conf")
    assert [box.number for box in conf.mailboxes] == ["101"]
    assert unread == ("voicemail.conf (too many includes in voicemail.conf)",)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.inc")
    (tmp_path / "voicemail.conf").write_text(
        "#include pipe.inc\n#include /dev/zero\n[default]\n101 => 1,Peter\n"
    )
    conf, unread = load_conf(tmp_path / "voicemail.conf")
    assert [box.number for box in conf.mailboxes] == ["101"]
    assert unread == ("pipe.inc", "/dev/zero")


def test_limits_are_those_of_now(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """By context and mailbox, else of [general], else Asterisk's own; kept while the file cannot be read."""
    conf, boxes = tmp_path / "voicemail.conf", tmp_path / "boxes.inc"
    limits = ConfLimits(conf)
    assert limits("default", "101") is None
    conf.write_text(
        "[general]\nmaxmsg=20000\n[default]\n#include boxes.inc\n[sales]\n101 => 1,S,,,maxmsg=x\n"
    )
    boxes.write_text("101 => 1,P,,,maxmsg=5\n")
    wanted = {("default", "101"): 5, ("sales", "101"): 100, ("default", "999"): 9999}
    assert {place: limits(*place) for place in wanted} == wanted
    boxes.write_text("101 => 1,P,,,maxmsg=66\n")
    assert limits("default", "101") == 66
    conf.unlink()
    assert limits("default", "101") == limits("default", "101") == 66
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_each_mailbox_is_as_full_as_voicemail_conf_says(tmp_path: Path):
    conf = tmp_path / "voicemail.conf"
    conf.write_text("[general]\nmaxmsg=50\n[default]\n101 => 1,Peter,,,maxmsg=2\n")
    world = World(tmp_path, maxmsg=100, limit=ConfLimits(conf))
    for serial in (1, 2):
        write_message(world.box / "Old", serial - 1, serial)
    write_message(world.box / "INBOX", 0, 3)
    store = world.store()
    with pytest.raises(SyncError, match=r"full \(2 messages, maxmsg is 2\)"):
        store.change(one(store, 3), State.HEARD)
    conf.write_text("[general]\nmaxmsg=50\n[default]\n101 => 1,Peter\n")
    assert store.change(one(store, 3), State.HEARD)
    assert states(store) == {"1": State.HEARD, "2": State.HEARD, "3": State.HEARD}
