"""From parsed TOML to settings: each key is converted by its kind, every problem is collected.

Pure but for home folders in paths: what a file's text says is decided here, where it came from is not.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from syncengine.options.check import check_mailbox
from syncengine.options.keys import SECTIONS, Key, keys_of, section_keys, shown
from syncengine.options.problems import OptionProblem
from syncengine.options.reader import (
    NUMBER,
    NUMBER_ALLOWED,
    SECRETS,
    KeyPath,
    Reader,
    Source,
    convert,
    kind_of,
    path_of,
)
from syncengine.options.schema import SYSTEMS, Mailbox, Settings, Sync, System, VmRow
from syncengine.options.secret import PasswordKey, Secret
from syncengine.options.servers import Imap4, Pop3, Smtp
from syncengine.options.values import FilePath
from syncengine.options.vmconfig import canonical, meaning_of


def read_settings(
    main: Source, drop_ins: Sequence[Source], *, base: Path, path: Path | None = None
) -> tuple[Settings, list[OptionProblem]]:
    """Return the settings and what is wrong with them; with any problem they must not be used.

    ``base``: the folder that relative paths start from.
    """
    problems: list[OptionProblem] = []
    reader = Reader(main, problems, base)
    data = reader.toml()
    reader.known(data, (), _TOP)
    tables = {name: reader.table(data.get(name, {}), (name,)) for name in _TOP}
    rows = _read_rows(reader, tables["vmconfig"])
    system = _read_system(reader, tables["system"], rows)
    reader.known(tables["sync"], ("sync",), keys_of(Sync))
    sync = Sync(**reader.values(tables["sync"], ("sync",), keys_of(Sync)))
    mailboxes: dict[str, Mailbox] = {}
    for number, table in tables["mailboxes"].items():
        place = ("mailboxes", number)
        if not NUMBER.fullmatch(number):
            reader.refuse(place, f"allowed is {NUMBER_ALLOWED}")
            continue
        mailboxes[number] = _read_mailbox(reader, number, reader.table(table, place), place, system, sync)
    for source in drop_ins:
        number = source.number or ""
        own = Reader(source, problems, base)
        if number in mailboxes:
            own.refuse((), f"this mailbox stands in {main.file} too; it may stand in one of the two only")
            continue
        mailboxes[number] = _known_good(source, base, system, sync) or _read_mailbox(
            own, number, own.toml(), (), system, sync
        )
    order = {source.file: place for place, source in enumerate((main, *drop_ins))}
    problems.sort(key=lambda problem: (order[problem.file], problem.line or 0))
    settings = Settings(
        system=system, sync=sync, mailboxes=MappingProxyType(mailboxes), vmconfig=rows, path=path
    )
    return settings, problems


_TOP = ("system", "sync", "mailboxes", "vmconfig")


def _read_system(reader: Reader, data: dict[str, Any], rows: Mapping[str, VmRow]) -> System:
    keys = keys_of(System)
    reader.known(data, ("system",), keys)
    values = reader.values(data, ("system",), keys)
    for name, row in rows.items():
        meaning = meaning_of(name)
        if meaning is None:
            continue
        if row.ignore:
            values.pop(meaning.key, None)
        elif meaning.key not in data:
            try:
                values[meaning.key] = convert(meaning.to_system(row.value), keys[meaning.key], reader.base)
            except ValueError:
                allowed = keys[meaning.key].allowed
                reader.refuse(("vmconfig", name), f"found {shown(row.value)}, allowed is {allowed}")
    values.setdefault("state_dir", reader.base / System().state_dir)
    return System(**values)


def _read_rows(reader: Reader, data: dict[str, Any]) -> Mapping[str, VmRow]:
    rows: dict[str, VmRow] = {}
    for name, row in data.items():
        place = ("vmconfig", name)
        match row:
            case {"value": bool() | int() | str() as value, **rest} if rest.keys() <= {"ignore"}:
                ignore = rest.get("ignore", 0)
                if type(ignore) is int and ignore in {0, 1}:
                    rows[canonical(name)] = VmRow(value, ignore)
                    continue
        reader.refuse(place, "allowed is {value = a text, number, true or false, ignore = 0 or 1}")
    return MappingProxyType(rows)


@cache
def _mailbox_keys() -> Mapping[str, Key]:
    return MappingProxyType({**keys_of(Mailbox), **keys_of(Sync)})


@cache
def _inherited() -> tuple[str, ...]:
    return tuple(name for name, key in keys_of(Mailbox).items() if key.about.shown == SYSTEMS)


def _read_mailbox(
    reader: Reader, number: str, data: dict[str, Any], path: KeyPath, system: System, sync: Sync
) -> Mailbox:
    before = reader.count
    reader.known(data, path, _mailbox_keys().keys() | SECTIONS.keys())
    values = {name: getattr(system, name) for name in _inherited()}
    values |= reader.values(data, path, _mailbox_keys())
    own = {name: values.pop(name) for name in keys_of(Sync) if name in values}
    sections: dict[str, Any] = {
        name: _read_section(reader, reader.table(data.get(name, {}), (*path, name)), (*path, name), number)
        for name in SECTIONS
    }
    mailbox = Mailbox(number=number, **values, **sections, sync=replace(sync, **own) if own else sync)
    if reader.count == before:
        for key, text in check_mailbox(mailbox, system):
            reader.refuse((*path, *key), text)
    return mailbox


@lru_cache(maxsize=2**15)
def _known_good(source: Source, base: Path, system: System, sync: Sync) -> Mailbox | None:
    """A drop-in as it was read before: of thousands, one changes. None where something is wrong with it."""
    problems: list[OptionProblem] = []
    own = Reader(source, problems, base)
    mailbox = _read_mailbox(own, source.number or "", own.toml(), (), system, sync)
    return None if problems else mailbox


def _read_section(reader: Reader, data: dict[str, Any], path: KeyPath, number: str) -> Smtp | Imap4 | Pop3:
    table = SECTIONS[path[-1]]
    keys = section_keys(path[-1])
    reader.known(data, path, keys)
    values = reader.values(data, path, keys)
    given = [PasswordKey(name) for name in list(values) if name in SECRETS]
    secrets = [(key, text) for key in given if (text := values.pop(key.value))]
    for key, _ in secrets[1:]:
        reader.refuse((*path, key.value), f"{secrets[0][0].value} stands here too; only one of them may")
    if secrets:
        values["password"] = _secret(reader, *secrets[0], path, number)
    section: Smtp | Imap4 | Pop3 = table(**values)
    return section


def _secret(reader: Reader, key: PasswordKey, text: str, path: KeyPath, number: str) -> Secret:
    place = (*path, key.value)
    match key:
        case PasswordKey.INLINE:
            if (reader.source.mode or 0) & stat.S_IROTH:
                reader.refuse(place, "the file holds a password and is readable by everybody: chmod 600 it")
        case PasswordKey.COMMAND:
            import shlex  # noqa: PLC0415 - only where a command stands

            try:
                if not shlex.split(text):
                    reader.refuse(place, "the command is blank")
            except ValueError:
                reader.refuse(place, "the command has a quote that is not closed")
        case PasswordKey.FILE:
            try:
                text = str(path_of(text, reader.base, optional=False))
            except ValueError:
                reader.refuse(place, f"found {kind_of(text)}, allowed is {FilePath.allowed}")
        case PasswordKey.ENV:
            pass
    return Secret(key, text, where=f"mailboxes.{number}.{path[-1]}")
