"""Mailbox Options: the E-mail tab of the manual (pages 3 to 6), field by field, and Test.

Invariant: only fields that were changed are written, a password is never shown, and who comes later with
older fields before him is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syncengine.errors import UsageError
from syncengine.options.edit import ChangedMeanwhile, add_mailbox
from syncengine.options.keys import SECTIONS
from syncengine.options.problems import InvalidOptions
from syncengine.options.reader import NUMBER
from syncengine.options.schema import Mailbox
from syncengine.options.secret import PASSWORD_KEYS
from syncengine.options.tab import Field, email_tab, value_from_text
from syncengine.web.flow import flowing
from syncengine.web.site import Form, Site
from syncengine.web.tab import Present, errors_of, present, text_in, write

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


def pick(site: Site, request: Request) -> Response:
    """Pick a mailbox by the number buttons, the field or the list."""
    number = request.query_params.get("number", "").strip()[:32]
    digit = request.query_params.get("digit", "")
    if len(digit) == 1 and digit in "0123456789":
        number += digit
    elif NUMBER.fullmatch(number):
        return RedirectResponse(f"/options/{number}", 303)
    wanted = request.query_params.get("q", "").strip()[:100]
    part = wanted.casefold()
    found = [
        one
        for one in site.engine.settings.mailboxes.values()
        if one.number.startswith(number) and (part in one.number or part in one.email_name.casefold())
    ]
    return site.page(
        request,
        "pick.html",
        number=number,
        wanted=wanted,
        found=found[:_MOST_SHOWN],
        more=max(0, len(found) - _MOST_SHOWN),
    )


def show(site: Site, request: Request) -> Response:
    """Show the tab of a mailbox; where there is none, that it can be added."""
    number = request.path_params["number"]
    now = present(site, number)
    if now is None:
        if not NUMBER.fullmatch(number):
            raise UsageError("there is no such mailbox")
        return site.page(request, "add.html", 404, number=number)
    applied = request.query_params.get("said") == "applied"
    return _tab(site, request, now, said="The changes are applied." if applied else "")


def add(site: Site, request: Request, _: Form) -> Response:
    """Add a mailbox with nothing set, and show its tab."""
    number = request.path_params["number"]
    add_mailbox(site.config, number, {})
    site.take_up()
    return RedirectResponse(f"/options/{number}", 303)


def apply(site: Site, request: Request, form: Form) -> Response:
    """Apply the changes; all of them, or none with what is wrong beside each field."""
    number = request.path_params["number"]
    now = present(site, number)
    if now is None:
        raise UsageError(f"mailbox {number[:32]}: there is none any more")
    try:
        changes = _changes(now.mailbox, form)
        if changes:
            write(site, request, now, changes, form.get("version", ""))
    except ChangedMeanwhile:
        said = (
            "Somebody else changed this mailbox meanwhile: nothing was applied. Your entries are kept below."
        )
        return _tab(site, request, now, form=form, bad=f"{said} Look at them, then apply again.", code=409)
    except InvalidOptions as invalid:
        return _refused(site, request, now, form, invalid)
    if not changes:
        return _tab(site, request, now, said="Nothing was changed.")
    if (problem := site.take_up()) is not None:
        return _tab(
            site, request, present(site, number) or now, bad=f"It is written, and not in force: {problem}"
        )
    return RedirectResponse(f"/options/{number}?said=applied", 303)


def test(site: Site, request: Request, _: Form) -> Response:
    """Try the account step by step as the applied options say; nothing is sent or changed."""
    number = site.known(request.path_params["number"])
    return flowing(site, request, "test.html", number=number, steps=site.trials.steps(site.engine, number))


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
        elif text.strip() != text_in(field, mailbox):
            changes[field.name] = value_from_text(field, text)
            if field.name.endswith(".security"):
                _let_follow(mailbox, section, form, changes)
    return changes


def _let_follow(mailbox: Mailbox, section: str, form: Form, changes: dict[str, object]) -> None:
    """A port that was the usual one, and was not touched, goes along with its security setting."""
    server = getattr(mailbox, section)
    usual = str(server.DEFAULT_PORTS[server.security])
    if str(server.port) == usual == form.get(f"{section}.port", "").strip():
        changes[f"{section}.port"] = None


def _refused(site: Site, request: Request, now: Present, form: Form, invalid: InvalidOptions) -> Response:
    """The tab with what is wrong beside each field; what belongs to none of them above."""
    errors, rest = errors_of(invalid, now.mailbox)
    bad = "; ".join(["Nothing was applied: these options do not hold", *rest]) + "."
    return _tab(site, request, now, form=form, errors=errors, bad=bad, code=422)


def _tab(
    site: Site,
    request: Request,
    now: Present,
    *,
    form: Form | None = None,
    errors: Mapping[str, str] | None = None,
    said: str = "",
    bad: str = "",
    code: int = 200,
) -> Response:
    mailbox = now.mailbox
    fields = email_tab(mailbox.protocol)
    return site.page(
        request,
        "options.html",
        code,
        number=mailbox.number,
        protocol=mailbox.protocol,
        version=now.version,
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
    now = text_in(field, mailbox)
    text = form.get(field.name, now)
    note = f"At present: {_label(field, now) or 'none'}." if text.strip() != now else ""
    ports = ""
    if key == "security":
        usual = SECTIONS[section].DEFAULT_PORTS
        ports = " ".join(f"{security}:{port}" for security, port in usual.items())
    return Entry(field, text, note, error, ports)


def _label(field: Field, text: str) -> str:
    return next((choice.label for choice in field.choices if choice.value == text), text)
