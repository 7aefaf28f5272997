"""Writes one file of options so that a reader finds the old text or the new one, never a part.

The permission bits and the owner of the file are kept; a new file is the owner's alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from syncengine.options.problems import refuse

_PATIENCE = 10.0


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two editors do not read the same old text (10 s of patience)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise refuse(folder, f"cannot be opened: {error.strerror}") from None
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise refuse(folder, "another program is changing the options: try again") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def write(file: Path, text: str, *, like: Path | None = None) -> None:
    """Put ``text`` in place of ``file``; a new file takes owner and group from ``like``.

    A new file is readable by the group only where ``like`` is, and is for nobody else. Raises
    :class:`syncengine.options.problems.InvalidOptions` where the disk or the permissions forbid it.
    """
    file = file.resolve()  # a link stays a link
    try:
        file.parent.mkdir(mode=0o750, exist_ok=True)
        owner, mode = _owner_and_mode(file, like)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as stream:  # noqa: PTH123 - mkstemp's descriptor
                stream.write(text)
                stream.flush()
                if owner and os.geteuid() == 0:
                    os.fchown(descriptor, *owner)
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(file.parent)
    except OSError as error:
        raise refuse(file, f"cannot be written: {error.strerror}") from None


def remove(file: Path) -> None:
    """Remove ``file`` for good."""
    try:
        file.unlink()
        sync_folder(file.parent)
    except OSError as error:
        raise refuse(file, f"cannot be removed: {error.strerror}") from None


def give_to_owner_of(folder: Path, file: Path) -> None:
    """Let a file that root made belong to whom its folder belongs to: the service must be able to use it."""
    if os.geteuid() == 0:
        found = folder.stat()
        os.chown(file, found.st_uid, found.st_gid)


def sync_folder(folder: Path) -> None:
    """Bring the folder's entries to the disk, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _owner_and_mode(file: Path, like: Path | None) -> tuple[tuple[int, int] | None, int]:
    try:
        there = file.stat()
        return (there.st_uid, there.st_gid), stat.S_IMODE(there.st_mode)
    except FileNotFoundError:
        pass
    if like is None:
        return None, 0o600
    model = like.stat()
    group = 0 if model.st_mode & stat.S_IROTH else model.st_mode & 0o060
    return (model.st_uid, model.st_gid), 0o600 | group
