"""A damaged index is set aside and begun anew: the mail and the recordings' descriptions bring it back.

Nothing of it is thrown away, and it is never taken from under another process: SQLite removes its log by
name when it closes, so a file renamed while it is open costs the new one its log
(sqlite.org/howtocorrupt.html, section 2.4).
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from syncengine.errors import EngineError

_log = logging.getLogger(__name__)

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PARTS = ("", "-wal", "-shm")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged, not merely locked, full or out of reach."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def suspect(index: Path) -> None:
    """Note, for whoever opens the index next, that it is to be examined first."""
    with suppress(OSError):
        _mark(index).touch(mode=0o600)


def hold(index: Path) -> int:
    """Say that this process uses the index, for as long as the returned descriptor is open."""
    held = os.open(index.with_suffix(".used"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(held, fcntl.LOCK_SH)
    return held


def examine(index: Path) -> None:
    """Set the index aside if it is suspected and damaged; raises ``EngineError`` if it is in use."""
    if not _mark(index).exists():
        return
    if not _sound(index):
        set_aside(index)
    _mark(index).unlink(missing_ok=True)


def set_aside(index: Path) -> None:
    """Rename the index and its log; raises ``EngineError`` if another process uses it."""
    with index.with_suffix(".used").open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EngineError(
                f"{index}: the index is damaged and another process uses it; stop that one and start it"
                " again, and the index is rebuilt from the mail"
            ) from None
        aside = _free_name(index)
        for part in _PARTS:
            with suppress(FileNotFoundError):
                index.with_name(index.name + part).rename(aside.with_name(aside.name + part))
    _log.warning(
        "%s: the index is damaged; it is set aside as %s and rebuilt from the mail and the recordings",
        index,
        aside.name,
    )


def _sound(index: Path) -> bool:
    try:
        with closing(sqlite3.connect(index)) as connection:
            return [row[0] for row in connection.execute("PRAGMA quick_check(1)")] == ["ok"]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return False


def _free_name(index: Path) -> Path:
    wanted = aside = index.with_name(f"{index.name}.corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    number = 1
    while aside.exists():
        number += 1
        aside = wanted.with_name(f"{wanted.name}.{number}")
    return aside


def _mark(index: Path) -> Path:
    return index.with_suffix(".suspect")
