"""A TCP proxy between the engine and a server: it counts, and it breaks things on purpose.

What it breaks is asked for by name (``cut``, ``stall``, ``answer``, ``rewrite``, ``delay``, ``trickle``);
without being asked it changes no byte and no order. One event loop in one thread serves all connections.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.support.base import HOST
from tests.support.faults import Counts, Does, Fault, Settings, When
from tests.support.link import CHUNK, Link

T = TypeVar("T")


class Proxy:
    """Listens on ``port`` of loopback and passes on to ``target_host:target_port``, as a context manager.

    With ``tls`` it is a TLS server towards its clients (the server behind it is spoken to in clear), so that
    certificates of every kind can be shown and traffic counted inside TLS. ``transcript`` holds
    (``"C"`` or ``"S"``, bytes) in order when ``keep`` is set. Counting: a trip is one write of a client after
    a write of the server, on the same connection; the greeting is a write.
    """

    def __init__(
        self, target_host: str, target_port: int, *, tls: ssl.SSLContext | None = None, keep: bool = False
    ) -> None:
        self.host = HOST
        self.port = 0
        self.counts = Counts()
        self.transcript: list[tuple[str, bytes]] = []
        self.settings = Settings()
        self.target = (target_host, target_port)
        self.keep = keep
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self.passing = asyncio.Event()
        self.passing.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    def reset_counts(self) -> Counts:
        """Start counting anew; returns what was counted until now."""
        before, self.counts = self.counts, Counts()
        self.transcript.clear()
        return before

    def lines(self, side: str = "C") -> list[bytes]:
        """Return the lines of one side of the transcript, without their ends."""
        return b"".join(data for who, data in self.transcript if who == side).split(b"\r\n")

    def said(self, pattern: bytes) -> int:
        """Return how many lines of the clients match (needs ``keep``)."""
        return sum(1 for line in self.lines("C") if re.search(pattern, line, re.IGNORECASE))

    def cut(self, at: bytes, *, when: When = When.BEFORE, skip: int = 0, times: int = 1) -> Fault:
        """Drop the connection when a client's line matches the regular expression ``at``."""
        return self._fault(at, Does.CUT, when=when, skip=skip, times=times)

    def stall(self, at: bytes, *, when: When = When.BEFORE, skip: int = 0, times: int = 1) -> Fault:
        """Let the connection hang, open and silent, when a client's line matches ``at``."""
        return self._fault(at, Does.STALL, when=when, skip=skip, times=times)

    def answer(self, at: bytes, reply: bytes, *, skip: int = 0, times: int = 1_000_000) -> Fault:
        """Answer a client's line that matches ``at`` instead of the server, which never sees it.

        ``{tag}`` in the reply stands for the line's tag; lines of the reply end with CRLF.
        """
        fault = self._fault(at, Does.ANSWER, when=When.BEFORE, skip=skip, times=times)
        fault.reply = reply
        return fault

    def rewrite(self, pattern: bytes, by: bytes | Callable[[re.Match[bytes]], bytes]) -> None:
        """Change every line of the server as ``re.sub`` does; a line that becomes empty is dropped."""
        self.settings.rewrites.append((re.compile(pattern, re.IGNORECASE), by))

    def cut_after(self, *, server: int | None = None, client: int | None = None) -> None:
        """Drop every connection when it has passed that many bytes of the server, or of the client."""
        self.settings.cut_server_after, self.settings.cut_client_after = server, client

    def delay(self, seconds: float) -> None:
        """Let everything arrive that much later, each way, whatever the amount."""
        self.settings.delay = seconds

    def trickle(self) -> None:
        """Hand on the server's bytes one by one, each as its own packet."""
        self.settings.trickle = True

    def refuse(self) -> None:
        """Close new connections at once, until ``heal``."""
        self.settings.refusing = True

    def hold(self) -> None:
        """Hold back everything on every connection, until ``release``: a network that went silent."""
        self._loop.call_soon_threadsafe(self.passing.clear)

    def release(self) -> None:
        """Let pass what was held back."""
        self._loop.call_soon_threadsafe(self.passing.set)

    def heal(self) -> None:
        """Forget every fault; connections that stall already stay as they are."""
        self.settings = Settings()
        self.release()

    def drop_all(self) -> None:
        """Cut every open connection now."""
        self._run(self._drop_all())

    def _fault(self, at: bytes, does: Does, *, when: When, skip: int, times: int) -> Fault:
        fault = Fault(re.compile(at, re.IGNORECASE), does, when, skip, times)
        self.settings.faults.append(fault)
        return fault

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, HOST, 0, ssl=self._tls, limit=CHUNK, backlog=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.settings.refusing:
            writer.close()
            return
        self.counts.connections += 1
        link = Link(self, reader, writer)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    async def _drop_all(self) -> None:
        for link in list(self._links):
            link.drop()
        while self._links:
            await asyncio.sleep(0.001)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._drop_all()
        await asyncio.sleep(0)
