"""A connection that says nothing does not hold its place: it is closed when a request does not come in time.

The web server itself waits for ever for the rest of a head, and takes so many connections and no more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 20.0
"""Seconds for a whole head, from the connection's begin or the answer before."""
BODY = 30.0
"""Seconds between two parts of a body."""

if TYPE_CHECKING:
    from asyncio import Transport


class Impatient(H11Protocol):
    """HTTP/1.1, as long as the other side has something to say."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        if self._waiting is not None:
            self._waiting.cancel()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = self.loop.call_later(HEAD, self._give_up)

    def _give_up(self) -> None:
        asked = self.cycle is not None and not self.cycle.response_complete
        if not asked and not self.transport.is_closing():
            self.transport.close()
