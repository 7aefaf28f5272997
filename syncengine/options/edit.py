"""Changes to the files of options: comments and order stay, and a change that does not hold changes nothing.

Every change is validated as a whole, with all files, before it is put in place.
"""

from __future__ import annotations

import contextlib
import hashlib
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from syncengine.errors import OptionsError
from syncengine.options import atomic
from syncengine.options.check import integrated, seats_off
from syncengine.options.files import DROP_INS, examine, read_text
from syncengine.options.keys import keys_of, shown
from syncengine.options.problems import InvalidOptions, refuse
from syncengine.options.reader import NUMBER, NUMBER_ALLOWED, SECRETS, did_you_mean
from syncengine.options.schema import System, VmRow
from syncengine.options.vmconfig import MANUAL_ROWS, MEANINGS, Import, Value, canonical, typed

Change = Callable[[MutableMapping[str, Any]], None]
"""What is done to the tables of one file; done to plain ones too, to see that the text says the same."""


_ROW_OF = {meaning.key: row for row, meaning in MEANINGS.items()}


class ChangedMeanwhile(OptionsError):
    """The file is not the one that the editor had before it: look again, then change."""


def place_of(path: Path, number: str) -> Path | None:
    """Return the file in which the mailbox stands, None where there is no such mailbox."""
    path = Path(path).absolute()
    if not NUMBER.fullmatch(number):
        return None
    drop_in = path.parent / DROP_INS / f"{number}.toml"
    if drop_in.is_file():
        return drop_in
    mailboxes = _parsed(path, read_text(path)[0]).get("mailboxes")
    return path if isinstance(mailboxes, dict) and number in mailboxes else None


def version_of(file: Path) -> str:
    """Return a mark of the file's present text, for ``expected_version``; blank where there is no file."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:32]
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise refuse(file, f"cannot be read: {error.strerror}") from None


def add_mailbox(path: Path, number: str, changes: Mapping[str, object]) -> Path:
    """Write a new drop-in for the mailbox and return its path. Keys are dotted ("imap4.server")."""
    path = Path(path).absolute()
    if not NUMBER.fullmatch(number):
        raise refuse(path, f"allowed is {NUMBER_ALLOWED}", key="mailboxes")
    with atomic.locked(path.parent):
        there = place_of(path, number)
        if there is not None:
            raise refuse(there, "there is such a mailbox already", key=f"mailboxes.{number}")
        drop_in = path.parent / DROP_INS / f"{number}.toml"
        _change(path, drop_in, lambda tables: _apply(tables, changes), seats=True)
    return drop_in


def set_mailbox(
    path: Path, number: str, changes: Mapping[str, object], *, expected_version: str | None = None
) -> Path:
    """Change keys of a mailbox where it stands (None takes a key out) and return that file.

    Giving a password in one way takes the other ways out. Raises :class:`InvalidOptions`, and
    :class:`ChangedMeanwhile` where ``expected_version`` is not the file's.
    """
    path = Path(path).absolute()
    with atomic.locked(path.parent):
        file = _existing(path, number)
        _expect(file, expected_version)

        def change(tables: MutableMapping[str, Any]) -> None:
            _apply(_own(tables, number, file == path), changes)

        _change(path, file, change, seats=True)
    return file


def remove_mailbox(path: Path, number: str, *, expected_version: str | None = None) -> Path:
    """Take the mailbox out of the options and return the file it stood in; its messages are not touched."""
    path = Path(path).absolute()
    with atomic.locked(path.parent):
        file = _existing(path, number)
        _expect(file, expected_version)
        if file == path:
            _change(path, file, lambda tables: tables["mailboxes"].__delitem__(number))
        else:
            atomic.remove(file)
    return file


def set_system(
    path: Path,
    name: str,
    value: object = None,
    *,
    ignore: int | None = None,
    expected_version: str | None = None,
) -> None:
    """Set a key of ``[system]``, or a row of the manual's Misc Setup by its name.

    A row that means something here sets its ``[system]`` key too. ``ignore`` belongs to rows: 1 keeps
    the value and puts the built-in default in force. Without ``value`` only the digit changes; for a
    key of ``[system]``, None takes it out.
    """
    path = Path(path).absolute()
    with atomic.locked(path.parent):
        _expect(path, expected_version)
        plain = _parsed(path, read_text(path)[0])
        row = _ROW_OF.get(name, canonical(name)) if ignore is not None else canonical(name)
        if name in keys_of(System) and ignore is None:
            _change(path, path, lambda tables: _set_key(tables, name, value))
        elif row in MANUAL_ROWS or row in _table_in(plain, "vmconfig"):
            new = _new_row(path, plain, row, value, ignore)
            _change(path, path, lambda tables: _set_row(tables, row, new))
        else:
            hint = did_you_mean(name, [*keys_of(System), *MANUAL_ROWS])
            raise refuse(path, f"there is no such option of the system{hint}", key=name[:64])


def import_rows(path: Path, table: Import) -> None:
    """Write every row that was read from a Misc Setup table, all or none."""
    path = Path(path).absolute()

    def change(tables: MutableMapping[str, Any]) -> None:
        for name, row in table.rows.items():
            _set_row(tables, name, row)

    with atomic.locked(path.parent):
        _change(path, path, change)


def _existing(path: Path, number: str) -> Path:
    file = place_of(path, number)
    if file is None:
        name = number if NUMBER.fullmatch(number) else shown(number)
        raise refuse(path, "there is no such mailbox", key=f"mailboxes.{name}")
    return file


def _expect(file: Path, version: str | None) -> None:
    if version is not None and version != version_of(file):
        raise ChangedMeanwhile(f"{file}: was changed meanwhile: look at it again, then change it")


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        raise refuse(file, "this is no TOML: mend it by hand first") from None


def _table_in(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = tables.get(name, {})
    return table if isinstance(table, Mapping) else {}


def _own(tables: MutableMapping[str, Any], number: str, in_main: bool) -> MutableMapping[str, Any]:
    own: MutableMapping[str, Any] = tables["mailboxes"][number] if in_main else tables
    return own


def _change(path: Path, file: Path, change: Change, *, seats: bool = False) -> None:
    """Apply ``change`` to ``file``, see that the options hold with it, and put it in place."""
    old = read_text(file)[0] if file.exists() else ""
    new = _edited(file, old, change)
    before, known = examine(path)
    after, problems = examine(path, {file: new})
    # A problem that was there before, in whatever file, must not keep anybody from mending another one.
    ignored = {(p.file, p.key, p.text) for p in known}
    fresh = [p for p in problems if (p.file, p.key, p.text) not in ignored]
    if fresh:
        raise InvalidOptions(fresh)
    if seats and (off := seats_off(after, integrated(before))):
        number, reason = next(iter(off.items()))
        raise refuse(file, reason, key=f"mailboxes.{number}.email_integration")
    if new != old or not file.exists():
        atomic.write(file, new, like=path)


def _edited(file: Path, old: str, change: Change) -> str:
    """Return the text with ``change`` applied, comments and order kept."""
    import tomlkit  # noqa: PLC0415 - slow to import, and only needed to write
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    wanted = _parsed(file, old)
    try:
        change(wanted)
        document = tomlkit.parse(old)
        change(document)
        new = tomlkit.dumps(document)
        new.encode()
    except (TOMLKitError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        raise refuse(file, "this change does not fit the file: change it by hand") from None
    # The text must say exactly what was meant: tables out of order have led such editors astray.
    if _lean(_parsed(file, new)) != _lean(wanted):
        raise refuse(file, "the file's form is too unusual for this change: change it by hand")
    return new


def _lean(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out blank tables: with its last mailbox removed, the table of mailboxes may go too."""
    return {name: table for name, table in tables.items() if table != {}}


