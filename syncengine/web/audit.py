"""The record of who changed what: a file of JSON lines in the state directory, the newest last.

Invariant: no password or other secret gets into it, a line is whole or not there, and the files together
stay small.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncengine.options.atomic import give_to_owner_of

_log = logging.getLogger(__name__)

FILE = "web-audit.jsonl"
_MOST_BYTES = 1 << 20
_OLDER = 4
"""Older files that are kept, each as long."""
_MOST_LINE = 8192


class Audit:
    """Writes down what was changed, from several threads and processes at once."""

    def __init__(self, state_dir: Path) -> None:
        self.file = state_dir / FILE

    def write(self, user: str, act: str, **more: object) -> None:
        """Write one line; where that cannot be, the log says so and the change stands."""
        about = {"time": datetime.now(UTC).isoformat(), "user": user[:200], "act": act}
        line = json.dumps(about | more)
        if len(line) > _MOST_LINE:
            cut = {name: str(value)[:200] for name, value in more.items()}
            line = json.dumps(about | cut | {"changes": "too long to be written down"})
        try:
            self._append(f"{line}\n".encode())
        except OSError as error:
            _log.error("%s: cannot be written: %s", self.file, error.strerror)

    def newest(self) -> Iterator[Mapping[str, Any]]:
        """Yield what was written, the newest first; lines that are damaged are left out."""
        for file in (self.file, *map(self._older, range(1, _OLDER + 1))):
            try:
                lines = file.read_bytes().splitlines()
            except OSError:
                continue
            for line in reversed(lines):
                try:
                    found = json.loads(line)
                except ValueError:
                    continue
                if isinstance(found, dict):
                    yield found

    def _append(self, line: bytes) -> None:
        while True:
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not self._moved(descriptor):
                    if not os.fstat(descriptor).st_size:
                        give_to_owner_of(self.file.parent, self.file)
                    os.write(descriptor, line)
                    return
            finally:
                os.close(descriptor)

    def _moved(self, descriptor: int) -> bool:
        """Make room if the file is full; whether it is not the one to write into any more."""
        here = os.fstat(descriptor)
        try:
            there = self.file.stat()
        except FileNotFoundError:
            return True
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            return True
        if here.st_size < _MOST_BYTES:
            return False
        for number in range(_OLDER, 0, -1):
            source = self._older(number - 1) if number > 1 else self.file
            if source.exists():
                source.replace(self._older(number))
        return True

    def _older(self, number: int) -> Path:
        return self.file.with_name(f"{FILE}.{number}")
