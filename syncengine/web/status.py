"""All mailboxes at a glance: searched, sorted and paged from sums, however many there are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from syncengine.engine.overview import Line, lines
from syncengine.engine.status import MailboxState
from syncengine.index import Hour
from syncengine.model import State
from syncengine.web.day import picture_of
from syncengine.web.site import Site

PAGE = 50
_URGENCY = (
    MailboxState.FAILING,
    MailboxState.HELD,
    MailboxState.PENDING,
    MailboxState.IN_STEP,
    MailboxState.OFF,
)


def _by_number(line: Line) -> tuple[int, int, str]:
    number = line.mailbox
    return (0, int(number), number) if number.isdecimal() else (1, 0, number)


_ORDERS: Mapping[str, Callable[[Line], Any]] = MappingProxyType(
    {
        "mailbox": _by_number,
        "state": lambda line: (_URGENCY.index(line.state), _by_number(line)),
        "name": lambda line: (line.name.casefold(), _by_number(line)),
        "pending": lambda line: (-line.pending, _by_number(line)),
        "held": lambda line: (-line.held, _by_number(line)),
        "last pass": lambda line: (
            line.last_pass is not None,
            line.last_pass and -line.last_pass.timestamp(),
            _by_number(line),
        ),
    }
)


_COLUMNS = (
    ("Mailbox", "mailbox"),
    ("Name", "name"),
    ("State", "state"),
    ("New", ""),
    ("Heard", ""),
    ("Pending", "pending"),
    ("Held", "held"),
    ("Last pass", "last pass"),
    ("Why", ""),
)
"""The list's columns, each with the order that its head gives."""


def show(site: Site, request: Request) -> Response:
    """Show one page of the list."""
    mark = site.live.mark()
    every = lines(site.engine)
    wanted = request.query_params.get("q", "").strip()[:100]
    state = request.query_params.get("state", "")
    order = request.query_params.get("sort", "")
    order = order if order in _ORDERS else "mailbox"
    found = arranged(every, wanted, state, order)
    pages = max(1, -(-len(found) // PAGE))
    number = min(page_of(request), pages)
    rows = found[(number - 1) * PAGE : number * PAGE]
    kept = {"q": wanted, "state": state if state in set(MailboxState) else "", "sort": order}

    def link(**changed: object) -> str:
        return "/?" + urlencode(kept | changed)

    return site.page(
        request,
        "status.html",
        rows=[(line, *_counts(site, line.mailbox)) for line in rows],
        counts=Counter(line.state for line in every),
        states=_URGENCY,
        orders=tuple(_ORDERS),
        kept=kept,
        found=len(found),
        total=len(every),
        page=number,
        pages=pages,
        link=link,
        columns=_COLUMNS,
        day=picture_of(_day(site)),
        live=f"/live?mark={mark}",
    )


def told(_: Site, __: Request, mark: str) -> str:
    """Return in one word what the list shows: whatever changes, it may have changed."""
    return mark


def page_of(request: Request) -> int:
    """Return the number of the page that is asked for; the first for what is none."""
    text = request.query_params.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def arranged(every: Sequence[Line], wanted: str, state: str, order: str) -> Sequence[Line]:
    """Return the lines with a text in number or e-mail name and of a state, in an order."""
    wanted = wanted.casefold()
    states = {state} & set(MailboxState) or set(MailboxState)
    found = (line for line in every if wanted in line.mailbox.casefold() or wanted in line.name.casefold())
    return sorted((line for line in found if line.state in states), key=_ORDERS[order])


def _counts(site: Site, number: str) -> tuple[int, int]:
    """New and heard messages; only asked for what is shown."""
    with site.engine.index.database.trouble():
        states = Counter(message.state for message in site.engine.store.listing(number).messages)
    return states[State.NEW], states[State.HEARD]


def _day(site: Site) -> tuple[Hour, ...]:
    with site.engine.index.database.trouble():
        return site.engine.index.hours.day(time.time())
