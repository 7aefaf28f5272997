"""What a proxy may be asked to break, as values; ``proxy.py`` and ``link.py`` act on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto


class When(Enum):
    """At which moment a fault strikes, seen from the client's line that calls for it."""

    BEFORE = auto()
    """The line does not reach the server."""
    FORWARDED = auto()
    """The line reaches the server, but nothing that the server says after it passes."""
    ANSWERED = auto()
    """All passes but the tagged answer of that line: the server has done it, the client never hears of it."""


class Does(Enum):
    """What a fault does to its connection."""

    CUT = auto()
    STALL = auto()
    ANSWER = auto()


@dataclass(slots=True)
class Fault:
    """One fault that waits for a client's line; ``fired`` counts how often it struck."""

    pattern: re.Pattern[bytes]
    does: Does
    when: When
    skip: int
    times: int
    reply: bytes = b""
    fired: int = 0

    def strikes(self, line: bytes) -> bool:
        """Whether this line, which is looked at once only, calls the fault."""
        if self.fired >= self.times or not self.pattern.search(line):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.fired += 1
        return True


@dataclass(slots=True)
class Counts:
    """What passed: round trips, and bytes of the server (``bytes_in``) and of the client (``bytes_out``)."""

    connections: int = 0
    trips: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(slots=True)
class Settings:
    """What the proxy is asked to do; may change while connections are open."""

    faults: list[Fault] = field(default_factory=list)
    rewrites: list[tuple[re.Pattern[bytes], bytes | Callable[[re.Match[bytes]], bytes]]] = field(
        default_factory=list
    )
    cut_server_after: int | None = None
    cut_client_after: int | None = None
    delay: float = 0.0
    trickle: bool = False
    refusing: bool = False
    lost: list[bytes] = field(default_factory=list)
