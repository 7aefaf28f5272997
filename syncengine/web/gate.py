"""What every request passes before a page sees it, and what every answer carries.

Invariant: nothing is answered to a name that is not ours (DNS rebinding), nothing is changed for another
site's page, and no answer leaves without the headers that keep a browser from running foreign script.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "syncengine_web"
MOST_BYTES = 65536
"""Of a form; a recording never comes in here."""
_FORM = "application/x-www-form-urlencoded"
_VISITOR = re.compile(rf"(?:^|;\s*){COOKIE}=([0-9a-f]{{64}})(?:;|$)")
_FAILURES, _WHILE = 20, 60.0
"""So many wrong passwords in so many seconds, and none is looked at any more."""
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


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in: under which names the pages are reached, and with which password."""

    names: frozenset[str] = frozenset()
    """Host names beside this host's addresses and localhost."""
    password: str | None = field(default=None, repr=False)

    def knows(self, host: str) -> bool:
        """Whether a Host field names us. An address needs no list: rebinding takes a name."""
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        if name == "localhost" or name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class Gate:
    """The outermost part of the pages."""

    def __init__(self, app: ASGIApp, access: Access, key: bytes) -> None:
        self._app = app
        self._access = access
        self._key = key
        self._failures: deque[float] = deque(maxlen=_FAILURES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        found = _VISITOR.search(headers.get("cookie", ""))
        visitor = found[1] if found else secrets.token_hex(32)
        scope["visitor"] = visitor
        scope["csrf"] = token_for(self._key, visitor)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(MutableHeaders(scope=message), None if found else visitor)
            await send(message)

        refused = self._refused(scope["method"], headers)
        await (refused or self._app)(scope, _bounded(receive), guarded)

    def _refused(self, method: str, headers: Headers) -> PlainTextResponse | None:
        """Why a request is not answered, None where it is."""
        if len(headers.getlist("host")) != 1 or not _hosts(self._access, headers["host"]):
            return PlainTextResponse("These pages are not reached by this name.\n", 421)
        if (wrong := self._unknown(headers.get("authorization", ""))) is not None:
            return wrong
        if method in {"GET", "HEAD"}:
            return None
        if method != "POST":
            return PlainTextResponse("Only GET and POST.\n", 405, {"Allow": "GET, HEAD, POST"})
        if not same_origin(headers):
            return PlainTextResponse("A form of another site is not taken.\n", 403)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            return PlainTextResponse("Only forms are taken.\n", 415)
        length = headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            return PlainTextResponse("The form's length is missing.\n", 411)
        if len(length) > 9 or int(length) > MOST_BYTES:
            return PlainTextResponse("The form is too long.\n", 413)
        return None

    def _unknown(self, authorization: str) -> PlainTextResponse | None:
        """What is answered to who does not know the password (RFC 7617), None where he does."""
        if self._access.password is None:
            return None
        now = time.monotonic()
        while self._failures and self._failures[0] < now - _WHILE:
            self._failures.popleft()
        if authorization and len(self._failures) == _FAILURES:
            return PlainTextResponse(
                "Too many wrong passwords; try again later.\n", 429, {"Retry-After": "60"}
            )
        if authorization and _knows(authorization, self._access.password):
            return None
        if authorization:
            self._failures.append(now)
        ask = {"WWW-Authenticate": 'Basic realm="syncengine", charset="UTF-8"'}
        return PlainTextResponse("The password is needed.\n", 401, ask)


def token_for(key: bytes, visitor: str) -> str:
    """Return what a visitor's forms carry, which no other site can know."""
    return hmac.new(key, visitor.encode(), hashlib.sha256).hexdigest()


def same_origin(headers: Headers) -> bool:
    """Whether a form comes from these very pages, by what the browser says of it."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    source = headers.get("origin") or headers.get("referer", "")
    try:
        # The scheme is left out: a proxy before us may speak TLS.
        return bool(source) and urlsplit(source).netloc.lower() == headers["host"].lower()
    except ValueError:
        return False


def _hosts(access: Access, host: str) -> bool:
    try:
        return access.knows(host.lower())
    except ValueError:
        return False


def _knows(authorization: str, password: str) -> bool:
    """Compared by digest, so that neither length nor place of a difference shows in the time it takes."""
    scheme, _, rest = authorization.partition(" ")
    try:
        given = base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except ValueError:
        return False
    digests = hashlib.sha256(given).digest(), hashlib.sha256(password.encode()).digest()
    return hmac.compare_digest(*digests) and scheme.lower() == "basic"


def _dress(headers: MutableHeaders, visitor: str | None) -> None:
    for name, value in _HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")
    if visitor is not None:
        headers.append("Set-Cookie", f"{COOKIE}={visitor}; Path=/; HttpOnly; SameSite=Strict")


def _bounded(receive: Receive) -> Receive:
    """``receive`` that gives no more bytes than a form may have, whatever its length was said to be."""
    left = MOST_BYTES

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return bounded
