"""``system`` and ``import-vmconfig``: the table ``[system]`` and the rows of Misc Setup (manual page 7)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from syncengine.cli.call import Call, Exit
from syncengine.cli.values import plain, text_of
from syncengine.errors import UsageError
from syncengine.options.edit import import_rows, set_system
from syncengine.options.keys import keys_of
from syncengine.options.schema import Settings, System, VmRow
from syncengine.options.tab import system_value_from_text
from syncengine.options.vmconfig import Import, parse_table

_MOST_BYTES = 1 << 20


def fill(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the arguments of one of the commands."""
    add = parser.add_argument
    if name == "import-vmconfig":
        add("file", metavar="FILE", help="the printed table (tabs or spaces) or CSV; - is standard input")
        parser.set_defaults(run=take_over)
        return
    add("action", choices=("show", "set"), help="what to do")
    add("name", metavar="NAME", nargs="?", help="a key of [system], or a row of Misc Setup")
    add("value", metavar="VALUE", nargs="?", help="its value; blank takes a key out")
    add("--ignore", type=int, choices=(0, 1), help="a row's Ignore digit; 1 = the built-in default")
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """Show the options of the system, or set one and show it."""
    args = call.args
    config = call.config()
    if args.action == "set":
        if args.name is None or (args.value is None and args.ignore is None):
            raise UsageError("system set: give a NAME and a VALUE, or --ignore 0 or 1")
        key = keys_of(System).get(args.name)
        value = args.value if key is None or args.value is None else system_value_from_text(key, args.value)
        set_system(config, args.name, value, ignore=args.ignore)
    elif args.value is not None or args.ignore is not None:
        raise UsageError("system show: it takes no value; system set sets one")
    settings = call.settings_so_far()
    if call.out.json:
        call.out.document(system_object(settings))
    elif args.action == "show":
        call.out.table(("name", "value", "ignore"), _rows(settings, args.name))
    else:
        for row in _rows(settings, args.name):
            call.out.say(f"{row[0]} = {row[1]}" + (f", ignore {row[2]}" if row[2] else ""))
    return Exit.DONE


def system_object(settings: Settings) -> dict[str, Any]:
    """Return the options of the system and the rows of Misc Setup for ``--json``."""
    return {
        "system": {name: plain(getattr(settings.system, name)) for name in keys_of(System)},
        "vmconfig": {
            name: {"value": row.value, "ignore": row.ignore} for name, row in settings.vmconfig.items()
        },
    }


def _rows(settings: Settings, only: str | None) -> Sequence[tuple[str, str, str]]:
    rows = [(name, text_of(key, getattr(settings.system, name)), "") for name, key in keys_of(System).items()]
    rows += [(name, str(row.value), str(row.ignore)) for name, row in settings.vmconfig.items()]
    found = [row for row in rows if only in {None, row[0]}]
    if not found:
        raise UsageError(f"system show: there is no {only}; system show lists all")
    return found


def take_over(call: Call) -> Exit:
    """Read a Misc Setup table and say which rows were used, and which mean nothing here."""
    table = parse_table(_text(call.args.file))
    if not table.rows:
        reason = table.problems[0] if table.problems else "it is empty"
        raise UsageError(f"{call.args.file}: no row of Misc Setup was found: {reason}")
    import_rows(call.config(), table)
    if call.out.json:
        call.out.document(import_object(table))
    for used in table.used:
        call.out.say(f"used: {used.name} = {_shown(used.row)}, as {used.key}")
    for name, row in (dict(table.kept) | dict(table.unknown)).items():
        call.out.say(f"kept, means nothing here: {name} = {_shown(row)}")
    for problem in table.problems:
        call.out.error(f"{call.args.file}: {problem}; left out")
    return Exit.FAILED if table.problems else Exit.DONE


def import_object(table: Import) -> dict[str, Any]:
    """Return what was read from a table for ``--json``."""
    return {
        "used": [
            {"name": u.name, "key": u.key, "value": u.row.value, "ignore": u.row.ignore} for u in table.used
        ],
        "kept": list(table.kept),
        "unknown": list(table.unknown),
        "problems": list(table.problems),
    }


def _shown(row: VmRow) -> str:
    return f"{row.value}" + (" (ignored: the built-in default is in force)" if row.ignore else "")


def _text(name: str) -> str:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no name of a file"
        raise UsageError(f"{name}: cannot be read: {reason}") from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{name}: longer than {_MOST_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What was exported long ago is in Windows' own alphabet; the names of the rows are ASCII.
        return data.decode("cp1252", "replace")
