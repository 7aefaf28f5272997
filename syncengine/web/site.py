"""What all pages share: the engine, the templates, the threads that work for them, the forms.

Invariant: every text is escaped where it is shown, and no form is taken without the visitor's own token.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from syncengine.cli.output import clean
from syncengine.engine.engine import Engine
from syncengine.errors import OptionsError, UsageError
from syncengine.options.files import load
from syncengine.web.audit import Audit
from syncengine.web.door import Door, Visit
from syncengine.web.gate import API, plain_answer
from syncengine.web.live import LOOKS, Live, stream
from syncengine.web.trials import Trials

if TYPE_CHECKING:
    from jinja2 import Environment

_log = logging.getLogger(__name__)

Form = Mapping[str, str]
_MOST_FIELDS = 200


def _pool(name: str, workers: int) -> ThreadPoolExecutor:
    # Threads that stay: each has a connection of its own to the index.
    return ThreadPoolExecutor(workers, thread_name_prefix=f"syncengine-web-{name}")


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages are about."""

    engine: Engine
    config: Path
    templates: Environment
    door: Door
    audit: Audit
    key: bytes = field(repr=False)
    live: Live
    trials: Trials = field(default_factory=Trials)
    pages: ThreadPoolExecutor = field(default_factory=lambda: _pool("page", 4))
    work: ThreadPoolExecutor = field(default_factory=lambda: _pool("work", 4))
    """For what waits for a mail server: however many such, the pages are still shown."""
    hashing: ThreadPoolExecutor = field(default_factory=lambda: _pool("door", 2))
    """For passwords, which take a while each, however many are tried."""

    def page(self, request: Request, template: str, code: int = 200, /, **values: object) -> HTMLResponse:
        """Return a page."""
        text = self.templates.get_template(template).render(self.values(request) | values)
        return HTMLResponse(text, code)

    def values(self, request: Request) -> dict[str, object]:
        """Return what every page is given."""
        query = request.url.query
        at = request.url.path + (f"?{query}" if query else "")
        return {
            "csrf": request.scope["csrf"],
            "here": request.url.path,
            "at": at,
            "visit": visit_of(request),
        }

    def take_up(self) -> str | None:
        """Put what the files say now in force; why it cannot be, None where it was."""
        try:
            self.engine.adopt_settings(load(self.config))
        except OptionsError as error:
            return str(error)
        return None

    def known(self, number: str) -> str:
        """Return the number of a mailbox that there is; raises ``UsageError`` for any other."""
        return self.engine.binding(number).number

    def close(self) -> None:
        """End the threads; what they do is finished first."""
        self.live.close()
        self.pages.shutdown()
        self.work.shutdown()
        self.hashing.shutdown()


Show = Callable[[Site, Request], Response]
Mark = Callable[[Site, Request, str], str]
Act = Callable[[Site, Request, Form], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def visit_of(request: Request) -> Visit:
    """Return whose request this is."""
    visit: Visit = request.scope["visit"]
    return visit


def changed(request: Request, what: Mapping[str, object]) -> None:
    """Say what a request changed, for the record of changes; never a secret."""
    request.state.changes = what


def shown(site: Site, show: Show) -> Endpoint:
    """Return the endpoint of a page that is looked at."""

    async def endpoint(request: Request) -> Response:
        return await asyncio.get_running_loop().run_in_executor(site.pages, show, site, request)

    return endpoint


def told(site: Site, mark: Mark, *, every: float = LOOKS) -> Endpoint:
    """Return the endpoint that tells a page that it changed; ``mark`` says in one word what it shows."""

    async def endpoint(request: Request) -> Response:
        async def shown(at: Request, index: str) -> str:
            return await asyncio.get_running_loop().run_in_executor(site.pages, mark, site, at, index)

        return await stream(site.live, request, visit_of(request).cookie, shown, every=every)

    return endpoint


def done(site: Site, act: Act, *, on: ThreadPoolExecutor | None = None) -> Endpoint:
    """Return the endpoint of a form; ``on``: the threads it is done by."""

    async def endpoint(request: Request) -> Response:
        form = await _form(request)
        return await asyncio.get_running_loop().run_in_executor(on or site.pages, act, site, request, form)

    return endpoint


async def _form(request: Request) -> Form:
    """Read a form; raises ``HTTPException`` where it does not carry the visitor's token."""
    try:
        body = (await request.body()).decode("ascii")
        pairs = parse_qsl(
            body, keep_blank_values=True, max_num_fields=_MOST_FIELDS, encoding="utf-8", errors="strict"
        )
    except (ClientDisconnect, ValueError):
        raise HTTPException(400, "This is no form.") from None
    form = dict(pairs)
    if not hmac.compare_digest(form.get("csrf", "").encode(), request.scope["csrf"].encode()):
        raise HTTPException(403, "This form is from before a restart, or not from here: open it anew.")
    return form


def failed(site: Site) -> Callable[[Request, Exception], Response]:
    """Return what shows an error: one line, with nothing of the inside."""

    def show(request: Request, error: Exception) -> Response:
        match error:
            case HTTPException():
                status, text = error.status_code, error.detail
            case OptionsError():
                status, text = 409, str(error)
            case UsageError():
                status, text = 404, str(error)
            case _:
                status, text = 503, str(error)
        headers = getattr(error, "headers", None)
        if request.url.path.startswith(API):
            return plain_answer(text, status, headers, api=True)
        answer = site.page(request, "error.html", status, text=text)
        answer.headers.update(headers or {})
        return answer

    return show


def environment() -> Environment:
    """Return the templates' environment: what is not known is an error, what is shown is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - of the extra

    made = Environment(
        loader=PackageLoader("syncengine.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["when"] = _when
    made.filters["ago"] = _ago
    return made


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a template shows
    """What is shown, without characters that turn the direction of the line or are none."""
    return clean(value) if type(value) is str else value


def _when(value: datetime | None) -> str:
    return "" if value is None else f"{value.astimezone():%Y-%m-%d %H:%M:%S}"


def _ago(value: datetime) -> str:
    """How long something has been so, in its two largest units."""
    minutes = max(0, int((datetime.now(UTC) - value).total_seconds())) // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
