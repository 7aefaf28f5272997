"""What comes first of many: keys with times, moved and dropped at will. Pure.

Every operation costs O(log n), also with ten thousand keys: a moved key leaves its old place in the
heap behind, and the heap is made anew when more of it is left behind than alive.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Agenda(Generic[K]):
    """Keys by their time; of equal times the one that was put first."""

    def __init__(self) -> None:
        self._places: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._places)

    def put(self, key: K, time: float) -> None:
        """Set the time of a key; one that is there moves, one that keeps its time keeps its turn."""
        old = self._places.get(key)
        if old is not None and old[0] == time:
            return
        self._count += 1
        self._places[key] = (time, self._count)
        heapq.heappush(self._heap, (time, self._count, key))
        if len(self._heap) > 2 * len(self._places) + 64:
            self._heap = [(*place, key) for key, place in self._places.items()]
            heapq.heapify(self._heap)

    def drop(self, key: K) -> None:
        """Forget a key; one that is not there is fine."""
        self._places.pop(key, None)

    def first(self) -> tuple[float, K] | None:
        """The earliest time and its key."""
        while self._heap:
            time, count, key = self._heap[0]
            if self._places.get(key) == (time, count):
                return time, key
            heapq.heappop(self._heap)
        return None
