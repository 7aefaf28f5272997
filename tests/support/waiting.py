"""Waiting for a condition instead of sleeping: a test says what it waits for and how long at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    condition: Callable[[], T | None], *, timeout: float = 60.0, every: float = 0.02, what: str = ""
) -> T:
    """Call ``condition`` until its value is true and return that value.

    An ``AssertionError`` raised by the condition counts as "not yet"; after ``timeout`` seconds the
    last one is raised, or one that names ``what`` was waited for.
    """
    end = time.monotonic() + timeout
    while True:
        failed: AssertionError | None = None
        try:
            value = condition()
        except AssertionError as error:
            failed = error
        else:
            if value:
                return value
        if time.monotonic() >= end:
            raise failed or AssertionError(f"{what or 'the condition'} did not come true in {timeout:g} s")
        time.sleep(every)
