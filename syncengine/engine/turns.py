"""Turns at the servers that messages are sent to.

Whoever keeps many mailboxes in step at once gives the turns, so that a server that never answers holds up
a few of its own mailboxes, and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from syncengine.engine.binding import Binding


def _nobody_asks() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn at a server, where there is ``room`` for one."""

    room: bool = True
    wait: float = 0.0
    """Seconds until it is asked for again, where there is no room."""
    answered: Callable[[], None] = _nobody_asks
    """To be called when the server has answered."""


Turns = Callable[[Binding], AbstractContextManager[Turn]]
"""Gives a mailbox its turn at the server of its way out, for as long as it sends."""


@contextmanager
def at_once(_: Binding) -> Iterator[Turn]:
    """Everybody's turn is now: for one pass at a time."""
    yield Turn()
