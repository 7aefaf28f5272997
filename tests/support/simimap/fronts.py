"""Ways to a played server: loopback TCP for any client, and a socket without a line for a single thread.

Both carry octets and nothing else. The second makes a whole run repeatable: no thread, no wait, and a
server that stays silent is a timeout at once, for which the virtual clock is moved on.
"""

from __future__ import annotations

import select
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from tests.support.base import HOST
from tests.support.simimap.session import Close, Effect, Send, Wait


class Talks(Protocol):
    """A session of any protocol."""

    closed: bool

    def greet(self) -> list[Effect]:
        """What the server says first."""

    def feed(self, data: bytes) -> list[Effect]:
        """Take octets of the client."""

    def poll(self) -> list[Effect]:
        """What the server pushes now."""

    def end(self) -> None:
        """The connection is over."""


class Listens(Protocol):
    """A server of any protocol."""

    lock: threading.RLock

    def connect(self) -> Talks:
        """Begin a session."""

    def watch(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called after every change."""


@dataclass(eq=False, slots=True)
class _Line:
    """One TCP connection and what still has to happen on it."""

    sock: socket.socket
    session: Talks
    due: deque[Effect] = field(default_factory=deque)
    until: float = 0.0
    output: bytearray = field(default_factory=bytearray)
    closing: bool = False


class TcpFront:
    """Serves a played server on a free loopback port, in one thread; a ``with`` statement ends it."""

    def __init__(self, server: Listens) -> None:
        self.server = server
        self._listener = socket.create_server((HOST, 0))
        self._listener.setblocking(False)
        self.host, self.port = HOST, int(self._listener.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._lines: dict[socket.socket, _Line] = {}
        self._ending = False
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        server.watch(self._wake)
        self._thread = threading.Thread(target=self._run, name="simimap", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all connections and the thread."""
        self._ending = True
        self._wake()
        self._thread.join(10)
        for line in list(self._lines.values()):
            self._drop(line)
        for sock in (self._listener, self._wake_in, self._wake_out):
            sock.close()
        self._selector.close()

    def _wake(self) -> None:
        with suppress(OSError):
            self._wake_out.send(b"!")

    def _run(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake_in:
                    with suppress(OSError):
                        self._wake_in.recv(4096)
                else:
                    self._readable(self._lines[key.fileobj])  # type: ignore[index]
            for line in list(self._lines.values()):
                with self.server.lock:
                    line.due += line.session.poll()
                    if line.session.closed and not line.due:
                        line.closing = True
                self._work(line)

    def _patience(self) -> float | None:
        waits = [line.until for line in self._lines.values() if line.due]
        return max(0.0, min(waits) - time.monotonic()) if waits else None

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = _Line(sock, self.server.connect())
        self._lines[sock] = line
        self._selector.register(sock, selectors.EVENT_READ)
        with self.server.lock:
            line.due += line.session.greet()

    def _readable(self, line: _Line) -> None:
        try:
            data = line.sock.recv(1 << 18)
            # A client that writes in pieces would wait 40 ms for each delayed acknowledgement.
            line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            with self.server.lock:
                line.session.end()
            self._drop(line)
            return
        with self.server.lock:
            line.due += line.session.feed(data)

    def _work(self, line: _Line) -> None:
        """Carry out what is due, up to the next wait."""
        now = time.monotonic()
        while line.due and now >= line.until:
            match line.due.popleft():
                case Send(data):
                    line.output += data
                case Wait(seconds):
                    line.until = now + seconds
                case Close():
                    line.closing = True
        if line.sock in self._lines:
            self._flush(line)

    def _flush(self, line: _Line) -> None:
        try:
            while line.output:
                del line.output[: line.sock.send(line.output)]
        except BlockingIOError:
            self._selector.modify(line.sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            return
        except OSError:
            line.closing = True
        if line.closing:
            self._drop(line)
        else:
            self._selector.modify(line.sock, selectors.EVENT_READ)

    def _drop(self, line: _Line) -> None:
        if self._lines.pop(line.sock, None):
            self._selector.unregister(line.sock)
            line.sock.close()


class SimSocket:
    """A client's end of a connection to a played server, in the client's own thread."""

    def __init__(
        self, server: Listens, *, timeout: float | None, pause: Callable[[float], None] | None
    ) -> None:
        self._server = server
        self._session = server.connect()
        self._timeout = timeout
        self._late = False
        self._pause = pause or (lambda seconds: None)
        self._input = bytearray()
        self._over = False
        self._poll: tuple[socket.socket, socket.socket] | None = None
        self._take(self._session.greet)

    def sendall(self, data: bytes) -> None:
        """Let the server work on octets at once."""
        if self._over or self._session.closed:
            raise BrokenPipeError("the played server closed the connection")
        self._take(lambda: self._session.feed(bytes(data)))

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What the server said; silence is a timeout after as much virtual time."""
        self._take(self._session.poll)
        if self._late or not self._input:
            self._late = False
            if self._over or self._session.closed:
                return b""
            if self._timeout == 0:
                raise BlockingIOError("nothing said")
            self._pause(self._timeout or 0.0)
            raise TimeoutError("the played server is silent")
        data = bytes(self._input[:size])
        if not flags & socket.MSG_PEEK:
            del self._input[:size]
        return data

    def settimeout(self, timeout: float | None) -> None:
        """Seconds to wait, virtually."""
        self._timeout = timeout

    def setsockopt(self, *_: Any) -> None:
        """There is no line to set options of."""

    def shutdown(self, _: int) -> None:
        """End the connection."""
        self.close()

    def close(self) -> None:
        """End the connection."""
        if not self._over:
            self._over = True
            self._session.end()
        for end in self._poll or ():
            end.close()
        self._poll = None

    def fileno(self) -> int:
        """Something to select on: readable when the server has said something."""
        if self._poll is None:
            self._poll = socket.socketpair()
        ours, theirs = self._poll
        self._take(self._session.poll)
        told = bool(select.select([ours], [], [], 0)[0])
        if (self._input or self._session.closed) and not told:
            theirs.send(b"!")
        elif told and not self._input and not self._session.closed:
            ours.recv(1)
        return ours.fileno()

    def makefile(self, mode: str = "r", *_: Any, **__: Any) -> _Reader:
        """A reader of lines, for smtplib and imaplib."""
        return _Reader(self)

    def _take(self, act: Callable[[], list[Effect]]) -> None:
        with self._server.lock:
            effects = act()
        for effect in effects:
            match effect:
                case Send(data):
                    self._input += data
                case Wait(seconds) if self._timeout is not None and seconds > self._timeout:
                    self._late = True
                case Wait(seconds):
                    self._pause(seconds)
                case Close():
                    self._session.closed = True


class _Reader:
    """The reading half of a :class:`SimSocket` as a file."""

    def __init__(self, sock: SimSocket) -> None:
        self._sock = sock
        self._buffer = bytearray()

    def readline(self, limit: int = -1) -> bytes:
        """One line, or what is left of one at the end."""
        while b"\n" not in self._buffer and not 0 <= limit <= len(self._buffer):
            data = self._sock.recv(65_536)
            if not data:
                break
            self._buffer += data
        end = self._buffer.find(b"\n") + 1 or len(self._buffer)
        return self._cut(min(end, limit) if limit >= 0 else end)

    def read(self, size: int) -> bytes:
        """Exactly ``size`` octets, or what is left at the end."""
        while len(self._buffer) < size:
            data = self._sock.recv(65_536)
            if not data:
                break
            self._buffer += data
        return self._cut(size)

    def close(self) -> None:
        """Nothing to free."""

    def _cut(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


@contextmanager
def reachable(
    servers: dict[tuple[str, int], Listens], *, pause: Callable[[float], None] | None = None
) -> Iterator[None]:
    """Let ``socket.create_connection`` find played servers at these (host, port), as long as the block lasts.

    ``pause`` is called with the seconds of waits and timeouts: a virtual clock's ``advance``.
    """
    real = socket.create_connection

    def create(address: tuple[str, int], timeout: Any = None, *args: Any, **kwargs: Any) -> Any:
        server = servers.get((str(address[0]), int(address[1])))
        if server is None:
            return real(address, timeout, *args, **kwargs)
        patience = timeout if isinstance(timeout, int | float) else None
        return SimSocket(server, timeout=patience, pause=pause)

    socket.create_connection = create  # type: ignore[assignment]
    try:
        yield
    finally:
        socket.create_connection = real
