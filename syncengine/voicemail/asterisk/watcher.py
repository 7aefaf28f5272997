"""Watching the spool: says which mailbox changed, soon after a message's ``.txt`` came, moved or went.

A hint, never a fact: whoever is told looks for himself. What the kernel's queue loses, what another host
does on a shared spool, and folders that cannot be watched are found by comparing the folders' times.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from syncengine.voicemail.asterisk.layout import FOLDERS

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

_log = logging.getLogger(__name__)

_COMMIT = re.compile(r"msg[0-9]{4}\.txt")
_LONGEST_WAIT = 0.4
_HALF_A_QUEUE = 8192
"""Linux keeps 16,384 events by default (fs.inotify.max_queued_events) and drops the rest."""

_Times = dict[str, tuple[tuple[str, int, int], ...]]


class SpoolWatcher:
    """Calls ``on_change`` with a mailbox's number, from a thread of its own; it must not raise.

    ``quiet``: seconds without an event before it is told, so that a burst is one change; ``interval``:
    seconds between whole scans; ``poll``: the same while the spool cannot be watched. At start every
    mailbox is told once.
    """

    def __init__(
        self,
        spool: Path,
        on_change: Callable[[str], None],
        *,
        quiet: float = 0.1,
        interval: float = 30.0,
        poll: float = 2.0,
    ) -> None:
        self._spool = spool
        self._on_change = on_change
        self._quiet = quiet
        self._interval = interval
        self._poll = poll
        self._wake = threading.Condition()
        self._dirty: dict[str, tuple[float, float]] = {}
        self._events = 0
        self._stopping = False
        self._observer: BaseObserver | None = None
        self._watched: int | None = None
        self._thread = threading.Thread(target=self._run, name="spool-watcher", daemon=True)

    def start(self) -> None:
        """Begin watching; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching and wait for the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def polling(self) -> bool:
        """Whether the spool cannot be watched and is polled instead."""
        return self._observer is None

    def _run(self) -> None:
        self._watch()
        times: _Times = {}
        next_scan = 0.0
        while not self._stopping:
            now = time.monotonic()
            if now >= next_scan or self._events >= _HALF_A_QUEUE:
                self._events = 0
                times, before = self._scan(), times
                self._told([m for m, folders in times.items() if before.get(m) != folders])
                self._watch()
                next_scan = time.monotonic() + (self._poll if self.polling else self._interval)
            self._told(self._due(next_scan))
        self._unwatch()

    def _told(self, mailboxes: list[str]) -> None:
        for mailbox in mailboxes:
            self._on_change(mailbox)

    def _due(self, until: float) -> list[str]:
        """Wait for mailboxes that were quiet long enough, until it is time for a scan or to stop."""
        with self._wake:
            while not self._stopping and self._events < _HALF_A_QUEUE:
                now = time.monotonic()
                ready = [m for m, (first, last) in self._dirty.items() if self._ready(first, last) <= now]
                for mailbox in ready:
                    del self._dirty[mailbox]
                if ready or now >= until:
                    return ready
                self._wake.wait(min([until, *(self._ready(*times) for times in self._dirty.values())]) - now)
        return []

    def _ready(self, first: float, last: float) -> float:
        return min(last + self._quiet, first + _LONGEST_WAIT)

    def _note(self, event: FileSystemEvent) -> None:
        now = time.monotonic()
        with self._wake:
            self._events += 1
            for path in (event.src_path, event.dest_path):
                mailbox = self._mailbox_of(
                    path if isinstance(path, str) else bytes(path).decode("utf-8", "replace")
                )
                if mailbox:
                    self._dirty[mailbox] = (self._dirty.get(mailbox, (now, now))[0], now)
                    self._wake.notify()

    def _mailbox_of(self, path: str) -> str | None:
        parts = Path(path).parts[len(self._spool.parts) :]
        if len(parts) == 4 and parts[2] in FOLDERS and _COMMIT.fullmatch(parts[3]):
            return parts[1]
        return None

    def _watch(self) -> None:
        """Watch the spool, again if it is another folder than before; poll where that cannot be done."""
        try:
            root = self._spool.stat().st_ino
        except OSError:
            root = None
        if root is not None and root == self._watched:
            return
        self._unwatch()
        if root is None:
            return
        from watchdog.events import (  # noqa: PLC0415 - only the service watches
            FileClosedEvent,
            FileCreatedEvent,
            FileDeletedEvent,
            FileMovedEvent,
            FileSystemEventHandler,
        )
        from watchdog.observers import Observer  # noqa: PLC0415

        handler = FileSystemEventHandler()
        handler.on_any_event = self._note  # type: ignore[method-assign]
        observer = Observer()
        wanted = [FileCreatedEvent, FileMovedEvent, FileDeletedEvent, FileClosedEvent]
        try:
            observer.schedule(handler, str(self._spool), recursive=True, event_filter=wanted)
            observer.start()
        except OSError as error:
            _log.warning("%s: cannot be watched (%s), it is polled", self._spool, error)
            return
        self._observer, self._watched = observer, root

    def _unwatch(self) -> None:
        observer, self._observer, self._watched = self._observer, None, None
        if observer is not None:
            observer.stop()
            observer.join()

    def _scan(self) -> _Times:
        """Every mailbox with its folders' identities and times."""
        times: dict[str, list[tuple[str, int, int]]] = {}
        for context in _folders(self._spool):
            for mailbox in _folders(context):
                seen = times.setdefault(mailbox.name, [])
                for name in FOLDERS:
                    try:
                        status = (mailbox / name).stat()
                    except OSError:
                        continue
                    seen.append((f"{context.name}/{name}", status.st_ino, status.st_mtime_ns))
        return {mailbox: tuple(seen) for mailbox, seen in times.items()}


def _folders(path: Path) -> Iterator[Path]:
    try:
        entries = sorted(path.iterdir())
    except OSError:  # not mounted, removed, or no folder: nothing to say about it
        return
    yield from (entry for entry in entries if not entry.name.startswith(".") and entry.is_dir())
