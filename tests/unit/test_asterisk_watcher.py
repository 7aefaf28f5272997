"""Watching the spool: one call a change, soon, whatever becomes of the watches."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

from syncengine.errors import EngineError
from syncengine.voicemail.asterisk import SpoolWatcher
from syncengine.voicemail.asterisk.watches import Watches
from tests.support.asterisk import FakeAsterisk
from tests.support.waiting import eventually


class Told:
    """Counts what a watcher says."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.at: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, mailbox: str) -> None:
        with self._lock:
            self.count[mailbox] += 1
            self.at[mailbox] = time.monotonic()


@contextmanager
def watching(spool: Path, **times: float) -> Iterator[tuple[SpoolWatcher, Told]]:
    told = Told()
    watcher = SpoolWatcher(spool, told, **{"interval": 60.0, "poll": 0.05, **times})
    watcher.start()
    try:
        yield watcher, told
    finally:
        watcher.stop()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    for number in ("101", "102"):
        FakeAsterisk(tmp_path / "spool" / "default" / number).leave(int(number))
    return tmp_path / "spool"


def test_every_mailbox_is_told_once_at_start(spool: Path):
    with watching(spool) as (_, told):
        eventually(lambda: told.count == {"101": 1, "102": 1})


def test_a_new_message_is_told_within_a_second_and_once(spool: Path):
    asterisk = FakeAsterisk(spool / "default" / "101")
    with watching(spool) as (watcher, told):
        eventually(lambda: told.count["101"] == 1 and not watcher.polling)
        asterisk.leave(1, formats=("WAV", "wav", "gsm"))
        left = time.monotonic()
        eventually(lambda: told.count["101"] == 2)
        assert told.at["101"] - left < 1
        asterisk.hang_up(asterisk.login("Old"))
        FakeAsterisk(spool / "default" / "102").leave(2)
        eventually(lambda: told.count["102"] == 2)
        assert told.count["101"] == 2


def test_a_burst_is_one_change(spool: Path):
    asterisk = FakeAsterisk(spool / "default" / "101")
    with watching(spool, quiet=0.3) as (watcher, told):
        eventually(lambda: told.count["101"] == 1 and not watcher.polling)
        for serial in range(20):
            asterisk.leave(serial)
        FakeAsterisk(spool / "default" / "102").leave(2)
        eventually(lambda: told.count["102"] == 2)
        assert 2 <= told.count["101"] <= 4


def test_what_is_no_message_is_no_change(spool: Path):
    with watching(spool) as (watcher, told):
        eventually(lambda: told.count["102"] == 1 and not watcher.polling)
        box = spool / "default" / "101"
        (box / "greet.wav").write_bytes(b"x")
        (box / "INBOX" / "msg0009.wav").write_bytes(b"x")
        (box / "Deleted").mkdir()
        (box / "Deleted" / "msg0000.txt").write_bytes(b"x")
        (box / "INBOX" / "msg0000.txt").read_bytes()
        FakeAsterisk(spool / "default" / "102").leave(2)
        eventually(lambda: told.count["102"] == 2)
        assert told.count["101"] == 1


def test_moves_and_deletes_are_changes(spool: Path):
    inbox = spool / "default" / "101" / "INBOX"
    with watching(spool) as (watcher, told):
        eventually(lambda: told.count["101"] == 1 and not watcher.polling)
        old = spool / "default" / "101" / "Old"
        old.mkdir()
        (inbox / "msg0000.txt").rename(old / "msg0000.txt")
        eventually(lambda: told.count["101"] == 2)
        (old / "msg0000.txt").unlink()
        eventually(lambda: told.count["101"] == 3)


def test_a_mailbox_that_is_made_later_is_watched_too(spool: Path):
    with watching(spool) as (watcher, told):
        eventually(lambda: told.count["101"] == 1 and not watcher.polling)
        FakeAsterisk(spool / "sales" / "300").leave(1)
        eventually(lambda: told.count["300"] >= 1)


def test_a_spool_that_went_and_came_back_is_watched_again(spool: Path):
    with watching(spool, interval=0.1) as (watcher, told):
        eventually(lambda: told.count["101"] == 1 and not watcher.polling)
        shutil.move(spool, spool.with_name("away"))
        eventually(lambda: watcher.polling)
        shutil.copytree(spool.with_name("away"), spool)
        eventually(lambda: not watcher.polling)
        before = told.count["101"]
        FakeAsterisk(spool / "default" / "101").leave(9)
        eventually(lambda: told.count["101"] > before)


