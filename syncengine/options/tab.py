"""The Email tab of the manual (pages 3 to 6) as one table: it serves the command line and the web page.

The manual's fields come first, in its order and with its labels; every other key of a mailbox follows.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import get_args

from syncengine.options.keys import SECTIONS, Key, keys_of, section_keys
from syncengine.options.schema import SYSTEMS, Mailbox, Sync
from syncengine.options.values import Duration, FilePath, Protocol


class FieldKind(StrEnum):
    """How a field is shown and typed in."""

    SWITCH = "switch"
    CHOICE = "choice"
    NUMBER = "number"
    FRACTION = "fraction"
    DURATION = "duration"
    TEXT = "text"
    PATH = "path"
    LIST = "list"
    PASSWORD = "password"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a field and its name on the tab."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One option of a mailbox.

    ``name`` is the dotted key ("imap4.server"), ``flags`` its options on the command line, ``protocols``
    the tabs that show it. ``secret``: the present value is never shown.
    """

    name: str
    label: str
    kind: FieldKind
    doc: str
    allowed: str
    default_text: str
    flags: tuple[str, ...]
    choices: tuple[Choice, ...] = ()
    protocols: frozenset[Protocol] = frozenset(Protocol)
    manual: bool = False
    secret: bool = False
    inherited: bool = False
    """Left out, it is taken from ``[system]`` or ``[sync]``."""


_HEAD = ("email_integration", "send_mode", "sync_mode", "email_name")
_SERVER = ("server", "port", "security", "account", "password")
_MANUAL = (
    *_HEAD,
    *(f"smtp.{k}" for k in ("server", "domain", "port", "security", "authentication", "account", "password")),
    *(f"imap4.{k}" for k in (*_SERVER, "authentication", "search_mode")),
    *(f"pop3.{k}" for k in _SERVER),
)
_LABELS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "send_mode": {"voice": "Voice", "fax": "Fax", "voice+fax": "Voice/Fax"},
        "sync_mode": {
            "all-folders": "All Folders",
            "inbox": "Inbox Only",
            "voice-mail-folder": "VM Folder Only",
            "none": "None",
        },
        "security": {"none": "No", "starttls": "STARTTLS", "tls": "Yes"},
        "authentication": {
            "none": "None",
            "plain": "Plain",
            "login": "Login",
            "cram-md5": "CRAM-MD5",
            "xoauth2": "XOAUTH2",
            "oauthbearer": "OAUTHBEARER",
        },
        "search_mode": {"header": "Header", "text": "Text", "auto": "Auto"},
    }
)


@cache
def all_fields() -> tuple[Field, ...]:
    """Return every option of a mailbox, the manual's fields first."""
    keys: dict[str, Key] = dict(keys_of(Mailbox))
    for section in SECTIONS:
        keys |= {f"{section}.{name}": key for name, key in section_keys(section).items()}
    keys |= keys_of(Sync)
    names = [*_MANUAL, *(name for name in keys if name not in _MANUAL)]
    return tuple(_field(name, keys[name]) for name in names)


@cache
def email_tab(protocol: Protocol) -> tuple[Field, ...]:
    """Return the fields of the manual's Email tab for a protocol, in the manual's order."""
    return tuple(field for field in all_fields() if field.manual and protocol in field.protocols)


def field_named(name: str) -> Field | None:
    """Return the field with this dotted key, None where there is none."""
    return next((field for field in all_fields() if field.name == name), None)


def value_from_text(field: Field, text: str) -> object:
    """Return what ``set_mailbox`` takes for ``text`` as typed on the command line or the page.

    The manual's labels are taken as well as the values ("VM Folder Only", "Yes"). Blank is None: the
    key is taken out. What does not fit is passed on as it is, so that reading refuses it by name.
    """
    return _from_text(field.kind, field.choices, text, inherited=field.inherited)


def system_value_from_text(key: Key, text: str) -> object:
    """Return what ``set_system`` takes for ``text`` as typed; blank is None, the key is taken out."""
    return _from_text(_kind(key.name, key), (), text)


def _from_text(kind: FieldKind, choices: tuple[Choice, ...], text: str, *, inherited: bool = False) -> object:
    word = text.strip()
    folded = word.casefold()
    match kind:
        case FieldKind.PASSWORD:
            return text or None
        case FieldKind.LIST if inherited or word:
            return _words(word)
        case _ if not word:
            return None
        case FieldKind.SWITCH:
            return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(
                folded, word
            )
        case FieldKind.CHOICE:
            return next((c.value for c in choices if folded in {c.value, c.label.casefold()}), word)
        case FieldKind.NUMBER if folded == "none":
            return None
        case FieldKind.NUMBER:
            return int(word) if word.isdecimal() and len(word) < 16 else word
        case FieldKind.FRACTION:
            return _fraction(word)
        case _:
            return word


def _words(text: str) -> object:
    try:
        return shlex.split(text)
    except ValueError:
        return text


def _fraction(text: str) -> object:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return text


def _field(name: str, key: Key) -> Field:
    section = name.rpartition(".")[0]
    label = key.about.label or " ".join(filter(None, (section.capitalize(), key.name.replace("_", " "))))
    flag = "--" + name.replace(".", "-").replace("_", "-")
    spoken = "--" + key.about.label.lower().replace(" ", "-")
    kind = _kind(key.name, key)
    named = _LABELS.get(key.name, {})
    return Field(
        name=name,
        label=label[:1].upper() + label[1:],
        kind=kind,
        doc=key.about.doc,
        allowed=key.allowed,
        default_text=key.default_text,
        flags=(flag,) if spoken in {"--", flag} else (flag, spoken),
        choices=tuple(Choice(value, named.get(value, value)) for value in key.choices),
        protocols=_protocols(name, section),
        manual=name in _MANUAL,
        secret=key.name == "password",
        inherited=key.about.shown == SYSTEMS or name in keys_of(Sync),
    )


def _protocols(name: str, section: str) -> frozenset[Protocol]:
    if section in {"imap4", "pop3"}:
        return frozenset({Protocol(section)})
    return frozenset({Protocol.IMAP4}) if name == "sync_mode" else frozenset(Protocol)


def _kind(name: str, key: Key) -> FieldKind:
    plain = get_args(key.kind)[0]
    match key.marker:
        case Duration():
            return FieldKind.DURATION
        case FilePath():
            return FieldKind.PATH
        case None:
            pass
    if name == "password":
        return FieldKind.PASSWORD
    if key.choices:
        return FieldKind.CHOICE
    simple = {bool: FieldKind.SWITCH, int: FieldKind.NUMBER, float: FieldKind.FRACTION, str: FieldKind.TEXT}
    return simple.get(plain, FieldKind.LIST)
