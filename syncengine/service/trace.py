"""The trace file (manual page 7: MaxTraceFileSize, TraceLevelOverride): log records and lines of servers.

Bounded: two files of ``max_trace_file_size``. Secrets never come here: the lines of a login are
replaced before they are handed over.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from syncengine.imap.channel import Trace
from syncengine.options.schema import System

FILE = "trace.log"
_LONGEST = 2000


class _File(RotatingFileHandler):
    """Readable by nobody else; a full disk costs the trace and nothing else."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "a", encoding=self.encoding, errors=self.errors)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        """Say nothing: where the trace cannot be written, the index cannot either, and that is said."""


class TraceFile(logging.Handler):
    """Takes what loggers say and, where wanted, every line that goes over a mailbox's connection.

    ``system`` gives the options in force; ``numbers`` are mailboxes that are traced on demand.
    """

    def __init__(self, path: Path, system: Callable[[], System], numbers: Collection[str] = ()) -> None:
        super().__init__()
        self._system = system
        self._numbers = frozenset(numbers)
        self._file = _File(path, backupCount=1, encoding="utf-8", delay=True, errors="replace")
        self._file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record of a logger: what is worth knowing, and everything with trace_level_override."""
        if record.levelno >= logging.INFO or self._system().trace_level_override:
            self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        """The size in force now decides when the file is turned over."""
        self._file.maxBytes = self._system().max_trace_file_size
        self._file.handle(record)

    def of(self, number: str) -> Trace | None:
        """Where the lines of a mailbox go; None where they are not wanted."""
        if number not in self._numbers and not self._system().trace_level_override:
            return None

        def trace(who: str, line: bytes) -> None:
            text = line[:_LONGEST].decode("utf-8", "backslashreplace").rstrip("\r\n")
            safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
            more = f" ... {len(line)} octets" if len(line) > _LONGEST else ""
            name = f"mailbox {number}"
            self._write(logging.LogRecord(name, logging.DEBUG, "", 0, f"{who}: {safe}{more}", None, None))

        return trace

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
