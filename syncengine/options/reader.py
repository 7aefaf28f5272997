"""Reads the tables of one file of options: each key is converted by its kind, every problem has its line."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from syncengine.options.keys import Key, shown
from syncengine.options.problems import OptionProblem
from syncengine.options.secret import PASSWORD_KEYS
from syncengine.options.values import Duration, FilePath

KeyPath = tuple[str, ...]
NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}")
"""How a mailbox number looks: it is a file name and stands in headers, so nothing else is let in."""
NUMBER_ALLOWED = "a mailbox number: up to 32 digits, letters, - or _"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of options. ``mode``: its permission bits; ``number``: the mailbox of a drop-in."""

    file: str
    text: str
    mode: int | None = None
    number: str | None = None


class Reader:
    """Reads the tables of one source and says where they do not hold."""

    def __init__(self, source: Source, problems: list[OptionProblem], base: Path) -> None:
        self.source = source
        self.base = base
        self._problems = problems
        self._lines: Mapping[KeyPath, int] | None = None

    @property
    def count(self) -> int:
        """How many problems there are so far, in all sources."""
        return len(self._problems)

    def refuse(self, path: KeyPath, text: str) -> None:
        """Add a problem of the key at ``path`` (as it stands in this source)."""
        whole = ("mailboxes", self.source.number, *path) if self.source.number else path
        name = ".".join(p if re.fullmatch(r"[\w-]{1,64}", p) else shown(p) for p in whole)
        self._problems.append(OptionProblem(self.source.file, self._line(path), name, text))

    def _line(self, path: KeyPath) -> int | None:
        if self._lines is None:
            from syncengine.options.locate import key_lines  # noqa: PLC0415 - only needed for errors

            self._lines = key_lines(self.source.text)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path)

    def toml(self) -> dict[str, Any]:
        """Return the parsed text, empty with a problem where it is no TOML."""
        try:
            return tomllib.loads(self.source.text)
        except (ValueError, RecursionError) as error:
            text = (
                str(error)
                if isinstance(error, tomllib.TOMLDecodeError)
                else "a number or nesting without end"
            )
            place = re.search(r" \(at line (\d+), column (\d+)\)", text)
            line = int(place[1]) if place else None
            what = text[: place.start()] if place else text
            self._problems.append(OptionProblem(self.source.file, line, "", f"this is no TOML: {what}"))
            return {}

    def table(self, data: object, path: KeyPath) -> dict[str, Any]:
        """Return ``data`` where it is a table, else empty with a problem."""
        if isinstance(data, dict):
            return data
        self.refuse(path, f"found {kind_of(data)}, allowed is a table")
        return {}

    def known(self, data: Mapping[str, Any], path: KeyPath, known: Collection[str]) -> None:
        """Refuse the keys that do not exist."""
        for name in data:
            if name not in known:
                self.refuse((*path, name), f"there is no such key{did_you_mean(name, known)}")

    def values(self, data: Mapping[str, Any], path: KeyPath, keys: Mapping[str, Key]) -> dict[str, Any]:
        """Convert what ``keys`` describes; what does not fit is left out with a problem."""
        found: dict[str, Any] = {}
        for name, value in data.items():
            key = keys.get(name)
            if key is None:
                continue
            try:
                found[name] = convert(value, key, self.base)
            except ValueError:
                what = kind_of(value) if name in SECRETS else shown(value)
                self.refuse((*path, name), f"found {what}, allowed is {key.allowed}")
        return found


SECRETS = frozenset(key.value for key in PASSWORD_KEYS)


def convert(value: object, key: Key, base: Path) -> Any:  # noqa: ANN401 - what the key holds
    """Return ``value`` as the key holds it. Raises ``ValueError`` where the key does not allow it."""
    match key.marker:
        case Duration():
            return key.marker.parse(value)
        case FilePath():
            return path_of(value, base, optional=key.marker.optional)
        case None:
            pass
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    if key.choices and value not in key.choices:
        raise ValueError
    try:
        return msgspec.convert(value, key.kind)
    except (msgspec.ValidationError, OverflowError):
        raise ValueError from None


def path_of(value: object, base: Path, *, optional: bool) -> Path | None:
    """Return ``value`` as a path from ``base``, None where it is blank and may be. Raises ``ValueError``."""
    if not isinstance(value, str) or len(value) > 4000 or not value.isprintable():
        raise ValueError
    if not value and optional:
        return None
    if not value:
        raise ValueError
    try:
        return base / Path(value).expanduser()
    except RuntimeError:  # no such user
        raise ValueError from None


def kind_of(value: object) -> str:
    """Return what sort of value this is, without showing it."""
    match value:
        case bool():
            return "a true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text" if value else "an empty text"
        case _:
            return shown(value)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return the hint at the nearest existing key, blank without one."""
    from difflib import get_close_matches  # noqa: PLC0415 - only needed for errors

    near = get_close_matches(name[:64].lower(), known, 1)
    return f", did you mean {near[0]}?" if near else ""
