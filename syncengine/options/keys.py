"""What is known of every key, drawn from the schema: for reading, the Email tab and the page of options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_type_hints

from msgspec import Meta

from syncengine.options.secret import PASSWORD_KEYS
from syncengine.options.servers import Imap4, Pop3, Smtp
from syncengine.options.values import PASSWORD_TEXT, About, Duration, FilePath


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key; ``kind`` is the annotated type that a value is converted to."""

    name: str
    kind: Any
    about: About
    marker: Duration | FilePath | None
    allowed: str
    choices: tuple[str, ...]
    default: object
    default_text: str


T = TypeVar("T")

SECTIONS: Mapping[str, type[Any]] = MappingProxyType({"smtp": Smtp, "imap4": Imap4, "pop3": Pop3})
"""The server sections of a mailbox."""


@cache
def keys_of(table: type[Any]) -> Mapping[str, Key]:
    """Return the keys of a table of the schema, by name, in the order of the page of options."""
    hints = get_type_hints(table, include_extras=True)
    keys: dict[str, Key] = {}
    for item in fields(table):
        if item.name == "password":
            keys |= _passwords(f"{table.__name__} Password")
        elif about := _extra(hints[item.name], About):
            keys[item.name] = _describe(item.name, hints[item.name], about, item.default)
    return MappingProxyType(keys)


def section_keys(section: str) -> Mapping[str, Key]:
    """Return the keys of a server section ("smtp", "imap4", "pop3")."""
    return keys_of(SECTIONS[section])  # type: ignore[arg-type]  # mypy takes no type[Any] for Hashable


def _passwords(label: str) -> dict[str, Key]:
    labels = {"password": label}
    return {
        name.value: _describe(name.value, PASSWORD_TEXT, About(doc, labels.get(name, "")), "")
        for name, doc in PASSWORD_KEYS.items()
    }


def _extra(kind: object, wanted: type[T]) -> T | None:
    return next((e for e in get_args(kind)[1:] if isinstance(e, wanted)), None)


def _describe(name: str, kind: object, about: About, default: object) -> Key:
    plain: Any = get_args(kind)[0]
    marker = _extra(kind, Duration) or _extra(kind, FilePath)
    meta = _extra(kind, Meta)
    choices: tuple[str, ...] = ()
    if marker is not None:
        allowed = marker.allowed
    elif meta is not None:
        allowed = meta.description or ""
    elif plain is bool:
        allowed = "true or false"
    else:
        choices = tuple(choice.value for choice in about.choices or plain)
        allowed = _or([f'"{choice}"' for choice in choices])
    text = about.shown or (
        f'"{marker.show(default)}"'
        if isinstance(marker, Duration) and isinstance(default, float)
        else shown(default)
    )
    return Key(name, kind, about, marker, allowed, choices, default, text)


def _or(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def shown(value: object) -> str:
    """Return ``value`` as it would stand in TOML; long texts are cut."""
    match value:
        case None:
            return '""'
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 10**20:  # Python refuses to print numbers beyond some size
            return "a very large number"
        case int() | float():
            return str(value)
        case str() | Path():
            text = str(value)
            text = text if len(text) <= 60 else f"{text[:60]}..."
            return (
                '"' + "".join(c if c.isprintable() and c != '"' else f"\\u{ord(c):04x}" for c in text) + '"'
            )
        case dict():
            return "a table"
        case list() | tuple():
            return "a list" if value else "[]"
        case _:
            return "a date or time"
