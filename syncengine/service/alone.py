"""One service per state directory; one-shot commands beside it are welcome."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from syncengine.errors import Busy

FILE = "service.lock"


def alone(state_dir: Path) -> int:
    """The descriptor that keeps others away until it is closed; raises ``Busy`` if somebody has it.

    The kernel lets go of it whatever way the process ends; the file tells who it was.
    """
    path = state_dir / FILE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        who = f" (process {holder})" if holder.isdigit() else ""
        raise Busy(
            f"{state_dir}: another service{who} runs over this state directory; one is enough"
        ) from None
    os.truncate(descriptor, 0)
    os.write(descriptor, b"%d\n" % os.getpid())
    return descriptor
