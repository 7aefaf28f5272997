"""Signing in and out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syncengine.web.door import Refused
from syncengine.web.gate import address_of
from syncengine.web.site import Form, Site, changed, visit_of


def show(site: Site, request: Request) -> Response:
    """Show the sign-in page."""
    return _page(site, request, request.query_params.get("next", ""))


def sign_in(site: Site, request: Request, form: Form) -> Response:
    """Begin a session, under a cookie of its own."""
    visit = visit_of(request)
    name = form.get("name", "")[:64]
    changed(request, {"name": name})
    try:
        who = site.door.sign_in(visit, name, form.get("password", ""), address_of(request.scope))
    except Refused as refused:
        return _page(
            site, request, form.get("next", ""), bad=str(refused), code=429 if refused.later else 403
        )
    wanted = _local(form.get("next", ""))
    return RedirectResponse(wanted if wanted not in {"", "/"} else who.home, 303)


def sign_out(site: Site, request: Request, _: Form) -> Response:
    """End the session."""
    site.door.sign_out(visit_of(request))
    return RedirectResponse("/sign-in", 303)


def _page(site: Site, request: Request, wanted: str, *, bad: str = "", code: int = 200) -> Response:
    return site.page(request, "sign_in.html", code, wanted=_local(wanted), bad=bad)


def _local(wanted: str) -> str:
    """Where to go on, only ever an address of these pages."""
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and len(wanted) <= 1000
    return wanted if plain and wanted.startswith("/") and not wanted.startswith("//") else ""
