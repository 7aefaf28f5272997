"""Where the log goes while a command runs: standard error, one line a record, nothing that was said already.

Only the project's own loggers are shown: what other libraries log of a connection may hold secrets.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from syncengine.cli.output import clean

_SAID = frozenset({"syncengine.engine.runner", "syncengine.engine.observe"})
"""Loggers whose warnings stand in the report of a pass; a command prints that."""


class _Lines(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        return clean(super().formatMessage(record))


def _unsaid(record: logging.LogRecord) -> bool:
    return record.levelno != logging.WARNING or record.name not in _SAID


@contextmanager
def logged(verbose: int, *, quiet: bool) -> Iterator[None]:
    """Log to standard error for the block: warnings, with ``-v`` what happens, with ``-vv`` everything."""
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    logger = logging.getLogger("syncengine")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Lines("%(levelname)s %(name)s: %(message)s" if verbose else "syncengine: %(message)s")
    )
    handler.addFilter(_unsaid)
    before = logger.level
    logger.setLevel(logging.ERROR if quiet else levels[min(verbose, 2)])
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
