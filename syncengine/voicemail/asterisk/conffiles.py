"""``voicemail.conf`` as it lies on disk, with the files that it includes: for the import, and for its limits.

FreePBX keeps most of it in included files. What is read is bounded, and a file that cannot be read is
named, never fatal: Asterisk's own files are not the engine's to judge.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from syncengine.voicemail.asterisk.conf import MAX_CHARACTERS, Include, VoicemailConf, includes_of, read_conf
from syncengine.voicemail.files import read_bounded

_log = logging.getLogger(__name__)

_MOST_FILES = 256
_DEPTH = 8

_Stamp = tuple[int, int, int] | None


class Files:
    """A ``voicemail.conf`` with everything it includes, put together into one text."""

    def __init__(self, path: Path) -> None:
        self.stamps: dict[Path, _Stamp] = {}
        """Every file that was looked for, and what it was on disk."""
        self.unread: dict[str, None] = {}
        """Files that are included and could not be read."""
        self._count = 0
        self._folder = path.parent
        self._left = MAX_CHARACTERS
        self.text = self._with_includes(path, self._read(path), 0)

    @property
    def changed(self) -> bool:
        """Whether one of the files is another than the one that was read."""
        return any(_stamp(path) != stamp for path, stamp in self.stamps.items())

    def _read(self, path: Path) -> str:
        self.stamps[path] = _stamp(path)
        data = read_bounded(path.resolve(), self._left)
        self._left -= len(data)
        return data.decode("utf-8", "replace")

    def _with_includes(self, path: Path, text: str, depth: int) -> str:
        """The text with each include in its place, as Asterisk reads it."""
        parts = [
            self._included(path, one, depth) if isinstance(one, Include) else one for one in includes_of(text)
        ]
        return "\n".join(parts)

    def _included(self, path: Path, include: Include, depth: int) -> str:
        texts = []
        for found in self._named(include.name):
            if depth >= _DEPTH or self._count >= _MOST_FILES:
                self.unread[f"{include.name} (too many includes in {path.name})"] = None
                break
            self._count += 1
            try:
                texts.append(self._with_includes(found, self._read(found), depth + 1))
            except OSError:
                if not include.optional:
                    self.unread[include.name] = None
        return "\n".join(texts)

    def _named(self, name: str) -> list[Path]:
        """Files by the name in an include: relative to the folder of the main file, or a pattern."""
        path = self._folder / name
        if any(c in name for c in "*?["):
            return sorted(path.parent.glob(path.name))[:_MOST_FILES]
        return [path]


def load_conf(path: Path) -> tuple[VoicemailConf, tuple[str, ...]]:
    """Read a ``voicemail.conf``, and say which included files could not be; raises ``OSError`` for itself."""
    files = Files(path)
    return read_conf(files.text), tuple(files.unread)


class ConfLimits:
    """How many messages a folder of a mailbox takes: ``maxmsg`` of ``voicemail.conf``, as it is now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: Files | None = None
        self._limits: dict[tuple[str, str], int] = {}
        self._general = 0
        self._said = ""
        self._lock = threading.Lock()

    def __call__(self, context: str, mailbox: str) -> int | None:
        """The limit; None while the file could never be read."""
        with self._lock:
            if self._files is None or self._files.changed:
                self._read()
            if self._files is None:
                return None
            return self._limits.get((context, mailbox), self._general)

    def _read(self) -> None:
        try:
            files = Files(self._path)
        except OSError as error:  # being written, perhaps: what was read before holds
            reason = f"{self._path}: cannot be read ({error.strerror}); "
            if reason != self._said:
                _log.warning(
                    "%smaxmsg is taken from %s", reason, "what it was" if self._files else "the options"
                )
            self._said = reason
            return
        conf = read_conf(files.text)
        self._limits = {(one.context, one.number): one.maxmsg for one in conf.mailboxes}
        self._general = conf.maxmsg
        self._files, self._said = files, ""


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
