"""Asterisk's spool as the local side, against a real account: the same story."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from syncengine import LampChanged
from tests.support.asterisk import FakeAsterisk, description
from tests.support.base import ROOT
from tests.support.fake_ami import running
from tests.support.waiting import eventually
from tests.support.world import World, wav, world

pytestmark = pytest.mark.server("dovecot")


@pytest.fixture
def spool(tmp_path) -> Path:
    folder = tmp_path / "spool"
    (folder / "default" / "101" / "INBOX").mkdir(parents=True)
    return folder


@pytest.fixture
def there(imap_server, tmp_path, spool):
    system = {"voice_mail_server": "asterisk", "spool": str(spool)}
    with world(tmp_path, imap_server, system=system) as one:
        yield one


def left(spool: Path, number: int, serial: int) -> None:
    """A caller leaves a message: the recording first, its description last."""
    folder = spool / "default" / "101" / "INBOX"
    (folder / f"msg{number:04d}.wav").write_bytes(wav(800 + serial))
    (folder / f"msg{number:04d}.txt").write_bytes(description(serial))


def files(spool: Path, folder: str) -> set[str]:
    where = spool / "default" / "101" / folder
    return {p.name for p in where.iterdir() if p.name.startswith("msg")} if where.is_dir() else set()


def arrived(there: World) -> bool:
    folder = "Voice Mail Messages"
    return folder in there.mail.folders() and len(there.mail.uids(folder)) == 1


def test_a_message_in_the_spool_arrives_and_stays_in_step(there: World, spool: Path):
    left(spool, 0, 1)
    there.sync_ok()
    (message,) = there.ids()
    assert there.message(message).delivery == "confirmed"
    assert there.message(message).sender == "Peter Adams"
    there.quiet()

    there.flag(message, "\\Seen")
    there.sync_ok()
    assert files(spool, "Old") == {"msg0000.txt", "msg0000.wav"}
    assert files(spool, "INBOX") == set()
    there.quiet()

    there.unflag(message, "\\Seen")
    there.sync_ok()
    assert files(spool, "INBOX") != set()
    there.quiet()


def test_deleted_in_the_mail_leaves_the_spool_and_comes_back(there: World, spool: Path):
    left(spool, 0, 1)
    there.sync_ok()
    (message,) = there.ids()
    there.move(message, "Trash")
    there.sync_ok()
    assert files(spool, "INBOX") == set()
    assert there.message(message).deleted

    there.box.restore(message)
    assert files(spool, "INBOX") != set()
    there.sync_ok()
    assert there.path(there.place(message)[0]) == "Voice Mail Messages"
    there.quiet()


def test_deleted_at_the_phone_is_deleted_in_the_mail(there: World, spool: Path):
    left(spool, 0, 1)
    left(spool, 1, 2)
    there.sync_ok()
    first, second = sorted(there.ids(), key=lambda m: there.message(m).received)
    for file in (spool / "default" / "101" / "INBOX").glob("msg0000.*"):
        file.unlink()
    there.sync_ok()

    assert there.path(there.place(first)[0]) == "Trash"
    assert there.ids() == [second]
    there.quiet()


@pytest.mark.parametrize("what", ["spool", "spool/default", "spool/default/101"])
def test_a_spool_that_is_not_there_deletes_nothing(there: World, spool: Path, what: str):
    left(spool, 0, 1)
    there.sync_ok()
    (message,) = there.ids()
    path = spool.parent / what
    path.rename(spool.parent / "elsewhere")
    assert not there.resync().ok
    (spool.parent / "elsewhere").rename(path)
    there.sync_ok()

    assert there.path(there.place(message)[0]) == "Voice Mail Messages"
    assert there.ids() == [message]


def test_a_spool_that_is_not_there_puts_no_lamp_out(there: World, spool: Path):
    lamps: list[LampChanged] = []
    there.engine.subscribe(lambda event: lamps.append(event) if isinstance(event, LampChanged) else None)
    left(spool, 0, 1)
    there.sync_ok()
    spool.rename(spool.parent / "elsewhere")
    assert not there.resync().ok
    (spool.parent / "elsewhere").rename(spool)
    there.sync_ok()

    assert lamps == [LampChanged("101", new=1, heard=0, urgent=0)]


@pytest.mark.parametrize("store", ["spool", "builtin"])
def test_another_store_in_the_place_of_the_one_that_is_known_deletes_nothing(
    there: World, spool: Path, store: str
):
    left(spool, 0, 1)
    there.sync_ok()
    (message,) = there.ids()
    if store == "builtin":
        there.system["voice_mail_server"] = "builtin"
    else:
        spool.rename(spool.parent / "elsewhere")
        (spool / "default" / "101" / "INBOX").mkdir(parents=True)
        shutil.rmtree(there.folder / "state" / "asterisk")
    there.reopen()
    report = there.resync()
    assert "is another than the one that the index belongs to" in report.errors[0].what

    assert there.path(there.place(message)[0]) == "Voice Mail Messages"


def test_second_names_of_recordings_are_given_up_after_a_day(there: World, spool: Path):
    left(spool, 0, 1)
    there.clock.now = time.time()
    there.sync_ok()
    names = spool / "default" / "101" / ".syncengine" / "content"
    assert len(list(names.iterdir())) == 1
    there.clock.forward(23 * 3600)
    there.sync_ok()
    assert len(list(names.iterdir())) == 1
    there.clock.forward(2 * 3600)
    there.sync_ok()
    assert list(names.iterdir()) == []


class Phone:
    """The subscriber at his phone, with Asterisk's own hand in the spool."""

    def __init__(self, spool: Path, mode: str = "lockfile") -> None:
        self.asterisk = FakeAsterisk(spool / "default" / "101", mode=mode)

    def leave(self, serial: int, **keys: str) -> None:
        """A caller leaves a message, which Asterisk writes in three formats."""
        text = description(serial, **keys)
        assert self.asterisk.put({**sounds(serial), "txt": text}, "Urgent" if keys.get("flag") else "INBOX")

    def hear(self, folder: str, number: int) -> None:
        call = self.asterisk.login(folder)
        call.heard.add(number)
        self.asterisk.hang_up(call)

    def delete(self, folder: str, number: int) -> None:
        call = self.asterisk.login(folder)
        call.deleted.add(number)
        self.asterisk.hang_up(call)


