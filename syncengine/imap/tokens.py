"""Tokenizer of IMAP responses (RFC 9051 section 9): bytes to nested values. Pure.

A response is a sequence of parts, text and literal in turn: ``text, literal, text, ...``; every text
that is followed by a literal ends with its ``{size}``. Nothing recurses, so nesting cannot crash it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from syncengine.imap.errors import WireError

Value: TypeAlias = "bytes | list[Value] | None"
"""An atom, quoted string or literal as bytes; NIL as None; a parenthesised list as list."""

MAX_DEPTH = 64

LITERAL = re.compile(rb"~?\{(\d{1,12})\+?\}$")
_QUOTED = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_ATOM = re.compile(rb'[^ ()"\[]+')
_UNCLOSED = re.compile(rb'[^ ()"]*')
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def tokenize(parts: Sequence[bytes], *, start: int = 0) -> list[Value]:
    """The values of a response, read from offset ``start`` of its first part.

    Raises ``WireError`` when quotes or parentheses do not close.
    """
    top: list[Value] = []
    stack = [top]
    for index in range(0, len(parts), 2):
        text = parts[index]
        followed = index + 1 < len(parts)
        mark = LITERAL.search(text) if followed else None
        if followed and mark is None:
            raise WireError("a literal without its size")
        _text(text, start if index == 0 else 0, mark.start() if mark else len(text), stack)
        if followed:
            stack[-1].append(parts[index + 1])
    if len(stack) != 1:
        raise WireError("a parenthesis is not closed")
    return top


def _text(text: bytes, at: int, end: int, stack: list[list[Value]]) -> None:
    while at < end:
        match text[at]:
            case 0x20:
                at += 1
            case 0x28:
                if len(stack) > MAX_DEPTH:
                    raise WireError("nested too deep")
                inner: list[Value] = []
                stack[-1].append(inner)
                stack.append(inner)
                at += 1
            case 0x29:
                if len(stack) == 1:
                    raise WireError("a parenthesis too many")
                stack.pop()
                at += 1
            case 0x22:
                quoted = _QUOTED.match(text, at, end)
                if quoted is None:
                    raise WireError("a quote is not closed")
                value = quoted[1]
                stack[-1].append(_ESCAPED.sub(rb"\1", value) if b"\\" in value else value)
                at = quoted.end()
            case _:
                stop = _atom_end(text, at, end)
                atom = text[at:stop]
                stack[-1].append(None if atom.upper() == b"NIL" else atom)
                at = stop


def _atom_end(text: bytes, at: int, end: int) -> int:
    """Where the atom ends that begins at ``at``; ``BODY[HEADER.FIELDS (A B)]<0>`` is one atom.

    A ``[`` that nothing closes is an ordinary character: keywords may hold one.
    """
    while at < end:
        plain = _ATOM.match(text, at, end)
        if plain:
            at = plain.end()
        if at >= end or text[at] != 0x5B:
            break
        closing = text.find(b"]", at, end)
        if closing < 0:
            rest = _UNCLOSED.match(text, at, end)
            return rest.end() if rest else end
        at = closing + 1
    return at
