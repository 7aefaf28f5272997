"""Where the log goes while the service runs: standard error, as lines for people or as JSON for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from syncengine.cli.output import clean

_LEVELS = (logging.INFO, logging.DEBUG)


class JsonLines(logging.Formatter):
    """A JSON object a record: ``time``, ``level``, ``logger``, ``message``, ``error`` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        known = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            known["error"] = self.formatException(record.exc_info)
        return json.dumps(known)


class TextLines(logging.Formatter):
    """A line for people; nothing from outside can begin another one or steer a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        """Return the line."""
        return clean(super().formatMessage(record))


@contextmanager
def service_log(
    *, as_json: bool, verbose: int, quiet: bool, further: Sequence[logging.Handler] = ()
) -> Iterator[None]:
    """Log the project's own records for the block, in place of what a short command logs."""
    logger = logging.getLogger("syncengine")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines() if as_json else TextLines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    handler.setLevel(logging.WARNING if quiet else _LEVELS[min(verbose, 1)])
    before = logger.handlers[:], logger.level
    logger.handlers[:] = [handler, *further]
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.handlers[:], level = before
        logger.setLevel(level)
