"""Asterisk's spool as the local side, against a real account: the same story."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from syncengine import LampChanged
from tests.support.asterisk import description
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


def test_the_running_service_takes_a_new_message_to_the_mail_by_itself(there: World, spool: Path):
    there.engine.start()
    try:
        left(spool, 0, 1)
        eventually(lambda: arrived(there))
    finally:
        there.engine.stop()
