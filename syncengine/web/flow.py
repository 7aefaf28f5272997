"""A page that is shown while it comes about, for what takes its time: each part as soon as it is there.

Invariant: what makes the page runs in one thread from its first part to its last, and ends early where
nobody looks any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from syncengine.web.site import Site


def flowing(site: Site, request: Request, template: str, /, **values: object) -> Response:
    """Return a page whose values may be iterators that take their time."""
    parts = site.templates.get_template(template).generate(site.values(request) | values)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_from_thread(site, parts), media_type="text/html", headers=headers)


async def _from_thread(site: Site, parts: Iterator[str]) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    gone = threading.Event()

    def put(part: str | None) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody looks any more
            loop.call_soon_threadsafe(queue.put_nowait, part)

    def make() -> None:
        try:
            with closing(parts):  # type: ignore[type-var] # a generator, which typeshed calls an iterator
                for part in parts:
                    if gone.is_set():
                        return
                    put(part)
        finally:
            put(None)

    made = site.work.submit(make)
    try:
        while (part := await queue.get()) is not None:
            yield part
        made.result()
    finally:
        gone.set()