@pytest.mark.parametrize("which", ["spool", "102/INBOX"])
def test_what_cannot_be_watched_is_polled(
    spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, which: str
):
    add = InotifyFD.add_callback

    def full(self: InotifyFD, path: bytes, *how: object) -> int:
        if path.endswith(which.encode()):
            raise OSError(28, "inotify watch limit reached")
        return add(self, path, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(InotifyFD, "add_callback", full)
    with watching(spool) as (watcher, told):
        eventually(lambda: told.count["102"] == 1 and watcher.polling)
        FakeAsterisk(spool / "default" / "102").leave(1)
        eventually(lambda: told.count["102"] >= 2)
        assert told.count["101"] == 1
    assert [r.levelname for r in caplog.records if "cannot be watched" in r.message] == ["WARNING"]


def test_what_another_host_does_is_found_by_the_next_scan(spool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Watches, "on_event", lambda self, event: None)
    with watching(spool, interval=0.05) as (watcher, told):
        eventually(lambda: told.count["101"] == 1 and not watcher.polling)
        FakeAsterisk(spool / "default" / "101").leave(1)
        eventually(lambda: told.count["101"] >= 2)


def test_events_that_the_kernel_dropped_are_found_at_once(spool: Path, monkeypatch: pytest.MonkeyPatch):
    """More than its queue holds (fs.inotify.max_queued_events), while nobody reads it."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    handle, read_on = InotifyFD.handle_event, threading.Event()

    def slowly(self: InotifyFD, event: InotifyEvent) -> None:
        read_on.wait(60)
        handle(self, event)

    monkeypatch.setattr(InotifyFD, "handle_event", slowly)
    with watching(spool) as (watcher, told):
        eventually(lambda: told.count["102"] == 1 and not watcher.polling)
        folder = os.open(spool / "default" / "101" / "INBOX", os.O_RDONLY)
        for _ in range(limit // 4 + 2048):  # four events each
            os.rename("msg0000.txt", "msg0001.txt", src_dir_fd=folder, dst_dir_fd=folder)
            os.rename("msg0001.txt", "msg0000.txt", src_dir_fd=folder, dst_dir_fd=folder)
        os.close(folder)
        FakeAsterisk(spool / "default" / "102").leave(2)
        read_on.set()
        eventually(lambda: told.count["102"] == 2)
        FakeAsterisk(spool / "default" / "102").leave(3)
        eventually(lambda: told.count["102"] == 3)


def test_folders_that_come_and_go_in_a_hurry_are_watched_and_never_twice(
    spool: Path, recwarn: pytest.WarningsRecorder
):
    """A folder may be found by looking and by its event; what is in it may come before the watch."""
    numbers = [str(number) for number in range(200, 240)]
    with watching(spool) as (watcher, told):
        eventually(lambda: told.count["101"] == 1 and not watcher.polling)

        def all_left(folder: str) -> None:
            before = Counter(told.count)
            for number in numbers:
                FakeAsterisk(spool / "sales" / number).leave(int(number), folder=folder)
            eventually(lambda: all(told.count[n] > before[n] for n in numbers))

        all_left("INBOX")
        all_left("Old")
        shutil.rmtree(spool / "sales")
        all_left("Urgent")
        all_left("INBOX")
    assert [str(w.message) for w in recwarn if issubclass(w.category, RuntimeWarning)] == []


def test_the_adapters_own_folders_are_not_watched(spool: Path):
    with watching(spool) as (watcher, told):
        eventually(lambda: told.count["101"] == 1 and not watcher.polling)
        watches = watcher._watches
        assert watches is not None
        names = {"/".join(place) for place in watches._watched}
        assert names == {
            "",
            "default",
            "default/101",
            "default/101/INBOX",
            "default/102",
            "default/102/INBOX",
        }


def test_a_mailbox_that_could_not_be_told_is_told_again(spool: Path):
    told: list[str] = []

    def refusing_once(mailbox: str) -> None:
        told.append(mailbox)
        if told.count(mailbox) == 1:
            raise EngineError("the disk is full")

    watcher = SpoolWatcher(spool, refusing_once, interval=60.0)
    watcher.start()
    try:
        eventually(lambda: sorted(told) == ["101", "101", "102", "102"])
    finally:
        watcher.stop()


def test_stopping_is_quick_and_starting_without_a_spool_is_fine(tmp_path: Path):
    with watching(tmp_path / "nothing", poll=30.0) as (watcher, told):
        begun = time.monotonic()
        watcher.stop()
        assert time.monotonic() - begun < 2
        assert not told.count
