"""Steps at which a process can be killed: around every statement, commit, send, answer and file operation.

Nothing of the product knows of this. A step is counted in the order in which the process comes to it; at
the chosen one the process sends SIGKILL to itself, so that no ``finally`` and no buffer of it runs or
reaches anything any more.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import sqlite_utils

from syncengine.index.database import Database

_PATIENCE = 5.0
"""Seconds for a server to answer what was sent to it."""
_QUIET = 15
"""Milliseconds without a further byte after which the server has said all it had to say."""
_HALVED = 64
"""What is shorter travels in one packet; what is longer is also left half sent."""
_AHEAD = 48
"""Pages written to the log before sizes are limited: more than the 32 kB of its shared index."""


class Steps:
    """Counts steps, keeps their names, and kills the process at number ``at`` (from 0), if given."""

    def __init__(self, at: int | None = None) -> None:
        self.names: list[str] = []
        self._at = at
        self._asked: set[int] = set()

    def step(self, name: str, before_dying: Callable[[], None] = lambda: None) -> None:
        """Come to a step."""
        if len(self.names) == self._at:
            before_dying()
            die()
        self.names.append(name)

    def arm(self) -> None:
        """Count from now on, in this process, for the rest of its life."""
        self._sockets()
        self._statements()
        self._files()

    def _sockets(self) -> None:
        sendall, receive = socket.socket.sendall, socket.socket.recv

        def sending(sock: socket.socket, data: bytes, *flags: int) -> None:
            self.step("before sending")
            if len(data) > _HALVED:
                self.step("half sent", lambda: sendall(sock, data[: len(data) // 2]))
            sendall(sock, data, *flags)
            self._asked.add(sock.fileno())
            self.step("sent")

        def receiving(sock: socket.socket, size: int, *flags: int) -> bytes:
            """How many packets an answer comes in is chance; only the first look for it is a step."""
            if sock.fileno() in self._asked:
                self._asked.discard(sock.fileno())
                self.step("answered, not read", lambda: _answered(sock))
            return receive(sock, size, *flags)

        setattr(socket.socket, "sendall", sending)  # noqa: B010 - mypy knows them as methods
        setattr(socket.socket, "recv", receiving)  # noqa: B010

    def _statements(self) -> None:
        execute, many, write = Database.execute, Database.executemany, Database.write
        migrate = sqlite_utils.Database.execute

        def executing(database: Database, sql: str, *parameters: Any) -> Any:
            result = execute(database, sql, *parameters)
            if database.in_transaction:
                self.step(f"after {sql.split(maxsplit=1)[0]}")
            return result

        def migrating(database: sqlite_utils.Database, sql: str, *parameters: Any) -> Any:
            result = migrate(database, sql, *parameters)
            if database.conn.in_transaction:
                self.step(f"after {sql.split(maxsplit=1)[0]}")
            return result

        def executing_many(database: Database, *arguments: Any) -> None:
            many(database, *arguments)
            self.step("after a bulk statement")

        @contextmanager
        def writing(database: Database) -> Iterator[None]:
            outermost = not database.in_transaction
            if outermost:
                self.step("before BEGIN")
            with write(database):
                yield
                if outermost:
                    self.step("before COMMIT")
            if outermost:
                self.step("after COMMIT")

        setattr(Database, "execute", executing)  # noqa: B010
        setattr(sqlite_utils.Database, "execute", migrating)  # noqa: B010
        setattr(Database, "executemany", executing_many)  # noqa: B010
        setattr(Database, "write", writing)  # noqa: B010

    def _files(self) -> None:
        for name in ("replace", "fsync", "unlink", "mkdir"):
            setattr(os, name, self._around(name, getattr(os, name)))

    def _around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **how: Any) -> Any:
            self.step(f"before {name}")
            result = real(*arguments, **how)
            self.step(f"after {name}")
            return result

        return call


def die() -> NoReturn:
    """End this process as a power switch would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process runs on")


def lengthen_log(database: Database) -> int:
    """Write so much to the database's log that a limit on it limits nothing else; its size (octets)."""
    connection = database._connection()
    for version in range(_AHEAD):
        connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("PRAGMA user_version = 0")
    return log_size(database)


def log_size(database: Database) -> int:
    """Octets of the write-ahead log."""
    return database.path.with_name(database.path.name + "-wal").stat().st_size


def die_beyond(size: int) -> None:
    """Let the kernel kill this process inside the write that makes a file longer than ``size`` octets.

    What fits is still written, so a page of a commit is torn at any octet. SQLite takes its log back by a
    checkpoint only beyond 1,000 pages; what else a pass writes is shorter than the log is then.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _answered(sock: socket.socket) -> None:
    """Wait until the server has answered, without reading it: it has acted, and we never hear of it."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(_PATIENCE * 1000)
    seen = -1
    while seen < (seen := len(_waiting(sock))):
        select.select([], [], [], _QUIET / 1000)


def _waiting(sock: socket.socket) -> bytes:
    try:
        return _RECV(sock, 1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


_RECV = socket.socket.recv
