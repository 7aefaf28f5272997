"""What breaks beside the wire: commits of the index, and everything that is done to files."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from syncengine.index.database import Database

Strike = Callable[[str, Exception | None], None]
"""Is asked where something may break, with the error that could come of it; raises, or lets it pass."""
FILES = ("open", "fsync", "replace", "unlink")


@contextmanager
def breakable(strike: Strike) -> Iterator[None]:
    """While this lasts, commits and file operations may fail, or be the last thing that happens."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Database, "write", _commits(strike)))
        for name in FILES:
            stack.enter_context(mock.patch.object(os, name, _around(strike, name, getattr(os, name))))
        yield


def _commits(strike: Strike) -> Callable[[Database], object]:
    """``Database.write`` that asks before a commit, when it can still fail, and after."""
    real = Database.write

    @contextmanager
    def write(database: Database) -> Iterator[None]:
        outer = not database.execute("SELECT 1").connection.in_transaction
        with real(database):
            yield
            if outer:
                strike("before commit", sqlite3.OperationalError("disk I/O error"))
        if outer:
            strike("after commit", None)

    return write


def _around(strike: Strike, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """A file operation that asks before it, when it can still fail, and after."""
    number = errno.EMFILE if name == "open" else errno.ENOSPC

    def call(*arguments: Any, **how: Any) -> Any:
        strike(f"before {name}", OSError(number, os.strerror(number)))
        result = real(*arguments, **how)
        if name == "open":
            return result
        strike(f"after {name}", None)
        return result

    return call
