"""Open pages are told when what they show has changed (server-sent events), so that they ask for it anew.

Invariant: a stream carries no contents, and what is asked for anew passes the gate like everything else.
There are at most ``MOST`` streams, ``MOST_OF_ONE`` of one visitor; each ends after a while, with its
visitor, and with the pages.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from syncengine.engine.engine import Engine

MOST = 32
MOST_OF_ONE = 8
LOOKS = 1.0
"""Seconds between two looks at the index."""
LASTS = 300.0
"""Seconds until a stream ends and its page opens another: whoever may not look any more is refused then."""
_AT_ONCE = 4
"""So many streams are told as often as they may be."""
_QUIET = 15.0
"""Seconds of silence after which something is sent, for proxies and for peers that are gone."""


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="syncengine-web-live")


@dataclass(slots=True)
class Live:
    """Who is told, and the one thread that looks for changes while anybody is."""

    engine: Engine
    _watch: ThreadPoolExecutor = field(default_factory=_thread)
    _streams: Counter[str] = field(default_factory=Counter)
    _loop: asyncio.AbstractEventLoop | None = None
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _settings: object = None
    _adopted: int = 0
    _since: str = field(default_factory=lambda: secrets.token_hex(4))
    """A mark of before a restart is none of now."""

    @property
    def streams(self) -> int:
        """How many are told at present."""
        return self._streams.total()

    def mark(self) -> str:
        """What changes with every commit to the index and with the options; take it before you look."""
        return self._watch.submit(self._look).result()

    async def look(self) -> str:
        """The same for who must not wait."""
        return await asyncio.wrap_future(self._watch.submit(self._look))

    def _look(self) -> str:
        # Always in the same thread: the number belongs to its connection.
        with self.engine.index.database.trouble():
            version = self.engine.index.database.data_version
        if self._settings is not self.engine.settings:
            self._settings = self.engine.settings
            self._adopted += 1
        return f"{self._since}-{version}-{self._adopted}"

    def enter(self, visitor: str) -> bool:
        """Count a stream in; False where there are too many."""
        self._loop = asyncio.get_running_loop()
        if self.over or self.streams >= MOST or self._streams[visitor] >= MOST_OF_ONE:
            return False
        self._streams[visitor] += 1
        return True

    def leave(self, visitor: str) -> None:
        """Count a stream out."""
        self._streams[visitor] -= 1
        if not self._streams[visitor]:
            del self._streams[visitor]

    @property
    def over(self) -> bool:
        """Whether streams must end."""
        return self._over.is_set()

    async def pause(self, seconds: float) -> None:
        """Wait, but not for those who must end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    def end_streams(self) -> None:
        """Let every stream end now, and no other begin; from another thread than theirs."""
        if self._loop is None:
            self._over.set()
        else:
            with suppress(RuntimeError):  # the loop is closed, and all streams with it
                self._loop.call_soon_threadsafe(self._over.set)

    def close(self) -> None:
        """End the thread."""
        self._watch.shutdown()


Shown = Callable[[Request, str], Awaitable[str]]
"""Returns in one word what a page shows now, by its request and the index's mark."""


class Stream(StreamingResponse):
    """One page's stream; counted as long as it lasts, however it ends."""

    def __init__(self, live: Live, visitor: str, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._live = live
        self._visitor = visitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell until it ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._live.leave(self._visitor)


async def stream(live: Live, request: Request, visitor: str, shown: Shown, *, every: float) -> Response:
    """Return the stream of a page, which tells at most once in ``every`` seconds that it changed."""
    await shown(request, await live.look())  # raises what the page itself would show
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    if not live.enter(visitor):
        return PlainTextResponse("Too many pages are open.\n", 503, {"Retry-After": "60"})
    return Stream(live, visitor, _events(live, request, shown, every))


async def _events(live: Live, request: Request, shown: Shown, every: float) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    until = clock() + LASTS
    spoke = clock()
    before, seen = request.query_params.get("mark", ""), ""
    yield "retry: 2000\n\n"
    while not live.over and clock() < until and not await request.is_disconnected():
        mark = await live.look()
        wait = LOOKS
        if mark != seen:
            seen, now = mark, await shown(request, mark)
            if now != before:
                # Each asks for a page: the more are told, the less often each.
                before, spoke, wait = now, clock(), every * max(1.0, live.streams / _AT_ONCE)
                yield "event: changed\ndata: now\n\n"
        if clock() - spoke > _QUIET:
            spoke = clock()
            yield ": still here\n\n"
        await live.pause(wait)
    yield "event: over\ndata: now\n\n"
