"""What every request passes before a page sees it, and what every answer carries.

Invariant: nothing is answered to a name that is not ours (DNS rebinding), nothing is changed for another
site's page, and no answer leaves without the headers that keep a browser from running foreign script.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from concurrent.futures import Executor
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncengine.errors import OptionsError
from syncengine.web import patience
from syncengine.web.door import Access, Door, Refused, Visit

COOKIE = "syncengine_web"
MOST_BYTES = 65536
"""Of a form; a recording never comes in here."""
_FORM = "application/x-www-form-urlencoded"
API = "/api/"
_VISITOR = re.compile(rf"(?:^|;\s*){COOKIE}=([0-9a-f]{{64}})(?:;|$)")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self'; media-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Gate:
    """The outermost part of the pages."""

    def __init__(self, app: ASGIApp, door: Door, key: bytes, work: Executor) -> None:
        self._app = app
        self._door = door
        self._key = key
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        found = _VISITOR.search(headers.get("cookie", ""))
        visit = Visit(found[1] if found else secrets.token_hex(32), fresh=not found)
        scope["visit"] = visit
        scope["csrf"] = token_for(self._key, visit.cookie)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(MutableHeaders(scope=message), visit, tls=scope["scheme"] == "https")
            await send(message)

        refused = _unnamed(self._door.access, headers) or await self._stranger(scope, headers, visit)
        refused = refused or _unfit(scope, headers)
        # A program keeps no visitor's cookie.
        visit.fresh = visit.fresh and not _is_api(scope)
        await (refused or self._app)(scope, _bounded(receive), guarded)

    async def _stranger(self, scope: Scope, headers: Headers, visit: Visit) -> Response | None:
        """See who it is; what is answered to who gives a wrong password, None to anybody else."""
        api = _is_api(scope)
        try:
            visit.who, visit.signed_in = self._door.visitor(visit.cookie)
            if "authorization" in headers and visit.who is None:
                visit.who = await asyncio.get_running_loop().run_in_executor(
                    self._work, self._door.by_header, headers["authorization"], address_of(scope)
                )
            if visit.who is None and self._door.password_only:
                return asked("The password is needed.", api=api)
        except Refused as refused:
            if refused.later:
                return plain_answer(str(refused), 429, {"Retry-After": "60"}, api=api)
            return asked(str(refused), api=api)
        except OptionsError as error:
            return plain_answer(str(error), 503, api=api)
        return None


def address_of(scope: Scope) -> str:
    """Return where a request comes from."""
    client = scope.get("client")
    return client[0] if client else ""


def plain_answer(
    text: str, code: int, headers: Mapping[str, str] | None = None, *, api: bool = False
) -> Response:
    """Return an answer of one line: JSON under /api."""
    if api:
        return JSONResponse({"error": text}, code, headers)
    return PlainTextResponse(f"{text}\n", code, headers)


def asked(text: str, *, api: bool = False) -> Response:
    """Return the answer that asks for name and password."""
    ask = {"WWW-Authenticate": 'Basic realm="syncengine", charset="UTF-8"'}
    return plain_answer(text, 401, ask, api=api)


def _unnamed(access: Access, headers: Headers) -> Response | None:
    if len(headers.getlist("host")) == 1 and _hosts(access, headers["host"]):
        return None
    return PlainTextResponse("These pages are not reached by this name.\n", 421)


def _unfit(scope: Scope, headers: Headers) -> Response | None:
    """Why a request that would change something is not looked at, None where it is."""
    method, api = scope["method"], _is_api(scope)
    if method in {"GET", "HEAD"}:
        return None
    if method != "POST" and not api:
        return plain_answer("Only GET and POST.", 405, {"Allow": "GET, HEAD, POST"})
    if not same_origin(headers, by_program=api):
        return plain_answer("A form of another site is not taken.", 403, api=api)
    length = headers.get("content-length", "0" if api and "transfer-encoding" not in headers else "")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != ("application/json" if api else _FORM) and not (api and length == "0"):
        return plain_answer(f"Only {'JSON is' if api else 'forms are'} taken.", 415, api=api)
    if not length.isascii() or not length.isdigit():
        return plain_answer("The length is missing.", 411, api=api)
    if len(length) > 9 or int(length) > MOST_BYTES:
        return plain_answer("This is too long.", 413, api=api)
    return None


def _is_api(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(API)


def token_for(key: bytes, visitor: str) -> str:
    """Return what a visitor's forms carry, which no other site can know."""
    return hmac.new(key, visitor.encode(), hashlib.sha256).hexdigest()


def same_origin(headers: Headers, *, by_program: bool = False) -> bool:
    """Whether a form comes from these very pages, by what the browser says of it.

    ``by_program``: it may come from no browser at all, which then says nothing.
    """
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    source = headers.get("origin") or headers.get("referer", "")
    try:
        # The scheme is left out: a proxy before us may speak TLS.
        return urlsplit(source).netloc.lower() == headers["host"].lower() if source else by_program
    except ValueError:
        return False


def _hosts(access: Access, host: str) -> bool:
    try:
        return access.knows(host.lower())
    except ValueError:
        return False


def _dress(headers: MutableHeaders, visit: Visit, *, tls: bool) -> None:
    for name, value in _HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")
    if tls:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if visit.fresh:
        secure = "; Secure" if tls else ""
        headers.append("Set-Cookie", f"{COOKIE}={visit.cookie}; Path=/; HttpOnly; SameSite=Strict{secure}")


def _bounded(receive: Receive) -> Receive:
    """``receive`` that gives no more bytes than a form may have, and does not wait for ever for them."""
    left, whole = MOST_BYTES, False

    async def bounded() -> Message:
        nonlocal left, whole
        if whole:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), patience.BODY)
        except TimeoutError:
            return {"type": "http.disconnect"}
        whole = not message.get("more_body", False)
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return bounded