def sounds(serial: int) -> dict[str, bytes]:
    """What ``format = wav49|gsm|wav`` makes: ``.WAV`` and ``.gsm`` are GSM 06.10, ``.wav`` is PCM."""
    time_ = np.arange(8000) / 8000
    tone = (0.3 * np.sin(2 * np.pi * (300 + 40 * serial) * time_)).astype("float32")
    made = {}
    for extension, kind, coding in (
        ("WAV", "WAV", "GSM610"),
        ("gsm", "RAW", "GSM610"),
        ("wav", "WAV", "PCM_16"),
    ):
        file = io.BytesIO()
        soundfile.write(file, tone, 8000, subtype=coding, format=kind)
        made[extension] = file.getvalue()
    return made


def whole(spool: Path, folder: str) -> list[int]:
    """Numbers of the messages in a folder; each with every one of its files."""
    names = files(spool, folder)
    numbers = sorted(int(name[3:7]) for name in names if name.endswith(".txt"))
    assert names == {f"msg{n:04d}.{e}" for n in numbers for e in ("WAV", "gsm", "wav", "txt")}
    return numbers


@pytest.mark.parametrize(
    ("how", "mode"), [("service", "lockfile"), ("service", "flock"), ("resync", "lockfile")]
)
def test_the_whole_story(there: World, spool: Path, how: str, mode: str):
    """Left, read and unread in the mail, heard at the phone, deleted and restored on either side."""
    there.system["spool_lock"] = mode
    phone = Phone(spool, mode)
    there.sync["poll_interval"] = "1s"  # what is moved out of Trash is not told by IDLE on another folder
    if how == "service":
        there.reopen().start()

    def until(holds: Callable[[], bool]) -> None:
        if how == "resync":
            there.reopen()
            there.sync_ok()
            assert holds()
        else:
            eventually(lambda: _calm(holds))

    phone.leave(1)
    until(lambda: len(there.ids()) == 1 and there.message(there.ids()[0]).delivery == "confirmed")
    phone.leave(2, flag="Urgent", callerid='"J\xf6rg" <2035550002>')
    until(lambda: [there.message(m).delivery for m in there.ids()] == ["confirmed"] * 2)
    first, second = sorted(there.ids(), key=lambda m: there.message(m).received)
    assert there.flags(*there.place(second)) == {"\\Flagged"}

    there.flag(first, "\\Seen")
    until(lambda: whole(spool, "Old") == [0] and whole(spool, "INBOX") == [])
    there.unflag(first, "\\Seen")
    until(lambda: whole(spool, "Old") == [] and len(whole(spool, "INBOX")) == 1)

    phone.hear("Urgent", 0)
    until(lambda: there.seen(second))
    assert whole(spool, "Old") == [0]
    there.unflag(second, "\\Seen")
    until(lambda: whole(spool, "Old") == [] and len(whole(spool, "Urgent")) == 1)

    there.move(second, "Trash")
    until(lambda: whole(spool, "Urgent") == [] and there.message(second).deleted)
    there.box.restore(second)
    assert len(whole(spool, "Urgent")) == 1
    until(lambda: there.path(there.place(second)[0]) == "Voice Mail Messages" and not there.seen(second))

    phone.delete("INBOX", 0)
    until(lambda: there.path(there.place(first)[0]) == "Trash")
    there.move(first, "Voice Mail Messages")
    there.move(second, "Trash")
    until(lambda: whole(spool, "Urgent") == [] and there.message(second).deleted)
    there.engine.stop()


