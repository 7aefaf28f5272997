"""Opens the index: one SQLite file, one writer at a time, migrated by numbered SQL files.

Every write happens inside :meth:`Database.write`, which takes the write lock at its beginning
(BEGIN IMMEDIATE), because a deferred transaction that reads and then writes fails at once when
another process committed in between.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncengine.errors import EngineError
from syncengine.index import damage

if TYPE_CHECKING:
    from sqlite_utils import Database as SqliteUtils

Parameters = Sequence[Any] | dict[str, Any]

FILE = "index.sqlite3"
_BUSY_SECONDS = 30.0
_SET = "syncengine"
_TOGETHER = 20


class Database:
    """The index file, opened once per thread; ``write`` serialises the writers of this process."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self._local = threading.local()
        self._writer = threading.RLock()
        self._open: list[sqlite3.Connection] = []
        self._release: Callable[[], object] = _nothing_held
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._release = weakref.finalize(self, os.close, _prepare(self.path))
        except (OSError, sqlite3.Error) as error:
            text = f"the index cannot be opened: {error}; is the disk full, or not mounted?"
            raise EngineError(f"{self.path}: {text}") from error

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Run one statement on this thread's connection."""
        return self._connection().execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Run one statement over many rows; the bulk path."""
        self._connection().executemany(sql, rows)

    def insert(self, into: str, rows: Sequence[Sequence[Any]], then: str = "") -> None:
        """Insert ``rows``, twenty in each statement, which takes a quarter less than one by one.

        ``into``: the table and its columns; ``then``: the rest of the statement, such as ON CONFLICT.
        """
        even = len(rows) - len(rows) % _TOGETHER
        for start in (*range(0, even, _TOGETHER), *range(even, len(rows))):
            some = rows[start : start + (_TOGETHER if start < even else 1)]
            values = ", ".join([f"({', '.join('?' * len(some[0]))})"] * len(some))
            self.execute(f"INSERT INTO {into} VALUES {values} {then}", list(chain.from_iterable(some)))

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction; nested uses join it. Rolled back whole when the block raises."""
        with self._writer:
            connection = self._connection()
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

    def failure(self, error: sqlite3.Error) -> EngineError:
        """What SQLite refused, as an error of ours; a damaged file is examined when it is next opened."""
        if not damage.is_damage(error):
            return EngineError(f"{self.path}: the index cannot be used: {error}")
        damage.suspect(self.path)
        return EngineError(
            f"{self.path}: the index is damaged ({error}); at the next start it is set aside and rebuilt"
            " from the mail"
        )

    @contextmanager
    def trouble(self) -> Iterator[None]:
        """Let no error of SQLite's own out of the block, but ``EngineError``."""
        try:
            yield
        except sqlite3.Error as error:
            raise self.failure(error) from error

    def copy(self) -> Database:
        """A copy in memory, for what must not be written anywhere; used by one thread."""
        return _Copy(self)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside :meth:`write`."""
        return self._connection().in_transaction

    @property
    def data_version(self) -> int:
        """A number that changes when another connection has committed (PRAGMA data_version)."""
        return int(self.execute("PRAGMA data_version").fetchone()[0])

    def close_thread(self) -> None:
        """Close this thread's connection: a thread that ends must not leave it open."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            del self._local.connection
            with suppress(ValueError):
                self._open.remove(connection)
            connection.close()

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._release()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self.path)
            self._local.connection = connection
            self._open.append(connection)
        return connection


def _nothing_held() -> None:
    """What a copy in memory keeps others from."""


class _Copy(Database):
    """The index in memory; it goes when it is closed."""

    def __init__(self, original: Database) -> None:
        self.path = original.path
        self._release = _nothing_held
        self._local = threading.local()
        self._writer = threading.RLock()
        raw = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        raw.row_factory = sqlite3.Row
        original._connection().backup(raw)
        raw.execute("PRAGMA foreign_keys = ON")
        self._local.connection = raw
        self._open = [self._local.connection]


def _prepare(path: Path) -> int:
    """Bring the file to its newest form, a damaged one set aside first; sqlite-utils' migrations race."""
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        damage.examine(path)
        path.touch(mode=0o600)
        try:
            _migrate(path)
        except sqlite3.DatabaseError as error:
            if not damage.is_damage(error):
                raise
            damage.set_aside(path)
            path.touch(mode=0o600)
            _migrate(path)
        return damage.hold(path)


def _connect(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None)
    raw.row_factory = sqlite3.Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        raw.execute(f"PRAGMA {pragma}")
    return raw


def _migrate(path: Path) -> None:
    scripts = {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted(resources.files("syncengine.state").iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    }
    connection = _connect(path)
    try:
        applied = _applied(connection)
        if newer := sorted(applied - set(scripts)):
            raise EngineError(
                f"{path}: made by a newer version (has {newer[-1]}); install that version or a newer one"
            )
        if applied != set(scripts):
            _apply(connection, scripts)
    finally:
        connection.close()


def _applied(connection: sqlite3.Connection) -> set[str]:
    """Names of the files applied so far, read where sqlite-utils notes them: importing that is slow."""
    table = "SELECT 1 FROM sqlite_master WHERE name = ?"
    if connection.execute(table, ("_sqlite_migrations",)).fetchone() is None:
        return set()
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (_SET,))
    return {row["name"] for row in rows}


def _apply(connection: sqlite3.Connection, scripts: Mapping[str, str]) -> None:
    from sqlite_utils import Database as SqliteUtils  # noqa: PLC0415 - slow, and only for another version
    from sqlite_utils import Migrations  # noqa: PLC0415

    migrations = Migrations(_SET)
    for name, script in scripts.items():
        migrations(name=name)(_step(script))
    migrations.apply(SqliteUtils(connection))


def _step(script: str) -> Callable[[SqliteUtils], None]:
    def migrate(database: SqliteUtils) -> None:
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                database.execute(statement)
                statement = ""

    return migrate
