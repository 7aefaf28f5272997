"""The record of who changed what, as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from syncengine.web.site import Site
from syncengine.web.status import page_of

PAGE = 100
_SHOWN = frozenset({"time", "user", "role", "address", "act", "outcome"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record as it is shown."""

    time: datetime | None
    user: str
    role: str
    address: str
    act: str
    what: str
    outcome: str


def show(site: Site, request: Request) -> Response:
    """Show the record, the newest first."""
    page = page_of(request)
    found = list(islice(site.audit.newest(), (page - 1) * PAGE, page * PAGE + 1))
    entries = [_entry(line) for line in found[:PAGE]]
    return site.page(request, "record.html", entries=entries, page=page, more=len(found) > PAGE)


def _entry(line: Mapping[str, Any]) -> Entry:
    def text(name: str) -> str:
        return str(line.get(name, ""))

    try:
        time = datetime.fromisoformat(text("time"))
    except ValueError:
        time = None
    what = "; ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in line.items()
        if name not in _SHOWN
    )
    return Entry(time, text("user"), text("role"), text("address"), text("act"), what, text("outcome"))
