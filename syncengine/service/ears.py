"""One thread that watches all idle connections at once, and knows when each has to be renewed.

It never reads: what a socket has to say, its owner reads in a thread of its own, so that no server
keeps this one waiting. A connection is watched until it makes itself heard, once.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from syncengine.service.agenda import Agenda


class Ears:
    """Watches sockets by their mailbox's number; ``heard`` and ``renew`` are called in its thread."""

    def __init__(self, heard: Callable[[str], None], renew: Callable[[str], None]) -> None:
        self._heard = heard
        self._renew = renew
        self._files: dict[str, int] = {}
        self._renewals: Agenda[str] = Agenda()
        self._lock = threading.Lock()
        self._stopping = False
        self._waiting_until: float | None = None
        self._thread = threading.Thread(target=self._listen, name="syncengine-ears", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_writer.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, None)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the sockets are their owners'."""
        self._stopping = True
        self._wake()
        self._thread.join()
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def __len__(self) -> int:
        return len(self._files)

    def add(self, number: str, file: int, *, renew_after: float | None) -> None:
        """Watch a socket until it is heard, renewed, or forgotten; ``renew_after`` in seconds."""
        with self._lock:
            if self._stopping:
                return
            self._forget(number)
            self._files[number] = file
            self._selector.register(file, selectors.EVENT_READ, number)
            if renew_after is None:
                return
            when = time.monotonic() + renew_after
            self._renewals.put(number, when)
            earlier = self._waiting_until is None or when < self._waiting_until
        if earlier:
            self._wake()

    def hear(self, number: str) -> None:
        """Say for a socket what the selector cannot see: something was read ahead, by TLS for example."""
        self._heard(number)

    def forget(self, number: str) -> None:
        """Watch no more; to be called before the socket is used or closed."""
        with self._lock:
            self._forget(number)

    def _forget(self, number: str) -> bool:
        file = self._files.pop(number, None)
        self._renewals.drop(number)
        if file is None or self._stopping:
            return False
        self._selector.unregister(file)
        return True

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it is being woken already
            self._wake_writer.send(b".")

    def _listen(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(self._patience()):
                if key.data is None:
                    self._wake_reader.recv(4096)
                elif self._take(key.data, key.fd):
                    self._heard(key.data)
            for number in self._overdue():
                self._renew(number)

    def _take(self, number: str, file: int) -> bool:
        with self._lock:
            return self._files.get(number) == file and self._forget(number)

    def _patience(self) -> float | None:
        with self._lock:
            first = self._renewals.first()
            self._waiting_until = first[0] if first else None
        return None if first is None else max(0.0, first[0] - time.monotonic())

    def _overdue(self) -> list[str]:
        found = []
        with self._lock:
            while (first := self._renewals.first()) is not None and first[0] <= time.monotonic():
                self._forget(first[1])
                found.append(first[1])
        return found
