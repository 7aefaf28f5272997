"""The kernel's watches on a spool: on the folders of messages, and on those in which such folders appear.

Only these: watching everything below the spool would double their number, since ``tmp`` and the adapter's
own folders see more traffic than all messages together.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from syncengine.voicemail.asterisk.layout import FOLDERS

_log = logging.getLogger(__name__)

_COMMIT = re.compile(r"msg[0-9]{4}\.txt")
_COMES = InotifyConstants.IN_CREATE | InotifyConstants.IN_MOVED_TO
_GOES = InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM
_ONLY = InotifyConstants.IN_ONLYDIR | InotifyConstants.IN_DONT_FOLLOW
_FOLDERS_COME = Mask(_COMES | _GOES | _ONLY)
_MESSAGES_CHANGE = Mask(_COMES | _GOES | InotifyConstants.IN_CLOSE_WRITE | _ONLY)
_DEPTH = 3
"""``<context>/<mailbox>/<folder>``."""

_Place = tuple[str, ...]
"""Context, mailbox and folder, or the first of them; () is the spool."""


class Watches:
    """Calls ``told`` with a mailbox's name, and ``lost`` when the kernel dropped events.

    Both from a thread of its own, and only for what happens after it was made. Raises ``OSError`` if the
    spool itself cannot be watched; what is below it and cannot be is in ``unwatched``.
    """

    def __init__(self, spool: Path, told: Callable[[str], None], lost: Callable[[], None]) -> None:
        self._spool = spool
        self._told = told
        self._lost = lost
        self._ids = count()
        self._lock = threading.RLock()
        self._places: dict[WatchDescriptor, _Place] = {}
        self._watched: dict[_Place, WatchDescriptor] = {}
        self._begun = False
        self.unwatched: set[_Place] = set()
        self._kernel = InotifyFD()
        self._kernel.start()
        try:
            self._take_in(())
        except OSError:
            self.close()
            raise
        self._begun = True

    def close(self) -> None:
        """Give all watches back and wait for the thread."""
        self._kernel.stop()
        self._kernel.join()

    # What watchdog calls, in its thread

    def on_event(self, event: InotifyEvent) -> None:
        """Take notice of what happened in a folder."""
        with self._lock:
            place = self._places.get(event.wd)
        if place is None:
            return
        name = os.fsdecode(event.name)
        if len(place) == _DEPTH:
            if _COMMIT.fullmatch(name):
                self._told(place[1])
        elif event.is_directory and name:
            if event.mask & _GOES:
                self._forget((*place, name))
            elif _may_hold(place, name):
                self._take_in((*place, name))

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Forget a folder that is gone."""
        with self._lock:
            place = self._places.pop(wd, None)
            if place is not None and self._watched.get(place) == wd:
                del self._watched[place]

    def on_queue_overflow(self) -> None:
        """Say that something happened of which nobody knows what."""
        _log.warning(
            "%s: more changes at once than the kernel keeps; all mailboxes are looked at", self._spool
        )
        self._lost()

    def _take_in(self, place: _Place) -> None:
        """Watch a folder and what lies in it; of a new one, tell what came before the watch did."""
        if not self._watch(place):
            return
        if len(place) == _DEPTH:
            if self._begun and any(_COMMIT.fullmatch(name) for name in _names(self._spool.joinpath(*place))):
                self._told(place[1])
            return
        for name in _names(self._spool.joinpath(*place)):
            if _may_hold(place, name):
                self._take_in((*place, name))

    def _watch(self, place: _Place) -> bool:
        path = os.fsencode(self._spool.joinpath(*place))
        mask = _MESSAGES_CHANGE if len(place) == _DEPTH else _FOLDERS_COME
        with self._lock:
            if place in self._watched:
                return True
            try:
                wd = self._kernel.add_callback(path, mask, self, CallbackId(next(self._ids)))
            except (FileNotFoundError, NotADirectoryError):
                if not place:
                    raise
                return False
            except OSError as error:
                if not place:
                    raise
                self._cannot(place, str(error))
                return False
            if wd < 0:  # watchdog passes over a folder that must not be read
                self._cannot(place, "permission denied")
                return False
            self._places[wd] = place
            self._watched[place] = wd
            self.unwatched.discard(place)
            return True

    def _cannot(self, place: _Place, reason: str) -> None:
        if not self.unwatched:
            path = self._spool.joinpath(*place)
            _log.warning("%s: cannot be watched (%s); the spool is polled as well", path, reason)
        self.unwatched.add(place)

    def _forget(self, place: _Place) -> None:
        """A folder went: under its name another one may come."""
        with self._lock:
            for one in [p for p in self._watched if p[: len(place)] == place]:
                del self._watched[one]
            self.unwatched = {p for p in self.unwatched if p[: len(place)] != place}
        if len(place) >= 2:
            self._told(place[1])


def _may_hold(place: _Place, name: str) -> bool:
    """Whether a folder of this name can lead to messages, by where it is."""
    return name in FOLDERS if len(place) == _DEPTH - 1 else not name.startswith(".")


def _names(folder: Path) -> Iterator[str]:
    try:
        yield from sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except OSError:  # gone again
        return
