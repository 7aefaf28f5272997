"""One connection through the proxy: two directions, each read, looked at, and delivered in order.

Without a fault that looks at lines, bytes are handed on as they come; with one, whole lines are.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.support.faults import Does, Fault, When
from tests.support.lines import LineSplitter, Piece

if TYPE_CHECKING:
    from tests.support.proxy import Proxy

CHUNK = 1 << 16


class Cut(Exception):
    """This connection is to be dropped once what was passed before has been delivered."""


class Way:
    """One direction: what was read waits in a queue until it is due at the other end."""

    def __init__(
        self,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        trickles: bool = False,
    ) -> None:
        self.splitter = LineSplitter()
        self.passed = 0
        self._link = link
        self._reader = reader
        self._writer = writer
        self._trickles = trickles
        self._queue: deque[tuple[float, bytes]] = deque()
        self._more = asyncio.Event()
        self._ended = False
        self._ahead = 0

    async def read(self) -> bytes:
        """Return the next bytes; an ended or broken connection gives none."""
        try:
            return await self._reader.read(CHUNK)
        except OSError:
            return b""

    def pieces(self, data: bytes, *, whole_lines: bool) -> list[Piece]:
        """Cut ``data`` for passing on: into whole lines and literals, or not at all."""
        if not whole_lines:
            held = self.splitter.partial[self._ahead :]
            self.splitter.skip(data)
            self._ahead = len(self.splitter.partial)
            return [Piece(held + data, is_line=False)]
        found = list(self.splitter.feed(data))
        if found and self._ahead:
            found[0] = Piece(found[0].data[self._ahead :], found[0].is_line)
            self._ahead = 0
        return found

    def put(self, data: bytes, *, at_most: int | None = None) -> None:
        """Pass bytes on; beyond ``at_most`` of the whole connection nothing passes, and it is cut."""
        room = len(data) if at_most is None else max(0, at_most - self.passed)
        self.passed += len(data[:room])
        due = asyncio.get_running_loop().time() + self._link.proxy.settings.delay
        if data[:room]:
            self._queue.append((due, data[:room]))
            self._more.set()
        if room < len(data):
            raise Cut

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._more.set()

    async def deliver(self) -> None:
        """Write what is due, in order, until the end."""
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while self._queue or not self._ended:
                if not self._queue:
                    self._more.clear()
                    await self._more.wait()
                    continue
                if self._queue[0][0] > loop.time():
                    await asyncio.sleep(self._queue[0][0] - loop.time())
                await self._link.proxy.passing.wait()
                await self._write(self._due(loop.time()))

    def _due(self, now: float) -> bytes:
        """Take what is due now, at least one piece, together."""
        parts = [self._queue.popleft()[1]]
        while self._queue and self._queue[0][0] <= now:
            parts.append(self._queue.popleft()[1])
        return b"".join(parts)

    async def _write(self, data: bytes) -> None:
        step = 1 if self._trickles and self._link.proxy.settings.trickle else len(data)
        for start in range(0, len(data), step):
            self._writer.write(data[start : start + step])
            await self._writer.drain()
            if step < len(data):
                await asyncio.sleep(0)


class Link:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self._server_spoke = False
        self._silent = False
        self._swallowing = False
        self._pending: tuple[Fault, bytes] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Pass on until one side ends."""
        try:
            reader, writer = await asyncio.open_connection(*self.proxy.target, limit=CHUNK)
        except OSError:
            self._writers[0].close()
            return
        self._writers.append(writer)
        self._out = Way(self, self._reader, writer)
        self._in = Way(self, reader, self._writers[0], trickles=True)
        reading = [asyncio.ensure_future(work) for work in (self._from_client(), self._from_server())]
        delivering = [asyncio.ensure_future(way.deliver()) for way in (self._out, self._in)]
        self._tasks = reading + delivering
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in reading:
                task.cancel()
            self._out.end()
            self._in.end()
            await asyncio.wait(delivering, timeout=5)
            _report(self._tasks)
        finally:
            await self._close()

    def drop(self) -> None:
        """End the connection now."""
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 5)

    async def _from_client(self) -> None:
        with suppress(Cut):
            while data := await self._out.read():
                self._note("C", data)
                if self._silent:
                    continue
                faults = self.proxy.settings.faults
                for piece in self._out.pieces(data, whole_lines=bool(faults) or self._swallowing):
                    self._client_piece(piece, faults)

    async def _from_server(self) -> None:
        with suppress(Cut):
            while data := await self._in.read():
                self._note("S", data)
                if self._silent:
                    continue
                if self._pending and self._pending[0].when is When.FORWARDED:
                    self._strike(self._pending[0])
                    continue
                whole = bool(self.proxy.settings.rewrites) or self._pending is not None
                for piece in self._in.pieces(data, whole_lines=whole):
                    self._server_piece(piece)

    def _client_piece(self, piece: Piece, faults: list[Fault]) -> None:
        if self._silent:
            return
        if self._swallowing:
            self._swallowing = not piece.is_line or piece.announces is not None
            return
        fault = next((fault for fault in faults if piece.is_line and fault.strikes(piece.data)), None)
        if fault is None:
            self._out.put(piece.data, at_most=self.proxy.settings.cut_client_after)
        elif fault.does is Does.ANSWER:
            self._answer(fault, piece)
        elif fault.when is When.BEFORE:
            self._strike(fault)
        else:
            self._pending = (fault, piece.tag)
            self._out.put(piece.data)

    def _server_piece(self, piece: Piece) -> None:
        if self._silent:
            return
        if self._pending and piece.is_line and piece.data.startswith(self._pending[1] + b" "):
            self.proxy.settings.lost.append(piece.data)
            self._strike(self._pending[0])
            return
        waiting = self._out.splitter.waiting
        if waiting and re.search(rb"(?:\A|\r\n)%s (?:NO|BAD)" % re.escape(waiting), piece.data):
            self._out.splitter.give_up_literal()
        data = piece.data
        if piece.is_line:
            for pattern, by in self.proxy.settings.rewrites:
                data = pattern.sub(by, data)
        self._in.put(data, at_most=self.proxy.settings.cut_server_after)

    def _answer(self, fault: Fault, piece: Piece) -> None:
        announced = piece.announces
        if announced and announced[1]:
            self._swallowing = True
        elif announced:
            self._out.splitter.give_up_literal()
        self._in.put(fault.reply.replace(b"{tag}", piece.tag))

    def _strike(self, fault: Fault) -> None:
        self._pending = None
        if fault.does is Does.CUT:
            raise Cut
        self._silent = True

    def _note(self, who: str, data: bytes) -> None:
        proxy, counts = self.proxy, self.proxy.counts
        if proxy.keep:
            proxy.transcript.append((who, data))
        if who == "S":
            counts.bytes_in += len(data)
            self._server_spoke = True
            return
        counts.bytes_out += len(data)
        counts.trips += self._server_spoke
        self._server_spoke = False


def _report(tasks: list[asyncio.Task[None]]) -> None:
    """Raise what went wrong in the proxy itself."""
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()):
            raise error
