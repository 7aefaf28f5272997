"""Threads that do jobs: as few as it takes, more while some of them wait for a silent server.

At most ``size`` jobs run at their pace; one that has run longer than ``patience`` seconds does not
count any more, so that the next can start, up to ``most`` threads in all.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

Job = Callable[[], None]

_LINGER = 10.0
"""Seconds a thread waits for another job before it ends."""


class Pool:
    """Runs jobs in daemon threads. ``on_exit`` is called by each thread before it ends."""

    def __init__(
        self,
        name: str,
        *,
        size: int,
        most: int,
        patience: float = 1.0,
        on_exit: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._size = size
        self._most = most
        self._patience = patience
        self._on_exit = on_exit
        self._jobs: deque[Job] = deque()
        self._running: dict[int, float] = {}
        self._idle: list[threading.Condition] = []
        """One for each thread without a job; the last in is the first out, so that those too many end."""
        self._alive = 0
        self._threads: set[threading.Thread] = set()
        self._closed = False
        self._lock = threading.Lock()

    @property
    def room(self) -> bool:
        """Whether another job would start at once and may."""
        with self._lock:
            waiting = len(self._jobs)
            at_pace = self._at_pace(time.monotonic())
            return at_pace + waiting < self._size and len(self._running) + waiting < self._most

    @property
    def busy(self) -> int:
        """Jobs that run or wait."""
        with self._lock:
            return len(self._running) + len(self._jobs)

    def submit(self, job: Job) -> None:
        """Run ``job`` as soon as a thread is free; after :meth:`close` nothing is taken any more."""
        with self._lock:
            if self._closed:
                return
            self._jobs.append(job)
            if self._idle:
                self._idle.pop().notify()
            elif self._alive < self._most:
                self._alive += 1
                thread = threading.Thread(target=self._work, name=f"syncengine-{self._name}", daemon=True)
                self._threads.add(thread)
                thread.start()

    def close(self, until: float) -> bool:
        """Take nothing more and wait for what runs, to a moment of the monotonic clock; whether all ended."""
        with self._lock:
            self._closed = True
            self._jobs.clear()
            for idle in self._idle:
                idle.notify()
            threads = tuple(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _at_pace(self, now: float) -> int:
        return sum(1 for started in self._running.values() if now - started < self._patience)

    def _work(self) -> None:
        me = threading.get_ident()
        try:
            while (job := self._next(me)) is not None:
                try:
                    job()
                except Exception:  # noqa: BLE001
                    # A job reports its own failures; what comes here is a fault, and no reason to stop.
                    _log.exception("a fault of syncengine in a job of %s", self._name)
        finally:
            self._on_exit()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _next(self, me: int) -> Job | None:
        with self._lock:
            self._running.pop(me, None)
            end = time.monotonic() + _LINGER
            turn = threading.Condition(self._lock)
            while not self._jobs:
                left = end - time.monotonic()
                if self._closed or left <= 0:
                    self._alive -= 1
                    return None
                self._idle.append(turn)
                if not turn.wait(left) and turn in self._idle:
                    self._idle.remove(turn)
            self._running[me] = time.monotonic()
            return self._jobs.popleft()
