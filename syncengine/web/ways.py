"""The way to a page: its address, what it asks of who comes, what the record of changes calls it.

Invariant: every address is made here, so none can be reached by who may not, and no change is made that
is not written down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from syncengine.errors import SyncError
from syncengine.web.gate import API, address_of, asked
from syncengine.web.site import Endpoint, Site, visit_of
from syncengine.web.who import Need

_PARTS = ("number", "message", "name")


@dataclass(frozen=True, slots=True)
class Way:
    """One method of one address."""

    path: str
    need: Need
    endpoint: Endpoint
    method: str = "GET"
    act: str = ""
    """What the record of changes calls it; blank with GET, which changes nothing."""


def routes(site: Site, ways: Sequence[Way]) -> list[Route]:
    """Return the routes, one an address, each method with its guard before it."""
    found: dict[str, dict[str, Endpoint]] = {}
    for way in ways:
        found.setdefault(way.path, {})[way.method] = _guarded(site, way)
    return [Route(path, _by_method(own), methods=list(own)) for path, own in found.items()]


def _by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return endpoint


def _guarded(site: Site, way: Way) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if not way.act:
            return _turned_away(request, way) or await way.endpoint(request)
        outcome = "refused"
        visit = visit_of(request)
        before = visit.who
        try:
            response = _turned_away(request, way) or await way.endpoint(request)
            outcome = "done" if response.status_code < 400 else "refused"
        except (HTTPException, SyncError) as error:
            outcome = str(getattr(error, "detail", error))
            raise
        finally:
            await _written(site, way, request, before, outcome)
        return response

    return endpoint


def _turned_away(request: Request, way: Way) -> Response | None:
    """What is answered to who may not come; raises ``HTTPException`` where he is known."""
    who = visit_of(request).who
    if way.need is Need.NOBODY:
        return None
    if who is None:
        if request.url.path.startswith(API):
            return asked("Sign in, or give name and password.", api=True)
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asking = f"/sign-in?next={quote(here, safe='')}" if way.method == "GET" else "/sign-in"
        return RedirectResponse(asking, 303)
    if not who.may(way.need, request.path_params.get("number")):
        raise HTTPException(403, "This is not for you.")
    return None


async def _written(site: Site, way: Way, request: Request, before: object, outcome: str) -> None:
    who = visit_of(request).who or before
    if who is None and way.need is not Need.NOBODY:
        return
    parts = {name: request.path_params[name] for name in _PARTS if name in request.path_params}
    changes = getattr(request.state, "changes", None)
    more = parts | ({"changes": changes} if changes else {}) | {"outcome": outcome[:500]}
    name = getattr(who, "name", "")
    role = getattr(who, "role", "")

    def write() -> None:
        site.audit.write(name, way.act, role=role, address=address_of(request.scope), **more)

    await asyncio.get_running_loop().run_in_executor(site.pages, write)
