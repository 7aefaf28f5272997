"""How values of options are shown; passwords never are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from syncengine.options.keys import Key, keys_of, section_keys
from syncengine.options.schema import Mailbox, Sync
from syncengine.options.secret import PASSWORD_KEYS, PasswordKey, Secret
from syncengine.options.tab import Field
from syncengine.options.values import Duration

SET = "(set)"
"""Shown in place of a password, and of what names one."""


def text_of(key: Key, value: object) -> str:
    """Return a value as it is typed on the command line; blank where there is none."""
    match value:
        case bool():
            return "true" if value else "false"
        case None if not isinstance(key.marker, Duration):
            return ""
        case None | float() if isinstance(key.marker, Duration):
            return key.marker.show(value)
        case tuple() | list():
            import shlex  # noqa: PLC0415

            return shlex.join(map(str, value))
        case _:
            return str(value)


def plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON knows
    """Return a value for JSON: durations in seconds, paths as texts."""
    match value:
        case None | bool() | int() | float():
            return value
        case tuple() | list():
            return [plain(part) for part in value]
        case _:
            return str(value)


def value_of(field: Field, mailbox: Mailbox) -> object:
    """Return what is in force for a field; of a password only that it is set, or its file."""
    section, _, name = field.name.rpartition(".")
    if not section:
        return getattr(mailbox.sync if name in keys_of(Sync) else mailbox, name)
    if name in PASSWORD_KEYS:
        return _shown_secret(getattr(mailbox, section).password, name)
    return getattr(getattr(mailbox, section), name)


def _shown_secret(secret: Secret | None, name: str) -> str | Path | None:
    if secret is None or secret.key != name:
        return None
    return secret.path if secret.key is PasswordKey.FILE else SET


def key_of(field: Field) -> Key:
    """Return what is known of a field's key."""
    section, _, name = field.name.rpartition(".")
    if section:
        return section_keys(section)[name]
    return keys_of(Mailbox).get(name) or keys_of(Sync)[name]
