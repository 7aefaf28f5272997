"""What the adapter remembers of a mailbox: the references it gave, in one file a mailbox.

A lost file costs little: references are made of what the messages themselves hold, so the same
messages get the same ones again. A lock file beside it lets one process at a time work on a mailbox.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec

from syncengine.errors import SyncError
from syncengine.voicemail.asterisk.identity import Known
from syncengine.voicemail.files import read_bounded, write_durably

_log = logging.getLogger(__name__)

STORE = "store-id"
_FORGET_AFTER = 30 * 86400.0
_WAIT = 15.0
_VERSION = 1


@dataclass(frozen=True, slots=True)
class _File:
    version: int
    known: list[Known]


class Memory:
    """The adapter's own files in the state directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store_id: str | None = None

    def prepare(self) -> None:
        """Make the folder."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def store_id(self) -> str | None:
        """The id of the spool that belongs to this memory, None before the first use."""
        if self._store_id is None:
            self._store_id = read_id(self._folder / STORE)
        return self._store_id

    def set_store_id(self, value: str) -> None:
        """Remember which spool belongs to this memory."""
        write_durably(self._folder / STORE, value.encode("ascii"))

    def load(self, context: str, mailbox: str) -> list[Known]:
        """What is known of a mailbox."""
        path = self._path(context, mailbox, ".json")
        try:
            file = msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s: cannot be read, the mailbox's messages are recognised anew: %s", path, error)
            return []
        return file.known if file.version == _VERSION else []

    def save(self, context: str, mailbox: str, known: Sequence[Known], now: float) -> None:
        """Remember a mailbox durably; what has been gone for 30 days is forgotten."""
        kept = [k for k in known if not k.gone or now - k.gone < _FORGET_AFTER]
        write_durably(self._path(context, mailbox, ".json"), msgspec.json.encode(_File(_VERSION, kept)))

    @contextmanager
    def exclusive(self, context: str, mailbox: str) -> Iterator[None]:
        """Keep other threads and processes of ours off a mailbox; raises ``SyncError`` after 15 s.

        The lock dies with its process, so what was in the middle of something then is a leftover.
        """
        path = self._path(context, mailbox, ".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _wait_for(descriptor, path)
            yield
        finally:
            os.close(descriptor)

    def _path(self, context: str, mailbox: str, suffix: str) -> Path:
        return self._folder / f"{quote(mailbox, safe='')}@{quote(context, safe='')}{suffix}"


def read_id(path: Path) -> str | None:
    """Return the id in a marker file, None where it cannot be read."""
    try:
        return read_bounded(path, 64).decode("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _wait_for(descriptor: int, path: Path) -> None:
    end = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise SyncError(
                    f"{path}: another process of ours has held this mailbox for {_WAIT:g} s; try again"
                ) from None
            time.sleep(0.005)
        else:
            return