def _apply(tables: MutableMapping[str, Any], changes: Mapping[str, object]) -> None:
    """Set dotted keys; those of the mailbox itself first, so that they stand above its sections."""
    for dotted, value in sorted(changes.items(), key=lambda item: "." in item[0]):
        section, _, name = dotted.rpartition(".")
        if value is None and section not in {"", *tables}:
            continue
        table = tables.setdefault(section, {}) if section else tables
        if name in SECRETS and value:
            for other in SECRETS - {name}:
                if f"{section}.{other}" not in changes:
                    table.pop(other, None)
        _put(table, name, value)


def _put(table: MutableMapping[str, Any], name: str, value: object) -> None:
    match value:
        case None:
            table.pop(name, None)
        case bool() | int() | float():
            table[name] = value
        case str():
            table[name] = str(value)
        case Path():
            table[name] = str(value)
        case list() | tuple():
            table[name] = [str(part) for part in value]
        case _:
            raise TypeError(f"a {type(value).__name__} is no value of an option")


def _set_key(tables: MutableMapping[str, Any], name: str, value: object) -> None:
    _put(tables.setdefault("system", {}), name, value)
    for row, meaning in MEANINGS.items():
        there = _table_in(tables, "vmconfig").get(row)
        if meaning.key == name and isinstance(there, MutableMapping) and isinstance(value, bool | int | str):
            there["value"] = meaning.to_row(str(value) if isinstance(value, str) else value)


def _new_row(path: Path, plain: Mapping[str, Any], row: str, value: object, ignore: int | None) -> VmRow:
    there = _table_in(plain, "vmconfig").get(row, {})
    there = there if isinstance(there, dict) else {}
    meaning = MEANINGS.get(row)
    current: Value = there.get("value", MANUAL_ROWS.get(row, ""))
    if meaning is not None and meaning.key in _table_in(plain, "system"):
        current = meaning.to_row(plain["system"][meaning.key])
    if value is not None:
        try:
            current = typed(row, str(value))
        except ValueError as error:
            raise refuse(path, str(error).removeprefix(f"{row}: "), key=f"vmconfig.{row}") from None
    return VmRow(current, there.get("ignore", 0) if ignore is None else ignore)


def _set_row(tables: MutableMapping[str, Any], name: str, row: VmRow) -> None:
    import tomlkit  # noqa: PLC0415

    meaning = MEANINGS.get(name)
    if meaning is not None:
        # A value like "90s" only [system] can hold, and it stands there already.
        with contextlib.suppress(ValueError):
            _put(tables.setdefault("system", {}), meaning.key, meaning.to_system(row.value))
    rows = tables.setdefault("vmconfig", {})
    there = rows.get(name)
    if isinstance(there, MutableMapping):
        there["value"], there["ignore"] = row.value, row.ignore
        return
    inline = tomlkit.inline_table()
    inline["value"], inline["ignore"] = row.value, row.ignore
    rows[name] = inline
