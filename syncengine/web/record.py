"""The record of who changed what, as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from syncengine.web.site import Site
from syncengine.web.status import page_of

PAGE = 100
_ABOUT: Mapping[str, str] = MappingProxyType({"number": "mailbox", "message": "message", "name": "option"})
_ENOUGH = 200


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
    return Entry(time, text("user"), text("role"), text("address"), text("act"), _what(line), text("outcome"))


def _what(line: Mapping[str, Any]) -> str:
    """What it was about, and what was changed from what."""
    about = [f"{word} {str(line[name])[:_ENOUGH]}" for name, word in _ABOUT.items() if line.get(name)]
    changes = line.get("changes", {})
    if isinstance(changes, dict):
        return "; ".join([*about, *(_change(str(name), value) for name, value in changes.items())])
    return "; ".join([*about, str(changes)])


def _change(name: str, value: object) -> str:
    if isinstance(value, list) and len(value) == 2:
        old, new = ("blank" if one in ("", None) else str(one)[:_ENOUGH] for one in value)
        return f"{name} {old} \N{RIGHTWARDS ARROW} {new}"
    return f"{name} {str(value)[:_ENOUGH]}"
