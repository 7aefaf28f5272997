"""Which address shows what, and to whom. Invariant: every form goes through its visitor's token."""

from __future__ import annotations

import secrets
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from syncengine.engine.engine import Engine
from syncengine.errors import SyncError
from syncengine.web import mailbox, misc, options, record, signin, sound, static, status
from syncengine.web.api import document
from syncengine.web.api.operations import OPERATIONS
from syncengine.web.audit import Audit
from syncengine.web.door import Access, Door
from syncengine.web.gate import Gate
from syncengine.web.live import Live
from syncengine.web.site import Act, Show, Site, done, environment, failed, shown, told
from syncengine.web.users import Users
from syncengine.web.ways import Way, routes
from syncengine.web.who import Need

_LIST = 3.0
"""Seconds between two changes of the list of all mailboxes that a page is told of."""


def site_of(engine: Engine, config: Path, access: Access | None = None) -> Site:
    """Return what the pages of an engine share; close it when they are not shown any more."""
    door = Door(access or Access(), Users(engine.state_dir))
    return Site(
        engine, config, environment(), door, Audit(engine.state_dir), secrets.token_bytes(32), Live(engine)
    )


def build(site: Site) -> Gate:
    """Return the pages as an ASGI application."""
    show = failed(site)
    handlers = {HTTPException: show, SyncError: show, Exception: _fault}
    app = Starlette(routes=routes(site, ways(site)), exception_handlers=handlers)
    return Gate(app, site.door, site.key, site.hashing)


def ways(site: Site) -> tuple[Way, ...]:
    """Return every address of the pages."""

    def get(path: str, need: Need, show: Show) -> Way:
        return Way(path, need, shown(site, show))

    def post(path: str, need: Need, act: Act, name: str, *, waits: bool = False) -> Way:
        return Way(path, need, done(site, act, on=site.work if waits else site.pages), "POST", name)

    box = "/mailboxes/{number}"
    message = box + "/messages/{message}"
    tab = "/options/{number}"
    return (
        get("/", Need.SEE, status.show),
        Way("/live", Need.SEE, told(site, status.told, every=_LIST)),
        get(box, Need.OWN, mailbox.show),
        Way(box + "/live", Need.OWN, told(site, mailbox.told)),
        post(box + "/resync", Need.OPERATE, mailbox.resync, "resync", waits=True),
        post(message + "/retry", Need.OPERATE, mailbox.retry_one, "send again"),
        post(message + "/{act}", Need.OWN_CHANGE, mailbox.change, "change message"),
        get(message + "/sound", Need.OWN, sound.show),
        get("/options", Need.SEE, options.pick),
        get(tab, Need.OWN, options.show),
        post(tab, Need.OWN_CHANGE, options.apply, "apply options"),
        post(tab + "/add", Need.OPERATE, options.add, "add mailbox"),
        post(tab + "/test", Need.OWN_CHANGE, options.test, "test account", waits=True),
        get("/misc", Need.SEE, misc.show),
        get("/misc/{name}", Need.SEE, misc.edit),
        post("/misc/{name}", Need.OPERATE, misc.apply, "apply misc setup"),
        get("/record", Need.OPERATE, record.show),
        get("/sign-in", Need.NOBODY, signin.show),
        Way("/sign-in", Need.NOBODY, done(site, signin.sign_in, on=site.hashing), "POST", "sign in"),
        post("/sign-out", Need.ANYBODY, signin.sign_out, "sign out"),
        get("/static/{name}", Need.NOBODY, static.show),
        get("/api", Need.ANYBODY, document.page),
        get("/api/openapi.json", Need.ANYBODY, document.show),
        *(operation.way(site) for operation in OPERATIONS),
    )


def _fault(_: Request, __: Exception) -> Response:
    return PlainTextResponse("A fault of syncengine; the log says more.\n", 500)
