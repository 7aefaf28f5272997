"""``mailbox``: the options of one mailbox, field by field of the manual's Email tab (manual pages 3 to 6)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from getpass import getpass
from typing import Any

from syncengine.cli.call import Call, Exit
from syncengine.cli.values import key_of, plain, text_of, value_of
from syncengine.errors import UsageError
from syncengine.options.edit import add_mailbox, place_of, remove_mailbox, set_mailbox
from syncengine.options.schema import Mailbox
from syncengine.options.tab import Field, FieldKind, all_fields, field_named, value_from_text

_COLUMNS = ("mailbox", "e-mail", "e-mail name", "protocol", "sync mode", "server", "file")
_MOST_PASSWORD = 16384


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments: an option for every field of the tab."""
    parser.usage = "%(prog)s add|set|show|list|remove [NUMBER] [--imap4-server HOST ...]"
    parser.add_argument("action", choices=("add", "set", "show", "list", "remove"), help="what to do")
    parser.add_argument("number", metavar="NUMBER", nargs="?", help="the mailbox")
    tab = parser.add_argument_group("the Email tab", "A blank value takes an option out.")
    more = parser.add_argument_group("further options")
    for field in all_fields():
        group = tab if field.manual else more
        group.add_argument(
            *field.flags,
            dest=field.name,
            metavar=_metavar(field),
            default=argparse.SUPPRESS,
            help=_help(field),
        )
    parser.set_defaults(run=run)


def _metavar(field: Field) -> str:
    if field.choices:
        return "|".join(choice.value for choice in field.choices)
    return {FieldKind.SWITCH: "yes|no", FieldKind.PASSWORD: "PASSWORD|-"}.get(field.kind, field.kind.upper())


def _help(field: Field) -> str:
    text = f"{field.doc} - asks for it, so that no process list shows it." if field.secret else field.doc
    default = f" (default {field.default_text})" if field.default_text not in {"", '""', "[]"} else ""
    return (text + default).replace("%", "%%")


def run(call: Call) -> Exit:
    """Do what was asked for to one mailbox."""
    action, number = call.args.action, call.args.number
    texts = {name: value for name, value in vars(call.args).items() if field_named(name) is not None}
    if (number is None) != (action == "list"):
        raise UsageError("mailbox: list takes no NUMBER, everything else takes one")
    if texts and action not in {"add", "set"}:
        raise UsageError(f"mailbox {action}: it takes no options of the tab")
    match action:
        case "list":
            return _list(call)
        case "show":
            return _show(call, number)
        case "remove":
            file = remove_mailbox(call.config(), number)
        case "set" if not texts:
            raise UsageError("mailbox set: no option was given; mailbox set --help lists them")
        case _:
            change = add_mailbox if action == "add" else set_mailbox
            file = change(call.config(), number, _changes(texts))
            call.settings_so_far()
    if call.out.json:
        call.out.document({"mailbox": number, "file": str(file)})
    done = {"add": "added, in", "set": "set, in", "remove": "removed from"}[action]
    call.out.say(f"mailbox {number}: {done} {file}")
    return Exit.DONE


def _changes(texts: Mapping[str, str]) -> Mapping[str, object]:
    changes = {}
    for field in all_fields():
        if field.name in texts:
            text = texts[field.name]
            if field.secret and text == "-":
                text = _asked(field)
            changes[field.name] = value_from_text(field, text)
    return changes


def _asked(field: Field) -> str:
    """Return a password as typed blindly at the terminal, or the next line of standard input."""
    if sys.stdin.isatty():
        return getpass(f"{field.label}: ")
    line = sys.stdin.readline(_MOST_PASSWORD)
    if not line:
        raise UsageError(f"{field.flags[0]} -: there is no line on standard input")
    return line.rstrip("\r\n")


def _list(call: Call) -> Exit:
    settings = call.settings_so_far()
    found = [
        (mailbox, str(place_of(call.config(), number))) for number, mailbox in settings.mailboxes.items()
    ]
    if call.out.json:
        call.out.document([_summary(mailbox, file) for mailbox, file in found])
    else:
        rows = [
            (
                mailbox.number,
                "yes" if mailbox.email_integration else "no",
                mailbox.email_name or "-",
                mailbox.protocol,
                mailbox.sync_mode,
                mailbox.imap4.server or mailbox.pop3.server or mailbox.smtp.server or "-",
                file,
            )
            for mailbox, file in found
        ]
        call.out.table(_COLUMNS, rows, empty="there is no mailbox yet")
    return Exit.DONE


def _summary(mailbox: Mailbox, file: str) -> dict[str, Any]:
    return {
        "mailbox": mailbox.number,
        "email_integration": mailbox.email_integration,
        "email_name": mailbox.email_name,
        "protocol": mailbox.protocol,
        "sync_mode": mailbox.sync_mode,
        "file": file,
    }


def _show(call: Call, number: str) -> Exit:
    mailbox = call.settings_so_far().mailboxes.get(number)
    if mailbox is None:
        raise UsageError(f"mailbox {number}: there is none; syncengine mailbox list shows them all")
    if call.out.json:
        options = {field.name: plain(value_of(field, mailbox)) for field in all_fields()}
        call.out.document(
            {"mailbox": number, "file": str(place_of(call.config(), number)), "options": options}
        )
    else:
        rows = [(f.label, f.name, text_of(key_of(f), value_of(f, mailbox))) for f in all_fields()]
        call.out.table(("label", "option", "value"), rows)
    return Exit.DONE
