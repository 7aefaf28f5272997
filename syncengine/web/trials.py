"""Tests of accounts that somebody waits for. Invariant: a mailbox is tried once at a time.

A test takes as long as the servers let it, and each subscriber names his own: none of them takes more than
one of the threads that wait for servers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from syncengine.delivery.steps import Step
from syncengine.engine.engine import Engine
from syncengine.engine.trial import Tried, try_account
from syncengine.errors import SyncError


class Trials:
    """The tests that are going on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._going: set[str] = set()

    def steps(self, engine: Engine, number: str) -> Iterator[Tried]:
        """Yield each step as it is done; what nothing can be tried for is a step that failed."""
        with self._lock:
            going = number in self._going
            self._going.add(number)
        if going:
            yield _failed("this mailbox is being tested already: wait for its end")
            return
        try:
            with engine.index.database.trouble():
                yield from try_account(engine.binding(number), engine.index)
        except SyncError as error:
            yield _failed(str(error))
        finally:
            with self._lock:
                self._going.discard(number)


def _failed(why: str) -> Tried:
    return "syncengine", Step("test", ok=False, detail=why)
