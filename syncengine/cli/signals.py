"""Signals as things that are waited for, so that what they end is ended in order, in one place."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

ENDING = (signal.SIGTERM, signal.SIGINT)
"""What ends whatever runs until it is told to."""

Received = SimpleQueue[int]


@contextmanager
def signals(*wanted: signal.Signals) -> Iterator[Received]:
    """Signals as they come in, in place of what they did before."""
    received: Received = SimpleQueue()
    before = {number: signal.signal(number, lambda got, _: received.put(got)) for number in wanted}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
