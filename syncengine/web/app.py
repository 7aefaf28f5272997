"""Which address shows what. Invariant: every form goes through its visitor's token."""

from __future__ import annotations

import secrets
from importlib import resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from syncengine.engine.engine import Engine
from syncengine.errors import SyncError
from syncengine.web import mailbox, misc, options, sound, status
from syncengine.web.gate import Access, Gate
from syncengine.web.site import Site, done, environment, failed, shown

_STATIC = {"style.css": "text/css", "form.js": "text/javascript"}


def site_of(engine: Engine, config: Path) -> Site:
    """Return what the pages of an engine share; close it when they are not shown any more."""
    return Site(engine, config, environment(), secrets.token_bytes(32))


def build(site: Site, access: Access) -> Gate:
    """Return the pages as an ASGI application."""
    box = "/mailboxes/{number}"
    message = box + "/messages/{message}"
    tab = "/options/{number}"
    routes = [
        Route("/", shown(site, status.show)),
        Route(box, shown(site, mailbox.show)),
        Route(box + "/resync", done(site, mailbox.resync, waits=True), methods=["POST"]),
        Route(message + "/{act}", done(site, mailbox.change), methods=["POST"]),
        Route(message + "/sound", shown(site, sound.show)),
        Route("/options", shown(site, options.pick)),
        Route(tab, shown(site, options.show)),
        Route(tab, done(site, options.apply), methods=["POST"]),
        Route(tab + "/add", done(site, options.add), methods=["POST"]),
        Route(tab + "/test", done(site, options.test, waits=True), methods=["POST"]),
        Route("/misc", shown(site, misc.show)),
        Route("/misc/{name}", shown(site, misc.edit)),
        Route("/misc/{name}", done(site, misc.apply), methods=["POST"]),
        Route("/static/{name}", shown(site, _static)),
    ]
    show = failed(site)
    handlers = {HTTPException: show, SyncError: show, Exception: _fault}
    return Gate(Starlette(routes=routes, exception_handlers=handlers), access, site.key)


def _static(_: Site, request: Request) -> Response:
    name = request.path_params["name"]
    kind = _STATIC.get(name)
    if kind is None:
        raise HTTPException(404, "There is no such file.")
    content = (resources.files("syncengine.web") / "static" / name).read_bytes()
    return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})


def _fault(_: Request, __: Exception) -> Response:
    return PlainTextResponse("A fault of syncengine; the log says more.\n", 500)
