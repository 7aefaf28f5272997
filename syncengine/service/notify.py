"""Telling the service manager how it stands (sd_notify(3)): datagrams to the socket that it named."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Says nothing where no manager listens; never raises."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._path = environment.get("NOTIFY_SOCKET", "")
        pid, microseconds = environment.get("WATCHDOG_PID", ""), environment.get("WATCHDOG_USEC", "")
        mine = not pid or pid == str(os.getpid())
        self.interval = int(microseconds) / 2e6 if mine and microseconds.isdigit() else None
        """Seconds between two signs of life that the manager wants; None where it wants none."""

    def say(self, *states: str) -> None:
        """Send states such as ``READY=1``."""
        if not self._path:
            return
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            try:
                line.sendto("\n".join(states).encode(), address)
            except OSError:
                self._path = ""  # the manager is gone; there is nobody to tell
