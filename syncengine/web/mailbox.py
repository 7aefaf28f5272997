"""One mailbox: its messages with their state on both sides, what is pending and held, what can be done."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syncengine.cli.queue import retry
from syncengine.engine.handle import Mailbox
from syncengine.engine.status import MailboxStatus, Message, Picture
from syncengine.errors import UsageError
from syncengine.index import HeldDelete, Hour
from syncengine.model import id_of, token_of
from syncengine.web.day import picture_of
from syncengine.web.rows import rows_of
from syncengine.web.site import Form, Site, changed
from syncengine.web.status import page_of

PAGE = 100
_ID = re.compile(r"[0-9a-f]{32}")
_SAID: Mapping[str, str] = MappingProxyType(
    {
        "heard": "The message is marked heard.",
        "new": "The message is marked new.",
        "delete": "The message is deleted; it can be restored for a while.",
        "restore": "The message is restored.",
        "retry": "The message will be sent with the next pass.",
    }
)
_CHANGES: Mapping[str, Callable[[Mailbox, str], None]] = MappingProxyType(
    {
        "heard": Mailbox.mark_heard,
        "new": Mailbox.mark_new,
        "delete": Mailbox.delete,
        "restore": Mailbox.restore,
    }
)


def show(site: Site, request: Request) -> Response:
    """Show a mailbox."""
    number = site.known(request.path_params["number"])
    look = _look(site, number)
    pages = max(1, -(-len(look.messages) // PAGE))
    page = min(page_of(request), pages)
    shown = look.messages[(page - 1) * PAGE : page * PAGE]
    return site.page(
        request,
        "mailbox.html",
        number=number,
        status=look.status,
        rows=rows_of(look.picture, shown, look.status.pending),
        subjects={message.id: message.subject for message in look.messages},
        total=len(look.messages),
        page=page,
        pages=pages,
        held=[(id_of(h.token), datetime.fromtimestamp(h.since, UTC)) for h in look.held],
        seen=_mark(look.held),
        day=picture_of(look.day),
        live=f"/mailboxes/{number}/live?mark={look.mark}",
        said=_SAID.get(request.query_params.get("said", "")),
    )


def told(site: Site, request: Request, _: str) -> str:
    """Return in one word what the page of a mailbox shows."""
    return _look(site, site.known(request.path_params["number"])).mark


@dataclass(frozen=True, slots=True)
class _Look:
    """What the page of a mailbox shows, read once."""

    picture: Picture
    status: MailboxStatus
    messages: tuple[Message, ...]
    """The newest first."""
    held: tuple[HeldDelete, ...]
    day: tuple[Hour, ...]

    @property
    def mark(self) -> str:
        """Changes with whatever is shown; not with the time at which something pending is looked at."""
        waits = [(item.message, item.what, item.unconfirmed) for item in self.status.pending]
        rest = replace(self.status, pending=())
        shown = (rest, waits, self.messages, sorted(self.picture.queue.items()), self.held, self.day)
        return hashlib.sha256(repr(shown).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _look(site: Site, number: str) -> _Look:
    picture = site.engine.picture(number)
    with site.engine.index.database.trouble():
        day = site.engine.index.hours.day(picture.binding.clock(), number)
        status = picture.status(site.engine.off(number))
        held = held_in(site, picture)
    return _Look(picture, status, site.engine.mailbox(number).messages()[::-1], held, day)


def resync(site: Site, request: Request, form: Form) -> Response:
    """Pass over the mailbox, or only plan it, or let through what was shown as held; show the report."""
    number = site.known(request.path_params["number"])
    how = form.get("how", "")
    if how not in {"now", "dry-run", "accept-deletes"}:
        raise HTTPException(400, "This is no way to pass over a mailbox.")
    if how == "accept-deletes" and form.get("seen") != _mark(held_in(site, site.engine.picture(number))):
        raise HTTPException(409, "What is held is not what was shown: nothing was let through. Look again.")
    changed(request, {"how": how})
    report = site.engine.resync(number, dry_run=how == "dry-run", accept_deletes=how == "accept-deletes")
    return site.page(
        request,
        "report.html",
        number=number,
        report=report,
        off=site.engine.off(number),
        subjects={message.id: message.subject for message in site.engine.mailbox(number).messages()},
    )


def change(site: Site, request: Request, _: Form) -> Response:
    """Mark, delete or restore one message, and show the mailbox."""
    act = request.path_params["act"]
    number = change_message(site, request, act)
    return RedirectResponse(f"/mailboxes/{number}?said={act}", 303)


def retry_one(site: Site, request: Request, _: Form) -> Response:
    """Send one message again, and show the mailbox."""
    return RedirectResponse(f"/mailboxes/{send_again(site, request)}?said=retry", 303)


def change_message(site: Site, request: Request, act: str) -> str:
    """Mark, delete or restore the message that the address names; return the mailbox."""
    number, message = message_of(site, request)
    if act not in _CHANGES:
        raise HTTPException(404, "This cannot be done to a message.")
    changed(request, {"to": act})
    _CHANGES[act](site.engine.mailbox(number), message)
    return number


def send_again(site: Site, request: Request) -> str:
    """Make a message due that was given up or waits; return the mailbox."""
    number, message = message_of(site, request)
    row = site.engine.index.queue.get(number, token_of(message))
    if row is None or not retry(site.engine, [row]):
        raise UsageError(f"message {message}: there is nothing to send again")
    return number


def message_of(site: Site, request: Request) -> tuple[str, str]:
    """Return the mailbox and the message that an address names."""
    number, message = site.known(request.path_params["number"]), request.path_params["message"]
    if not _ID.fullmatch(message):
        raise HTTPException(404, "There is no such message.")
    return number, message


def held_in(site: Site, picture: Picture) -> tuple[HeldDelete, ...]:
    """Return the deletes that the brake holds."""
    return site.engine.index.passes.held(picture.account.id) if picture.account else ()


def _mark(held: tuple[HeldDelete, ...]) -> str:
    """What stands for a set of held deletes: only the set that was looked at is let through."""
    return hashlib.sha256("".join(sorted(h.token for h in held)).encode()).hexdigest()
