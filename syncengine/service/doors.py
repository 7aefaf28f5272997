"""How many mailboxes talk to an SMTP server at a time: few to one that does not answer.

What does not get in is neither tried nor failed; it asks again a little later, in its order.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from syncengine.engine.turns import Turn

COME_BACK = 10.0
"""Seconds, or up to half more or less, until somebody who did not get in asks again."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many get in at a time."""

    sound: int = 16
    unproven: int = 4
    """While the server has not answered yet, or did not answer whoever left last."""
    patience: float = 1.0
    """Seconds that somebody waits at the door."""


@dataclass(slots=True)
class _Door:
    inside: int = 0
    proven: bool = False


class Doors:
    """The doors of all servers. ``random`` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float], room: Room | None = None) -> None:
        self._random = random
        self._room = room or Room()
        self._doors: dict[str, _Door] = defaultdict(_Door)
        self._moved = threading.Condition()

    @contextmanager
    def turn(self, server: str) -> Iterator[Turn]:
        """A turn at a server, or one without room after a moment's wait."""
        if not self._enter(server):
            yield Turn(room=False, wait=COME_BACK * (0.5 + self._random()))
            return
        answers: list[str] = []

        def answered() -> None:
            answers.append(server)
            self._note(server, proven=True)

        try:
            yield Turn(answered=answered)
        finally:
            self._note(server, proven=bool(answers), left=1)

    def _enter(self, server: str) -> bool:
        with self._moved:
            door = self._doors[server]
            if not self._moved.wait_for(lambda: self._has_room(door), self._room.patience):
                return False
            door.inside += 1
            return True

    def _has_room(self, door: _Door) -> bool:
        return door.inside < (self._room.sound if door.proven else self._room.unproven)

    def _note(self, server: str, *, proven: bool, left: int = 0) -> None:
        with self._moved:
            door = self._doors[server]
            door.proven = proven
            door.inside -= left
            self._moved.notify_all()
