"""Mailbox Options and Misc Setup under /api."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.cli.values import plain, value_of
from syncengine.errors import UsageError
from syncengine.options.edit import ChangedMeanwhile, add_mailbox, set_system, version_of
from syncengine.options.problems import InvalidOptions
from syncengine.options.schema import Mailbox
from syncengine.options.secret import PASSWORD_KEYS
from syncengine.options.tab import Field, email_tab, value_from_text
from syncengine.web import misc
from syncengine.web.api import models
from syncengine.web.api.operation import Asked, json
from syncengine.web.site import Site, changed
from syncengine.web.tab import Present, errors_of, present, write


def options(site: Site, asked: Asked) -> object:
    """Return a mailbox's tab."""
    return _tab(_present(site, asked))


def add(site: Site, asked: Asked) -> object:
    """Add a mailbox with nothing set."""
    add_mailbox(site.config, asked.number, {})
    _in_force(site)
    return _tab(_present(site, asked))


def apply(site: Site, asked: Asked) -> object:
    """Apply changes, all or none."""
    body = cast(models.ChangeOptions, asked.body)
    now = _present(site, asked)
    try:
        write(site, asked.request, now, _changes(now.mailbox, body.changes), body.version)
    except ChangedMeanwhile:
        raise HTTPException(
            409, "Somebody else changed this mailbox meanwhile: nothing was applied."
        ) from None
    except InvalidOptions as invalid:
        errors, rest = errors_of(invalid, now.mailbox)
        return _invalid(["Nothing was applied: these options do not hold", *rest], errors)
    _in_force(site)
    return _tab(_present(site, asked))


def misc_setup(site: Site, _: Asked) -> object:
    """Return the table of Misc Setup."""
    version = version_of(site.config)
    return models.Misc(version, [_row(row) for row in misc.rows(site)])


def apply_row(site: Site, asked: Asked) -> object:
    """Apply a change to one row."""
    body = cast(models.ChangeRow, asked.body)
    row = misc.row_of(site, asked.request)
    ignore = row.ignore if body.ignore is None else body.ignore
    try:
        set_system(site.config, row.name, body.value, ignore=ignore, expected_version=body.version)
    except ChangedMeanwhile:
        raise HTTPException(409, "The options were changed meanwhile: nothing was applied.") from None
    except InvalidOptions as invalid:
        return _invalid([problem.text for problem in invalid.problems], {})
    value = row.value if body.value is None else body.value
    changed(asked.request, {"value": [row.value, value], "ignore": [row.ignore, ignore]})
    _in_force(site)
    return _row(misc.row_of(site, asked.request))


def _present(site: Site, asked: Asked) -> Present:
    found = present(site, asked.number)
    if found is None:
        raise UsageError(f"mailbox {asked.number[:32]}: there is no such mailbox")
    return found


def _tab(now: Present) -> models.Options:
    fields = [_field(field, now.mailbox) for field in email_tab(now.mailbox.protocol)]
    return models.Options(now.mailbox.number, now.mailbox.protocol.value, now.version, fields)


def _field(field: Field, mailbox: Mailbox) -> models.OptionField:
    there = False
    value = None if field.secret else plain(value_of(field, mailbox))
    if field.secret:
        there = getattr(mailbox, field.name.partition(".")[0]).password is not None
    choices = [choice.value for choice in field.choices]
    return models.OptionField(field.name, field.label, field.kind.value, value, choices, there)


def _changes(mailbox: Mailbox, given: Mapping[str, models.Plain]) -> Mapping[str, object]:
    """Changes as the options take them; raises ``HTTPException`` for what is not on the tab."""
    fields = {field.name: field for field in email_tab(mailbox.protocol)}
    changes: dict[str, object] = {}
    for name, value in given.items():
        field = fields.get(name)
        if field is None:
            raise HTTPException(422, f"There is no field {name[:64]!r} on the tab.")
        if value is None and field.secret:
            section = name.partition(".")[0]
            changes |= {f"{section}.{key}": None for key in PASSWORD_KEYS}
        else:
            changes[name] = value_from_text(field, value) if isinstance(value, str) else value
    return changes


def _row(row: misc.Row) -> models.Row:
    return models.Row(row.name, row.value, 1 if row.ignore else 0, row.key)


def _in_force(site: Site) -> None:
    if (problem := site.take_up()) is not None:
        raise HTTPException(409, f"It is written, and not in force: {problem}")


def _invalid(what: list[str], fields: Mapping[str, str]) -> Response:
    return json(models.Fault("; ".join(what), dict(fields)), 422)
