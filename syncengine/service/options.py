"""Options while running: changed files are read, good ones put in force, bad ones refused and said.

The last good options stay in force until all files hold together again. watchdog is imported before any
thread starts: two that import it first, and at once, lock each other out.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from watchdog.events import (
    EVENT_TYPE_CLOSED_NO_WRITE,
    EVENT_TYPE_OPENED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from syncengine.engine.engine import Engine
from syncengine.errors import OptionsError
from syncengine.options.files import DROP_INS, drop_in_files, load

_log = logging.getLogger(__name__)

_SETTLE = 0.15
"""Seconds after the last event: an editor writes a file in several steps."""
_LONGEST = 0.6


class OptionsWatch:
    """Watches the folder of the options that an engine was opened with."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._path = engine.settings.path
        self._touched = threading.Event()
        self._asked = False
        self._stopping = False
        self._observer: BaseObserver | None = None
        self._drop_ins: tuple[int, ObservedWatch] | None = None
        self._seen: object = None
        self._thread = threading.Thread(target=self._run, name="syncengine-options", daemon=True)
        self.error: str | None = None
        """Why what lies in the files is not in force; None if it is."""

    def start(self) -> None:
        """Begin to watch; options that were not read from files have nothing to watch."""
        if self._path is not None:
            self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping = True
        self._touched.set()
        if self._thread.is_alive():
            self._thread.join()

    def reload(self) -> None:
        """Read the files as if they had changed."""
        self._asked = True
        self._touched.set()

    def _run(self) -> None:
        path = self._path
        if path is None:
            return
        next_try = 0.0
        try:
            while not self._stopping:
                if self._observer is None and time.monotonic() >= next_try:
                    next_try = time.monotonic() + self._engine.settings.system.repeat_startup_period
                    self._observer = self._observe(path)
                    # What was changed before anybody watched.
                    self._touched.set()
                left = None if self._observer is not None else max(0.0, next_try - time.monotonic())
                if self._touched.wait(left) and not self._stopping:
                    self._settle()
                    self._look(path)
        finally:
            self._engine.index.database.close_thread()
            if self._observer is not None:
                self._observer.stop()
                self._observer.join()

    def _settle(self) -> None:
        """Wait until nothing is written any more, but not for ever."""
        end = time.monotonic() + _LONGEST
        while self._touched.is_set() and time.monotonic() < end and not self._stopping:
            self._touched.clear()
            self._touched.wait(_SETTLE)
        self._touched.clear()

    def _look(self, path: Path) -> None:
        """Read the files if they are others than those read last, or if somebody asked for it."""
        self._watch_drop_ins(path)
        seen = _signature(path)
        asked, self._asked = self._asked, False
        if asked or seen != self._seen:
            self._seen = seen
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            settings = load(path)
            if _signature(path) != self._seen:
                self._touched.set()  # written while it was read: read again
                return
            if _empty(path):
                # Whoever writes in place begins with an empty file, and one without mailboxes is good.
                raise OptionsError(f"{path}: is empty")
            if settings != self._engine.settings:
                self._engine.adopt_settings(settings)
                _log.info("%s: changed options are in force", path)
            elif self.error is not None:
                _log.info("%s: the options are good again, as they were", path)
            self.error = None
        except OptionsError as error:
            if str(error) != self.error:
                _log.error("%s; the last good options stay in force", error)
            self.error = str(error)

    def _observe(self, path: Path) -> BaseObserver | None:
        observer = Observer()
        try:
            observer.schedule(_Touch(self._touched), str(path.parent))
            observer.start()
        except OSError as error:
            _log.warning("%s: changes are not noticed by themselves (%s); SIGHUP reads them", path, error)
            return None
        return observer

    def _watch_drop_ins(self, path: Path) -> None:
        """Watch the drop-ins' folder once it is there, and anew when it was replaced."""
        folder = path.parent / DROP_INS
        try:
            identity = folder.stat().st_ino
        except OSError:
            return
        if self._observer is None or (self._drop_ins and self._drop_ins[0] == identity):
            return
        try:
            if self._drop_ins:
                self._observer.unschedule(self._drop_ins[1])
            self._drop_ins = identity, self._observer.schedule(_Touch(self._touched), str(folder))
        except (OSError, KeyError) as error:
            _log.warning("%s: changes are not noticed by themselves (%s); SIGHUP reads them", folder, error)


class _Touch(FileSystemEventHandler):
    def __init__(self, touched: threading.Event) -> None:
        self._touched = touched

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in (EVENT_TYPE_OPENED, EVENT_TYPE_CLOSED_NO_WRITE):
            self._touched.set()


def _empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _signature(path: Path) -> object:
    """What tells the files from those read last, without reading them."""
    found: list[object] = []
    for file in (path, *drop_in_files(path)):
        try:
            known = file.stat()
        except OSError:
            found.append((file, None))
        else:
            found.append((file, (known.st_mtime_ns, known.st_size, known.st_ino, known.st_mode)))
    return found
