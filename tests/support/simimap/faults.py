"""What may befall a command, as values: a hook is asked before the server acts and before it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TypeAlias


class Phase(StrEnum):
    """Where a command stands."""

    BEFORE = auto()
    """It has come whole; the server has not acted."""
    AFTER = auto()
    """The server has acted; nothing of the answer is sent yet."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One command at one phase. ``serial`` counts the commands of the whole server from 1."""

    serial: int
    session: int
    user: str
    phase: Phase
    name: str
    """The command in upper case, ``UID FETCH`` and the like in two words."""
    line: bytes
    """The command without its tag; literals, passwords included, are left out."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends; ``sent`` octets of the answer still get through (AFTER only)."""

    sent: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer ever comes, the connection stays. Before: the server has not acted; after: it has."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The command, or its answer, is held up by so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Another tagged answer takes the place of the real one: ``Answer("NO", "[INUSE] later")``."""

    status: str
    text: str


@dataclass(frozen=True, slots=True)
class Bye:
    """The server says goodbye and closes."""

    text: str = "Autologout"


Fault: TypeAlias = Cut | Silence | Delay | Answer | Bye
Hook: TypeAlias = Callable[[Moment], Fault | None]
