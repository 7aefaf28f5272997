"""What the page and the API share of Mailbox Options: a mailbox as its file says, and changes to it.

Invariant: only fields of the manual's tab are written, and a subscriber never has a stored password sent
to a server that he names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from syncengine.cli.values import key_of, text_of, value_of
from syncengine.options.edit import place_of, set_mailbox, version_of
from syncengine.options.files import examine_part
from syncengine.options.keys import SECTIONS
from syncengine.options.problems import InvalidOptions, OptionProblem
from syncengine.options.schema import Mailbox
from syncengine.options.secret import PASSWORD_KEYS
from syncengine.options.tab import Field, FieldKind, email_tab, field_named
from syncengine.web.site import Site, changed, visit_of
from syncengine.web.who import Role

_LEADS = ("server", "port", "security")
"""Where a password goes, and how safely."""


@dataclass(frozen=True, slots=True)
class Present:
    """A mailbox as its file says now; the version is read first, so that it is never newer than the rest."""

    mailbox: Mailbox
    version: str


def present(site: Site, number: str) -> Present | None:
    """Return a mailbox's options as they stand now, None where there is no such mailbox."""
    place = place_of(site.config, number)
    if place is None:
        return None
    version = version_of(place)
    mailbox = examine_part(site.config, number).mailboxes.get(number)
    return Present(mailbox, version) if mailbox is not None else None


def write(site: Site, request: Request, now: Present, changes: Mapping[str, object], version: str) -> None:
    """Write changes, all or none, and note them for the record.

    Raises ``InvalidOptions`` for what does not hold, ``ChangedMeanwhile`` where the file has another version.
    """
    who = visit_of(request).who
    if who is not None and who.role is Role.SUBSCRIBER:
        _keep_passwords(now.mailbox, changes)
    set_mailbox(site.config, now.mailbox.number, changes, expected_version=version)
    changed(request, _told(now.mailbox, changes))


def errors_of(invalid: InvalidOptions, mailbox: Mailbox) -> tuple[Mapping[str, str], list[str]]:
    """Return what is wrong by the tab's fields, and what belongs to none of them."""
    names = {field.name for field in email_tab(mailbox.protocol)}
    errors: dict[str, str] = {}
    rest = []
    for problem in invalid.problems:
        name = problem.key.removeprefix(f"mailboxes.{mailbox.number}.")
        section, _, key = name.rpartition(".")
        name = f"{section}.password" if key in PASSWORD_KEYS else name
        if name in names:
            errors[name] = problem.text
        else:
            rest.append(str(problem))
    return errors, rest


def text_in(field: Field, mailbox: Mailbox) -> str:
    """Return a field's value as the tab writes it."""
    text = text_of(key_of(field), value_of(field, mailbox))
    return {"true": "yes", "false": "no"}[text] if field.kind is FieldKind.SWITCH else text


def _keep_passwords(mailbox: Mailbox, changes: Mapping[str, object]) -> None:
    problems = []
    for section in SECTIONS:
        server = getattr(mailbox, section)
        moved = any(f"{section}.{key}" in changes for key in _LEADS)
        if moved and server.password is not None and f"{section}.password" not in changes:
            key = f"mailboxes.{mailbox.number}.{section}.password"
            problems.append(OptionProblem("", None, key, "another server: type its password in as well"))
    if problems:
        raise InvalidOptions(problems)


def _told(mailbox: Mailbox, changes: Mapping[str, object]) -> Mapping[str, object]:
    """Old and new values for the record; of a secret only that it changed."""
    told: dict[str, object] = {}
    for name, value in changes.items():
        field = field_named(name)
        if name.rpartition(".")[2] in PASSWORD_KEYS or field is None or field.secret:
            told[name] = "taken out" if value is None else "changed"
        else:
            told[name] = [text_in(field, mailbox), value]
    return told
