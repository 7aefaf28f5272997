"""Mailbox Options: the E-mail tab of the manual (pages 3 to 6), field by field, and Test.

Invariant: only fields that were changed are written, a password is never shown, and who comes later with
older fields before him is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syncengine.cli.values import key_of, text_of, value_of
from syncengine.engine.trial import try_account
from syncengine.errors import UsageError
from syncengine.options.edit import ChangedMeanwhile, add_mailbox, place_of, set_mailbox, version_of
from syncengine.options.files import examine
from syncengine.options.keys import SECTIONS
from syncengine.options.problems import InvalidOptions
from syncengine.options.reader import NUMBER
from syncengine.options.schema import Mailbox
from syncengine.options.secret import PASSWORD_KEYS
from syncengine.options.tab import Field, FieldKind, email_tab, field_named, value_from_text
from syncengine.web.site import Form, Site, changed

_MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One field as the page shows it."""

    field: Field
    text: str
    note: str = ""
    error: str = ""
    ports: str = ""
    """Of a security setting: the port that goes with each choice."""

    @property
    def id(self) -> str:
        """Its name in the page."""
        return self.field.name.replace(".", "-")


@dataclass(frozen=True, slots=True)
class _Present:
    """A mailbox as its file says now; the version is read first, so that it is never newer than the rest."""

    mailbox: Mailbox
    version: str


def pick(site: Site, request: Request) -> Response:
    """Pick a mailbox by the number buttons, the field or the list."""
    number = request.query_params.get("number", "").strip()[:32]
    digit = request.query_params.get("digit", "")
    if len(digit) == 1 and digit in "0123456789":
        number += digit
    elif NUMBER.fullmatch(number):
        return RedirectResponse(f"/options/{number}", 303)
    found = [one for one in site.engine.settings.mailboxes.values() if one.number.startswith(number)]
    return site.page(
        request, "pick.html", number=number, found=found[:_MOST_SHOWN], more=max(0, len(found) - _MOST_SHOWN)
    )


def show(site: Site, request: Request) -> Response:
    """Show the tab of a mailbox; where there is none, that it can be added."""
    number = request.path_params["number"]
    present = _present(site, number)
    if present is None:
        if not NUMBER.fullmatch(number):
            raise UsageError("there is no such mailbox")
        return site.page(request, "add.html", 404, number=number)
    applied = request.query_params.get("said") == "applied"
    return _tab(site, request, present, said="The changes are applied." if applied else "")


def add(site: Site, request: Request, _: Form) -> Response:
    """Add a mailbox with nothing set, and show its tab."""
    number = request.path_params["number"]
    add_mailbox(site.config, number, {})
    site.take_up()
    return RedirectResponse(f"/options/{number}", 303)


def apply(site: Site, request: Request, form: Form) -> Response:
    """Apply the changes; all of them, or none with what is wrong beside each field."""
    number = request.path_params["number"]
    present = _present(site, number)
    if present is None:
        raise UsageError(f"mailbox {number[:32]}: there is none any more")
    try:
        changes = _changes(present.mailbox, form)
        if changes:
            set_mailbox(site.config, number, changes, expected_version=form.get("version", ""))
            changed(request, _told(present.mailbox, changes))
    except ChangedMeanwhile:
        said = (
            "Somebody else changed this mailbox meanwhile: nothing was applied. Your entries are kept below."
        )
        return _tab(
            site, request, present, form=form, bad=f"{said} Look at them, then apply again.", code=409
        )
    except InvalidOptions as invalid:
        return _refused(site, request, present, form, invalid)
    if not changes:
        return _tab(site, request, present, said="Nothing was changed.")
    if (problem := site.take_up()) is not None:
        now = _present(site, number) or present
        return _tab(site, request, now, bad=f"It is written, and not in force: {problem}")
    return RedirectResponse(f"/options/{number}?said=applied", 303)


def test(site: Site, request: Request, _: Form) -> Response:
    """Try the account step by step as the applied options say; nothing is sent or changed."""
    number = site.known(request.path_params["number"])
    steps = list(try_account(site.engine.binding(number), site.engine.index))
    return site.page(request, "test.html", number=number, steps=steps, ok=all(step.ok for _, step in steps))


