"""Opens the index: one SQLite file, one writer at a time, migrated by numbered SQL files.

Every write happens inside :meth:`Database.write`, which takes the write lock at its beginning
(BEGIN IMMEDIATE), because a deferred transaction that reads and then writes fails at once when
another process committed in between.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

from sqlite_utils import Database as SqliteUtils
from sqlite_utils import Migrations

from syncengine.errors import EngineError

Parameters = Sequence[Any] | dict[str, Any]

FILE = "index.sqlite3"
_BUSY_SECONDS = 30.0


class Database:
    """The index file, opened once per thread; ``write`` serialises the writers of this process."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self._local = threading.local()
        self._writer = threading.RLock()
        self._open: list[SqliteUtils] = []
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600)
            _migrate(self.path)
        except (OSError, sqlite3.Error) as error:
            raise EngineError(f"{self.path}: the index cannot be opened: {error}") from error

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Run one statement on this thread's connection."""
        return self._connection().execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Run one statement over many rows; the bulk path."""
        self._connection().conn.executemany(sql, rows)

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction; nested uses join it. Rolled back whole when the block raises."""
        with self._writer:
            connection = self._connection().conn
            if connection.in_transaction:
                yield
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                connection.rollback()
                raise
            try:
                connection.commit()
            except sqlite3.Error:
                connection.rollback()
                raise

    def copy(self) -> Database:
        """A copy in memory, for what must not be written anywhere; used by one thread."""
        return _Copy(self)

    @property
    def data_version(self) -> int:
        """A number that changes when another connection has committed (PRAGMA data_version)."""
        return int(self.execute("PRAGMA data_version").fetchone()[0])

    def close_thread(self) -> None:
        """Close this thread's connection: a thread that ends must not leave it open."""
        connection: SqliteUtils | None = getattr(self._local, "connection", None)
        if connection is not None:
            del self._local.connection
            with suppress(ValueError):
                self._open.remove(connection)
            connection.conn.close()

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._open:
            connection.conn.close()
        self._open.clear()

    def _connection(self) -> SqliteUtils:
        connection: SqliteUtils | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self.path)
            self._local.connection = connection
            self._open.append(connection)
        return connection


class _Copy(Database):
    """The index in memory; it goes when it is closed."""

    def __init__(self, original: Database) -> None:
        self.path = original.path
        self._local = threading.local()
        self._writer = threading.RLock()
        raw = sqlite3.connect(":memory:", check_same_thread=False)
        raw.row_factory = sqlite3.Row
        original._connection().conn.backup(raw)
        raw.execute("PRAGMA foreign_keys = ON")
        self._local.connection = SqliteUtils(raw)
        self._open = [self._local.connection]


def _connect(path: Path) -> SqliteUtils:
    raw = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
    raw.row_factory = sqlite3.Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        raw.execute(f"PRAGMA {pragma}")
    return SqliteUtils(raw)


def _migrate(path: Path) -> None:
    """Apply the numbered files under a lock: sqlite-utils' migrations race between processes."""
    migrations = Migrations("syncengine")
    names = []
    for file in sorted(resources.files("syncengine.state").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".sql"):
            names.append(file.name)
            migrations(name=file.name)(_step(file.read_text(encoding="utf-8")))
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        database = _connect(path)
        try:
            applied = {m.name for m in migrations.applied(database)}
            if newer := sorted(applied - set(names)):
                raise EngineError(
                    f"{path}: made by a newer version (has {newer[-1]}); install that version or a newer one"
                )
            if applied != set(names):
                migrations.apply(database)
        finally:
            database.conn.close()


def _step(script: str) -> Callable[[SqliteUtils], None]:
    def migrate(database: SqliteUtils) -> None:
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                database.execute(statement)
                statement = ""

    return migrate
