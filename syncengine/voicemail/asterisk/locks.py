"""Asterisk's locks on a voice-mail folder, in both modes of ``lockmode`` in asterisk.conf.

Held for milliseconds, never over network I/O: a caller's message is lost when Asterisk waits longer
than five seconds for one. A lock of somebody else is never broken, however old it is (spools are
shared over NFS); one of ours that a crash left behind is, because a second link to it proves it ours.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from syncengine.errors import SyncError

_log = logging.getLogger(__name__)

LOCKFILE = ".lock"
FLOCK = "lock"
_PAUSE = 0.002


class LockMode(StrEnum):
    """``lockmode`` of asterisk.conf."""

    LOCKFILE = "lockfile"
    FLOCK = "flock"


class LockTimeout(SyncError):
    """Somebody else held the folder all the time; nothing was changed."""


@contextmanager
def folder_lock(folder: Path, notes: Path, mode: LockMode, timeout: float) -> Iterator[None]:
    """Hold Asterisk's lock on ``folder``; raises :class:`LockTimeout` after ``timeout`` seconds.

    ``notes`` is a folder of ours on the same file system; what lies there while the lock is held
    tells :func:`release_leftovers` that it is ours.
    """
    note = notes / f"{folder.name}.{secrets.token_hex(8)}"
    os.close(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        release = _acquire(folder, note, mode, timeout)
    except BaseException:
        note.unlink(missing_ok=True)
        raise
    try:
        yield
    finally:
        release()  # where that fails the note stays, and the lock is given back at the next look
        note.unlink(missing_ok=True)


def _acquire(folder: Path, note: Path, mode: LockMode, timeout: float) -> Callable[[], object]:
    """Take the lock; returns what gives it back."""
    match mode:
        case LockMode.LOCKFILE:
            _link(note, folder / LOCKFILE, timeout)
            return lambda: _unlink_own(note, folder / LOCKFILE)
        case LockMode.FLOCK:
            descriptor = _flock(folder / FLOCK, timeout)
            return lambda: _unflock(folder / FLOCK, descriptor)
        case _:
            assert_never(mode)


@contextmanager
def two_locks(first: Path, second: Path, notes: Path, mode: LockMode, timeout: float) -> Iterator[None]:
    """Hold the source's lock and then the destination's, in Asterisk's order.

    The source is given back while the destination is taken by somebody else, so that nobody waits for
    us and no two can wait for each other.
    """
    end = time.monotonic() + timeout
    while True:
        left = max(0.0, end - time.monotonic())
        with ExitStack() as held:
            held.enter_context(folder_lock(first, notes, mode, left))
            try:
                held.enter_context(folder_lock(second, notes, mode, min(0.02, left)))
            except LockTimeout:
                if time.monotonic() >= end:
                    raise
            else:
                yield
                return
        time.sleep(_PAUSE * (1 + secrets.randbelow(10)))


def release_leftovers(mailbox: Path, notes: Path, mode: LockMode) -> int:
    """Give back the locks that a killed process of ours left; how many.

    Only while no other process of ours can be working on this mailbox.
    """
    count = 0
    for note in list(notes.iterdir()) if notes.is_dir() else ():
        folder = mailbox / note.name.rpartition(".")[0]
        if mode is LockMode.LOCKFILE:
            count += _unlink_own(note, folder / LOCKFILE)
        elif (folder / FLOCK).exists():
            with suppress(LockTimeout, OSError):
                os.close(_flock(folder / FLOCK, 0.0))
                (folder / FLOCK).unlink(missing_ok=True)
                count += 1
        note.unlink(missing_ok=True)
    if count:
        _log.warning("%s: gave back %d locks that a killed process of ours had left", mailbox, count)
    return count


def locked_by_others(folder: Path, older_than: float, now: float) -> bool:
    """Whether the folder has been locked by somebody for less than ``older_than`` seconds."""
    for name in (LOCKFILE, FLOCK):
        with suppress(OSError):
            if now - (folder / name).lstat().st_ctime < older_than:
                return True
    return False


def _link(note: Path, lock: Path, timeout: float) -> None:
    end = time.monotonic() + timeout
    while True:
        try:
            os.link(note, lock)
        except FileExistsError:
            if time.monotonic() >= end:
                raise _timeout(lock, timeout) from None
            time.sleep(_PAUSE)
        else:
            return


def _unlink_own(note: Path, lock: Path) -> bool:
    """Remove the lock if it is the same file as our note: that cannot be anybody else's."""
    with suppress(FileNotFoundError):
        ours, there = note.lstat(), lock.lstat()
        if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino):
            lock.unlink()
            return True
    return False


def _flock(path: Path, timeout: float) -> int:
    end = time.monotonic() + timeout
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held, named = os.fstat(descriptor), path.lstat()
            if (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # taken, or its holder has removed the name: the next one is another file
        if time.monotonic() >= end:
            raise _timeout(path, timeout)
        time.sleep(_PAUSE)


def _unflock(path: Path, descriptor: int) -> None:
    """The name first, as Asterisk does it: who waits on this file then starts anew."""
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _timeout(lock: Path, timeout: float) -> LockTimeout:
    return LockTimeout(
        f"{lock}: locked by somebody else for more than {timeout:g} s, nothing was changed; "
        "if Asterisk is not running and no other host shares the spool, remove that file"
    )
