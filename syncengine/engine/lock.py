"""One pass per mailbox at a time, across threads and processes.

Whoever finds the mailbox taken leaves a durable dirty mark and goes; the holder runs again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncengine.errors import Busy


@contextmanager
def mailbox_lock(state_dir: Path, mailbox: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a mailbox; raises ``Busy`` at once if another thread or process does, or waits for that.

    flock belongs to the open file, so two threads of one process exclude each other too, and the
    kernel lets go of it whatever way a process ends.
    """
    folder = state_dir / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / f"{mailbox}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Busy(f"mailbox {mailbox}: another pass is under way; it will look again") from None
        yield
    finally:
        os.close(descriptor)
