"""A wall clock that jumps moves deadlines with it; it never makes one pass."""

from __future__ import annotations

import time
from collections.abc import Callable

_JUMP_SECONDS = 60.0


class Clock:
    """Wall time, watched against the monotonic clock and against the last time the index has seen."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._drift = wall() - steady()

    def __call__(self) -> float:
        """Seconds since the epoch, as the wall says."""
        return self._wall()

    def jumped(self, last_seen: float | None) -> float:
        """Seconds that the wall clock jumped since this was asked last; 0.0 if it did not.

        ``last_seen``: the latest time the index has recorded; a wall behind it was set back while no
        process was there to see it.
        """
        drift = self._wall() - self._steady()
        jump = drift - self._drift
        self._drift = drift
        if abs(jump) >= _JUMP_SECONDS:
            return jump
        if last_seen is not None and last_seen - self._wall() >= _JUMP_SECONDS:
            return self._wall() - last_seen
        return 0.0
