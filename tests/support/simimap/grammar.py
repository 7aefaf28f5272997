"""The words between client and server: commands out of octets, sets of numbers, and what answers are made of.

Pure. Whatever a client writes ends in values or in ``Bad``; nothing is guessed (RFC 9051 section 9).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from imapclient import imap_utf7

LITERAL = re.compile(rb"~?\{(\d{1,10})(\+?)\}\Z")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"')
_ATOM = re.compile(rb'[^ ()"\[]*')
_SET = re.compile(r"(?:\d+|\*)(?::(?:\d+|\*))?(?:,(?:\d+|\*)(?::(?:\d+|\*))?)*\Z")
MAX_LITERAL = 64 << 20


class Atom(bytes):
    """A word without quotes."""


class Text(bytes):
    """A quoted string or a literal."""


Value: TypeAlias = "Atom | Text | list[Value]"


class Refusal(Exception):
    """A tagged answer other than OK."""

    status = b"NO"

    def __init__(self, text: str, *, code: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class No(Refusal):
    """The command was understood and cannot be done."""


class Bad(Refusal):
    """The command was not understood."""

    status = b"BAD"


@dataclass(frozen=True, slots=True)
class GoAhead:
    """The client waits for ``+`` before it sends its literal."""


class Assembler:
    """Cuts a client's octets into commands: text, literal, text, ... without the line end."""

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._literal: int | None = None

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._buffer += data

    def next(self) -> list[bytes] | GoAhead | None:
        """Return a whole command, a wish for a go-ahead, or nothing yet; ``Bad`` for a line too long."""
        while True:
            if self._literal is not None:
                if len(self._buffer) < self._literal:
                    return None
                self._parts.append(self._take(self._literal))
                self._literal = None
            end = self._buffer.find(b"\n")
            if max(end, len(self._buffer) if end < 0 else 0) > self._max_line:
                raise Bad("Too long argument")
            if end < 0:
                return None
            line = self._take(end + 1).rstrip(b"\r\n")
            self._parts.append(line)
            mark = LITERAL.search(line)
            if mark is None:
                whole, self._parts = self._parts, []
                return whole
            self._literal = int(mark[1])
            if self._literal > MAX_LITERAL:
                raise Bad("Literal too big")
            if not mark[2]:
                return GoAhead()

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def values(parts: Sequence[bytes]) -> list[Value]:
    """Return the values of a command: atoms, strings, and lists of them."""
    top: list[Value] = []
    stack = [top]
    for index, part in enumerate(parts):
        if index % 2:
            stack[-1].append(Text(part))
            continue
        mark = LITERAL.search(part) if index + 1 < len(parts) else None
        _read(part[: mark.start()] if mark else part, stack)
    if len(stack) != 1:
        raise Bad("A parenthesis is not closed")
    return top


def _read(text: bytes, stack: list[list[Value]]) -> None:
    at = 0
    while at < len(text):
        match text[at : at + 1]:
            case b" ":
                at += 1
            case b"(":
                inner: list[Value] = []
                stack[-1].append(inner)
                stack.append(inner)
                at += 1
            case b")":
                if len(stack) == 1:
                    raise Bad("A parenthesis too many")
                stack.pop()
                at += 1
            case b'"':
                quoted_text = _QUOTED.match(text, at)
                if quoted_text is None:
                    raise Bad("A quote is not closed")
                stack[-1].append(Text(re.sub(rb"\\(.)", rb"\1", quoted_text[1])))
                at = quoted_text.end()
            case _:
                end = _atom_end(text, at)
                stack[-1].append(Atom(text[at:end]))
                at = end


def _atom_end(text: bytes, at: int) -> int:
    """Where an atom ends; ``BODY[HEADER.FIELDS (A B)]<0.9>`` is one atom."""
    while True:
        plain = _ATOM.match(text, at)
        at = plain.end() if plain else at
        if text[at : at + 1] != b"[":
            return at
        closing = text.find(b"]", at)
        if closing < 0:
            raise Bad("A bracket is not closed")
        at = closing + 1


def word(value: Value) -> str:
    """Return an atom or string as text in upper case."""
    return text_of(value).upper()


def text_of(value: Value) -> str:
    """Return an atom or string as text."""
    if isinstance(value, list):
        raise Bad("A word was expected, not a list")
    return value.decode("utf-8", "surrogateescape")


def list_of(value: Value) -> list[Value]:
    """Return a list; ``Bad`` when it is none."""
    if not isinstance(value, list):
        raise Bad("A list was expected")
    return value


def number_of(value: Value) -> int:
    """Return a number below 2**63."""
    text = text_of(value)
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) >= 1 << 63:
        raise Bad("A number was expected")
    return int(text)


def name_of(value: Value) -> str:
    """Return a folder name, modified UTF-7 decoded (RFC 3501 section 5.1.3)."""
    if isinstance(value, list):
        raise Bad("A folder name was expected")
    try:
        name = str(imap_utf7.decode(bytes(value)))
    except (UnicodeError, ValueError, IndexError):
        raise No("Folder name is no modified UTF-7", code="CANNOT") from None
    return "INBOX" if name.upper() == "INBOX" else name


def wire_name(name: str) -> bytes:
    """Return a folder name as it goes over the wire, quoted."""
    return quoted(bytes(imap_utf7.encode(name)))


def quoted(data: bytes) -> bytes:
    """Return a quoted string, or a literal where one is needed."""
    if re.search(rb"[\r\n\x00\x80-\xff]", data) or len(data) > 900:
        return literal(data)
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(data: bytes) -> bytes:
    """Return a literal."""
    return b"{%d}\r\n%s" % (len(data), data)


def nstring(data: bytes | None) -> bytes:
    """Return a string or NIL."""
    return b"NIL" if data is None else quoted(data)


def is_set(value: Value) -> bool:
    """Whether a value is a set of numbers like ``1,3:*``."""
    return isinstance(value, Atom) and _SET.match(value.decode("ascii", "replace")) is not None


def ranges(value: Value, largest: int) -> list[tuple[int, int]]:
    """Return a set as ranges in ascending order within themselves; ``*`` is ``largest``."""
    if not is_set(value):
        raise Bad("A set of numbers was expected")
    found = []
    for part in text_of(value).split(","):
        ends = [largest if end == "*" else int(end) for end in part.split(":")]
        found.append((min(ends), max(ends)))
    return found


def members(value: Value, present: Sequence[int], largest: int | None = None) -> list[int]:
    """Return the numbers of ``present`` (ascending) that a set names, ascending."""
    top = largest if largest is not None else (present[-1] if present else 0)
    chosen: set[int] = set()
    for low, high in ranges(value, top):
        chosen.update(present[bisect_left(present, low) : bisect_right(present, high)])
    return sorted(chosen)


def compact(numbers: Iterable[int]) -> bytes:
    """Return numbers as a set with ranges: ``1:3,7``."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in spans).encode()