def _present(site: Site, number: str) -> _Present | None:
    place = place_of(site.config, number)
    if place is None:
        return None
    version = version_of(place)
    mailbox = examine(site.config)[0].mailboxes.get(number)
    return _Present(mailbox, version) if mailbox is not None else None


def _changes(mailbox: Mailbox, form: Form) -> Mapping[str, object]:
    """What the form says otherwise than the mailbox."""
    changes: dict[str, object] = {}
    for field in email_tab(mailbox.protocol):
        text = form.get(field.name)
        section = field.name.partition(".")[0]
        if text is None:
            continue
        if field.secret:
            if text:
                changes[field.name] = value_from_text(field, text)
            elif form.get(f"{field.name}.remove") == "yes":
                changes |= {f"{section}.{key}": None for key in PASSWORD_KEYS}
        elif text.strip() != _text(field, mailbox):
            changes[field.name] = value_from_text(field, text)
            if field.name.endswith(".security"):
                _let_follow(mailbox, section, form, changes)
    return changes


def _told(mailbox: Mailbox, changes: Mapping[str, object]) -> Mapping[str, object]:
    """Old and new values for the record; of a secret only that it changed."""
    told: dict[str, object] = {}
    for name, value in changes.items():
        field = field_named(name)
        if name.rpartition(".")[2] in PASSWORD_KEYS or field is None or field.secret:
            told[name] = "taken out" if value is None else "changed"
        else:
            told[name] = [_text(field, mailbox), value]
    return told


def _let_follow(mailbox: Mailbox, section: str, form: Form, changes: dict[str, object]) -> None:
    """A port that was the usual one, and was not touched, goes along with its security setting."""
    server = getattr(mailbox, section)
    usual = str(server.DEFAULT_PORTS[server.security])
    if str(server.port) == usual == form.get(f"{section}.port", "").strip():
        changes[f"{section}.port"] = None


def _refused(
    site: Site, request: Request, present: _Present, form: Form, invalid: InvalidOptions
) -> Response:
    """The tab with what is wrong beside each field; what belongs to none of them above."""
    names = {field.name for field in email_tab(present.mailbox.protocol)}
    errors: dict[str, str] = {}
    rest = []
    for problem in invalid.problems:
        name = problem.key.removeprefix(f"mailboxes.{present.mailbox.number}.")
        section, _, key = name.rpartition(".")
        name = f"{section}.password" if key in PASSWORD_KEYS else name
        if name in names:
            errors[name] = problem.text
        else:
            rest.append(str(problem))
    bad = "; ".join(["Nothing was applied: these options do not hold", *rest]) + "."
    return _tab(site, request, present, form=form, errors=errors, bad=bad, code=422)


def _tab(
    site: Site,
    request: Request,
    present: _Present,
    *,
    form: Form | None = None,
    errors: Mapping[str, str] | None = None,
    said: str = "",
    bad: str = "",
    code: int = 200,
) -> Response:
    mailbox = present.mailbox
    fields = email_tab(mailbox.protocol)
    return site.page(
        request,
        "options.html",
        code,
        number=mailbox.number,
        protocol=mailbox.protocol,
        version=present.version,
        entries=[_entry(field, mailbox, form or {}, (errors or {}).get(field.name, "")) for field in fields],
        said=said,
        bad=bad,
    )


def _entry(field: Field, mailbox: Mailbox, form: Form, error: str) -> Entry:
    section, _, key = field.name.rpartition(".")
    if field.secret:
        secret = getattr(mailbox, section).password
        set_by = "" if secret is None or secret.key == "password" else f", by {secret.key}"
        return Entry(field, "", f"It is set{set_by}." if secret is not None else "It is not set.", error)
    now = _text(field, mailbox)
    text = form.get(field.name, now)
    note = f"At present: {_label(field, now) or 'none'}." if text.strip() != now else ""
    ports = ""
    if key == "security":
        usual = SECTIONS[section].DEFAULT_PORTS
        ports = " ".join(f"{security}:{port}" for security, port in usual.items())
    return Entry(field, text, note, error, ports)


def _text(field: Field, mailbox: Mailbox) -> str:
    text = text_of(key_of(field), value_of(field, mailbox))
    return {"true": "yes", "false": "no"}[text] if field.kind is FieldKind.SWITCH else text


def _label(field: Field, text: str) -> str:
    return next((choice.label for choice in field.choices if choice.value == text), text)
