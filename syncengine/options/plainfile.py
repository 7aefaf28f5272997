"""Reads a small ordinary file together with its permission bits: what is checked is what is read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read(file: Path, limit: int) -> tuple[bytes, int]:
    """Return at most ``limit`` bytes of ``file`` and its permission bits.

    Raises ``OSError``, also for what is no ordinary file: a pipe or a device could block for ever.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
        content = b""
        while len(content) < limit and (chunk := os.read(descriptor, limit - len(content))):
            content += chunk
    finally:
        os.close(descriptor)
    return content, stat.S_IMODE(mode)
