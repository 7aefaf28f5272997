"""BODYSTRUCTURE as the parts to read aloud (RFC 9051 section 7.5.2). Pure; never raises.

A server's answer is taken as far as it makes sense; the rest counts as an attachment without a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeGuard
from urllib.parse import unquote_to_bytes

from syncengine.speech import header
from syncengine.speech.mail import Structure
from syncengine.speech.structure import Budget, Part, choose

Node: TypeAlias = "bytes | str | int | Sequence[Node] | None"
"""A value of a response: an atom, string or number, a parenthesised list, NIL."""


def of_bodystructure(structure: Node) -> Structure:
    """Read the value of a FETCH BODYSTRUCTURE item (RFC 9051 section 7.5.2), tokenised."""
    part = _from_list(structure, section="", budget=Budget())
    return Structure() if part is None else choose(part)


def _from_list(node: Node, *, section: str, budget: Budget) -> Part | None:
    if not _is_list(node) or not node or not budget.spend(section):
        return None
    if _is_list(node[0]):
        return _multipart(node, section=section, budget=budget)
    size = _at(node, 6)
    main, sub = _word(_at(node, 0)), _word(_at(node, 1))
    # Extension data: after the lines of a text, and after envelope, structure and lines of a message.
    extra = 8 if main == "text" else 10 if (main, sub) == ("message", "rfc822") else 7
    disposition, names = _disposition(_at(node, extra + 1))
    parameters = _parameters(_at(node, 2))
    return Part(
        section=section,
        main=main,
        sub=sub,
        parameters=parameters,
        disposition=disposition,
        filename=_filename(names, parameters),
        encoding=_word(_at(node, 5)),
        size=int(_word(size)) if _word(size).isdecimal() and len(_word(size)) < 12 else 0,
    )


def _multipart(node: Sequence[Node], *, section: str, budget: Budget) -> Part:
    children: list[Part] = []
    count = 0
    for child in node:
        if not _is_list(child):
            break
        count += 1
        name = f"{section}.{count}" if section else str(count)
        part = _from_list(child, section=name, budget=budget)
        if part is not None:
            children.append(part)
    return Part(
        section=section, main="multipart", sub=_word(_at(node, count)) or "mixed", children=tuple(children)
    )


def _is_list(node: Node) -> TypeGuard[Sequence[Node]]:
    return isinstance(node, (list, tuple))


def _at(node: Sequence[Node], index: int) -> Node:
    return node[index] if index < len(node) else None


def _word(node: Node) -> str:
    """An atom or string in lower case, '' for NIL and lists."""
    return _string(node).lower()


def _string(node: Node) -> str:
    match node:
        case bytes():
            return node[:2000].decode("utf-8", "replace")
        case str():
            return node[:2000]
        case int():
            return str(node)
        case _:
            return ""


def _parameters(node: Node) -> dict[str, str]:
    if not _is_list(node):
        return {}
    pairs = list(node[:100])
    return {_word(name): _string(value) for name, value in zip(pairs[::2], pairs[1::2], strict=False)}


def _disposition(node: Node) -> tuple[str, dict[str, str]]:
    if not _is_list(node):
        return "", {}
    return _word(_at(node, 0)), _parameters(_at(node, 1))


def _filename(names: Mapping[str, str], parameters: Mapping[str, str]) -> str:
    """The part's name, decoded (RFC 2231, RFC 2047); a text part's ``name`` parameter makes it a file too."""
    for values, key in ((names, "filename"), (parameters, "name")):
        if plain := values.get(key):
            return header.text(plain)
        pieces = [values[name] for name in sorted(values) if name.startswith(f"{key}*")]
        if pieces:
            joined = "".join(pieces)
            charset, _, rest = joined.partition("'")
            octets = unquote_to_bytes(rest.partition("'")[2] if rest else joined)
            return header.text(header.decoded(octets, charset if rest else ""))
    return ""
