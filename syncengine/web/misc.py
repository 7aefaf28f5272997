"""Misc Setup: the manual's table of options with Value and Ignore (page 7).

Invariant: a value that was not touched is left as it stands in the file.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syncengine.cli.values import text_of
from syncengine.options.edit import ChangedMeanwhile, set_system, version_of
from syncengine.options.files import examine_part
from syncengine.options.keys import keys_of
from syncengine.options.problems import InvalidOptions
from syncengine.options.schema import Settings, System
from syncengine.options.vmconfig import MANUAL_ROWS, MEANINGS
from syncengine.web.site import Form, Site, changed


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    value: str
    ignore: int
    key: str
    """The option of the system that it sets; blank where it means nothing here."""


def show(site: Site, request: Request) -> Response:
    """Show the table."""
    said = "The change is applied." if request.query_params.get("said") == "applied" else ""
    return site.page(request, "misc.html", rows=rows(site), said=said)


def edit(site: Site, request: Request) -> Response:
    """Show one row's Value and Ignore to be edited."""
    version = version_of(site.config)
    return site.page(request, "misc_edit.html", row=row_of(site, request), version=version, bad="")


def apply(site: Site, request: Request, form: Form) -> Response:
    """Apply one row's change."""
    version = version_of(site.config)
    row = row_of(site, request)
    value, ignore = form.get("value", "").strip(), form.get("ignore", "")
    if ignore not in {"0", "1"}:
        raise HTTPException(400, "Ignore is 0 or 1.")
    try:
        new = value if value != row.value else None
        set_system(site.config, row.name, new, ignore=int(ignore), expected_version=form.get("version", ""))
    except ChangedMeanwhile:
        bad, code = "The options were changed meanwhile: nothing was applied. Look, then apply again.", 409
    except InvalidOptions as invalid:
        bad, code = "; ".join(problem.text for problem in invalid.problems), 422
    else:
        changed(request, {"value": [row.value, value], "ignore": [row.ignore, int(ignore)]})
        problem = site.take_up()
        if problem is None:
            return RedirectResponse("/misc?said=applied", 303)
        bad, code, version = f"It is written, and not in force: {problem}", 200, version_of(site.config)
    typed = Row(row.name, value, int(ignore), row.key)
    return site.page(request, "misc_edit.html", code, row=typed, version=version, bad=bad)


def row_of(site: Site, request: Request) -> Row:
    """Return the row that an address names."""
    name = request.path_params["name"]
    row = next((row for row in rows(site) if row.name == name), None)
    if row is None:
        raise HTTPException(404, "There is no such option.")
    return row


def rows(site: Site) -> list[Row]:
    """Return the manual's rows in its order, then further ones of the file."""
    settings = examine_part(site.config)
    further = [name for name in settings.vmconfig if name not in MANUAL_ROWS]
    return [_one(settings, name) for name in (*MANUAL_ROWS, *further)]


def _one(settings: Settings, name: str) -> Row:
    there, meaning = settings.vmconfig.get(name), MEANINGS.get(name)
    ignore = there.ignore if there else 0
    if meaning is None:
        return Row(name, str(there.value if there else MANUAL_ROWS[name]), ignore, "")
    if there is not None and ignore:
        return Row(name, str(there.value), ignore, meaning.key)
    value = getattr(settings.system, meaning.key)
    plain = value if isinstance(value, bool | int) else text_of(keys_of(System)[meaning.key], value)
    return Row(name, str(meaning.to_row(plain)), ignore, meaning.key)
