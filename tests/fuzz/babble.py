"""Servers that answer with whatever octets they were given, so that whole sessions can be fuzzed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.simimap import reachable
from tests.support.simimap.session import Close, Effect, Send

CUT = b"\0\0"
"""Between two answers."""
TAG = b"%T"
"""Stands for the tag of the line that is answered."""
PATIENCE = 20
"""How often it is looked whether something came."""


class Babbler:
    """Says the next piece of its octets whenever it is spoken to; then it hangs up."""

    def __init__(self, octets: bytes) -> None:
        self.lock = threading.RLock()
        self._octets = octets

    def connect(self) -> Babble:
        """Begin a session: every connection hears the same."""
        return Babble(self._octets)

    def watch(self, wake: Callable[[], None]) -> None:
        """Nothing is pushed."""


class Babble:
    """One session."""

    def __init__(self, octets: bytes) -> None:
        self.closed = False
        self._pieces = octets.split(CUT)
        self._waits = 0

    def greet(self) -> list[Effect]:
        """The first piece."""
        return self._next(b"")

    def feed(self, data: bytes) -> list[Effect]:
        """The next one."""
        self._waits = 0
        tags = re.findall(rb"(?m)^([A-Za-z0-9]+) ", data)
        return [effect for tag in tags or [b""] for effect in self._next(tag)]

    def poll(self) -> list[Effect]:
        """Nothing by itself; whoever waits for more than was said waits for nothing."""
        self._waits += 1
        return [Close()] if self._waits > PATIENCE else []

    def end(self) -> None:
        """The connection is over."""
        self.closed = True

    def _next(self, tag: bytes) -> list[Effect]:
        if not self._pieces:
            return [Close()]
        return [Send(self._pieces.pop(0).replace(TAG, tag))]


@contextmanager
def babbling(octets: bytes) -> Iterator[tuple[str, int]]:
    """A server that says ``octets``; its host and port. Silence costs no time."""
    at = ("127.0.0.1", 10999)
    with reachable({at: Babbler(octets)}):
        yield at
