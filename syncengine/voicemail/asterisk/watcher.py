"""Watching the spool: says which mailbox changed, soon after a message's ``.txt`` came, moved or went.

A hint, never a fact: whoever is told looks for himself. What the kernel's queue loses, what another host
does on a shared spool, and folders that cannot be watched are found by comparing the folders' times.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from syncengine.errors import SyncError
from syncengine.voicemail.asterisk.layout import FOLDERS

if TYPE_CHECKING:
    from syncengine.voicemail.asterisk.watches import Watches

_log = logging.getLogger(__name__)

_LONGEST_WAIT = 0.4
_AGAIN = 1.0

_Times = dict[str, tuple[tuple[str, int, int], ...]]


class SpoolWatcher:
    """Calls ``on_change`` with a mailbox's number, from a thread of its own.

    It is called again if it raises ``SyncError``; it must raise nothing else.

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
        self._lost = False
        self._stopping = False
        self._watches: Watches | None = None
        self._watched: int | None = None
        self._said = ""
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
        """Whether something in the spool cannot be watched and is polled instead."""
        return self._watches is None or bool(self._watches.unwatched)

    def _run(self) -> None:
        times: _Times = {}
        next_scan = 0.0
        while not self._stopping:
            if self._lost or time.monotonic() >= next_scan:
                self._watch()  # first, so that nothing falls between the scan and the watches
                times, before = self._scan(), times
                self._tell(m for m, folders in times.items() if before.get(m) != folders)
                next_scan = time.monotonic() + (self._poll if self.polling else self._interval)
            self._tell(self._due(next_scan))
        self._unwatch()

    def _tell(self, mailboxes: Iterable[str]) -> None:
        for mailbox in mailboxes:
            try:
                self._on_change(mailbox)
            except SyncError as error:
                _log.warning("mailbox %s: changed, and could not be told: %s; once more soon", mailbox, error)
                with self._wake:
                    at = time.monotonic() + _AGAIN
                    self._dirty.setdefault(mailbox, (at, at))

    def _due(self, until: float) -> list[str]:
        """Wait for mailboxes that were quiet long enough, until it is time for a scan or to stop."""
        with self._wake:
            while not (self._stopping or self._lost):
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

    def _note(self, mailbox: str) -> None:
        now = time.monotonic()
        with self._wake:
            self._dirty[mailbox] = (self._dirty.get(mailbox, (now, now))[0], now)
            self._wake.notify()

    def _lose(self) -> None:
        with self._wake:
            self._lost = True
            self._wake.notify()

    def _watch(self) -> None:
        """Watch the spool, anew if events were lost or it is another folder than before."""
        try:
            root = self._spool.stat().st_ino
        except OSError:
            root = None
        if root is not None and root == self._watched and not self._lost:
            return
        self._unwatch()
        if root is None:
            return
        try:
            from syncengine.voicemail.asterisk.watches import Watches  # noqa: PLC0415 - only the service watches

            self._watches, self._watched = Watches(self._spool, self._note, self._lose), root
            self._said = ""
        except (OSError, ImportError) as error:
            if self._said != str(error):
                _log.warning("%s: cannot be watched (%s), it is polled", self._spool, error)
            self._said = str(error)

    def _unwatch(self) -> None:
        watches, self._watches, self._watched, self._lost = self._watches, None, None, False
        if watches is not None:
            watches.close()

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