def _calm(holds: Callable[[], bool]) -> bool:
    """Whether it holds, where neither side is in the middle of a move."""
    try:
        return holds()
    except (AssertionError, ValueError):
        return False


def test_asterisk_itself_moves_and_is_told_to_count_once_a_change(there: World, spool: Path):
    """Through its manager interface: VoicemailMove, VoicemailRemove, and one VoicemailRefresh."""
    phone = Phone(spool)
    secret = there.folder / "ami"
    secret.write_text("amp111\n")
    secret.chmod(0o600)
    with running(phone.asterisk) as ami:
        there.system |= {"ami_server": "127.0.0.1", "ami_port": ami.port, "ami_user": "syncengine"}
        there.system["ami_secret_file"] = str(secret)
        there.reopen()

        def asked() -> list[str]:
            there.sync_ok()
            there.quiet()
            names = [fields["Action"] for fields in ami.asked if fields["Action"] != "Login"]
            ami.asked.clear()
            return names

        phone.leave(1)
        phone.leave(2)
        assert asked() == ["VoicemailRefresh"]
        first, second = sorted(there.ids(), key=lambda m: there.message(m).received)
        there.flag(first, "\\Seen")
        there.flag(second, "\\Seen")
        assert asked() == ["VoicemailMove", "VoicemailMove", "VoicemailRefresh"]
        assert whole(spool, "Old") == [0, 1]
        there.move(first, "Trash")
        assert asked() == ["VoicemailRemove", "VoicemailRefresh"]
        assert whole(spool, "Old") == [0]
        there.box.restore(first)
        assert whole(spool, "Old") == [0, 1]
        assert asked() == ["VoicemailRefresh"]


@pytest.mark.parametrize("mailbox", ["101", "101@default"])
def test_externnotify_is_a_trigger(there: World, spool: Path, mailbox: str, monkeypatch: pytest.MonkeyPatch):
    """The script of the page, called as Asterisk calls it: context, mailbox, new, old, urgent."""
    text = (ROOT / "docs" / "asterisk.md").read_text(encoding="utf-8")
    begin = text.index("    #!/bin/sh\n")
    script = there.folder / "voicemail-changed"
    script.write_text(textwrap.dedent(text[begin : text.index("\n\n", begin)]) + "\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SYNCENGINE_CONFIG", str(there.config))
    left(spool, 0, 1)
    subprocess.run([script, "default", mailbox, "1", "0", "0"], check=True, timeout=60)
    assert arrived(there)


def test_the_running_service_takes_a_new_message_to_the_mail_by_itself(there: World, spool: Path):
    there.engine.start()
    try:
        left(spool, 0, 1)
        eventually(lambda: arrived(there))
    finally:
        there.engine.stop()
