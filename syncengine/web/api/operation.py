"""One method of one address under /api: what it takes, what it gives, who may call it, how it is answered."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from syncengine.web.api.models import NoQuery, Nothing
from syncengine.web.site import Endpoint, Site, visit_of
from syncengine.web.ways import Way
from syncengine.web.who import Need


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its address' parts, what stands after the question mark, its body."""

    request: Request
    query: msgspec.Struct
    body: msgspec.Struct

    @property
    def number(self) -> str:
        """The mailbox it is about."""
        return self.part("number")

    def part(self, name: str) -> str:
        """A part of the address."""
        found: str = self.request.path_params[name]
        return found


Call = Callable[[Site, Asked], object]


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be asked for; ``act`` is blank for what changes nothing."""

    path: str
    need: Need
    call: Call
    about: str
    answer: object
    """The type of what is answered; a tuple of content types for what is no JSON."""
    method: str = "GET"
    act: str = ""
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] = Nothing
    code: int = 200
    waits: bool = False
    """For a mail server."""

    def way(self, site: Site) -> Way:
        """Return the way to it."""
        return Way(self.path, self.need, self._endpoint(site), self.method, self.act)

    def _endpoint(self, site: Site) -> Endpoint:
        pool = site.work if self.waits else site.pages

        async def endpoint(request: Request) -> Response:
            asked = Asked(request, self._query(request), await self._body(request))
            value = await asyncio.get_running_loop().run_in_executor(pool, self.call, site, asked)
            return value if isinstance(value, Response) else json(value, self.code)

        return endpoint

    def _query(self, request: Request) -> msgspec.Struct:
        try:
            return msgspec.convert(dict(request.query_params), self.query, strict=False)
        except msgspec.ValidationError as error:
            raise HTTPException(400, f"After the question mark: {error}.") from None

    async def _body(self, request: Request) -> msgspec.Struct:
        if self.method == "GET":
            return Nothing()
        _see_token(request)
        try:
            content = await request.body()
            return msgspec.json.decode(content or b"{}", type=self.body)
        except msgspec.ValidationError as error:
            raise HTTPException(422, f"{error}.") from None
        except (ClientDisconnect, msgspec.DecodeError, RecursionError):
            raise HTTPException(400, "This is no JSON.") from None


def json(value: object, code: int = 200) -> Response:
    """Return a JSON answer."""
    return Response(msgspec.json.encode(value), code, media_type="application/json")


def _see_token(request: Request) -> None:
    """What a browser sends along by itself is not enough to change anything."""
    given = request.headers.get("x-csrf-token", "")
    if visit_of(request).signed_in and not hmac.compare_digest(
        given.encode(), request.scope["csrf"].encode()
    ):
        raise HTTPException(403, "With a session's cookie X-CSRF-Token is needed; /api/me says it.")
