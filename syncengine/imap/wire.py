"""Untagged and tagged responses as values (RFC 9051 section 7, RFC 7162, RFC 4731, RFC 5819). Pure.

Keywords are accepted in any case, texts may be missing, what is unknown is ``None``: only bytes that
cannot be read at all raise ``WireError``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from syncengine.imap.errors import WireError
from syncengine.imap.responses import (
    Condition,
    Exists,
    Expunged,
    Fetch,
    Listed,
    Namespaces,
    Response,
    SearchResult,
    StatusData,
    Vanished,
    Words,
)
from syncengine.imap.tokens import Value, tokenize
from syncengine.imap.uidset import LARGEST_UID, UidSet, in_order

MAX_PAIRS = 100_000
LARGEST_MODSEQ = (1 << 63) - 1
"""RFC 7162 section 3.1: 63 bits."""
_UNTAGGED = re.compile(rb"\* +(?:(\d{1,20}) +)?([A-Za-z][A-Za-z0-9.-]*)(?: +|$)")
_TAGGED = re.compile(rb"([^ *+][^ ]*) +(OK|NO|BAD)(?: +(.*))?$", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(rb"\[([^\] ]+)(?: +([^\]]*))?\] *(.*)$", re.DOTALL)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\uffff]+")


def parse(parts: Sequence[bytes]) -> Response:
    """One untagged response as a value; None for what the engine has no use for.

    FETCH without its UID is None: a sequence number must never be taken for a UID, and servers send
    such lines unasked (Dovecot before ENABLE QRESYNC, GreenMail).
    """
    line = parts[0]
    head = _UNTAGGED.match(line)
    if head is None:
        raise WireError(f"no IMAP response: {line[:60]!r}")
    keyword = head[2].decode("ascii").upper()
    if head[1] is not None:
        return _numbered(int(head[1]), keyword, parts, head.end())
    reader = _READERS.get(keyword)
    return reader(keyword, parts, head.end()) if reader else None


def completion(line: bytes) -> Condition | None:
    """A tagged OK, NO or BAD, with or without text; None when the line is no such thing."""
    match = _TAGGED.match(line)
    return _condition(match[2].decode("ascii").upper(), match[3] or b"", match[1]) if match else None


def readable(text: bytes) -> str:
    """A server's words for a log or an error: one line, printable, bounded."""
    return _UNPRINTABLE.sub(" ", text[:400].decode("utf-8", "replace")).strip()[:200]


@lru_cache(maxsize=4096)
def flag_set(text: bytes) -> frozenset[str]:
    """The flags between the parentheses; system flags in their usual spelling, whatever the server's.

    ``\\Recent`` is left out: it says something about the session, not about the message.
    """
    return frozenset(_flag(word) for word in text.split()) - {"\\Recent"}


def copied(arguments: bytes) -> tuple[int, dict[int, int]]:
    """COPYUID: the target's UIDVALIDITY and source UID to target UID (RFC 4315 section 3).

    GreenMail doubles the first UID on both sides (``1,1:3``) and sends empty sets: pairs are taken by
    position and doubles dropped; sides of different length give no pairs at all.
    """
    words = arguments.split()
    if not words or not words[0].isdigit():
        raise WireError("a COPYUID without UIDVALIDITY")
    if len(words) != 3:
        return int(words[0]), {}
    source, target = in_order(words[1], limit=MAX_PAIRS), in_order(words[2], limit=MAX_PAIRS)
    return int(words[0]), dict(zip(source, target, strict=True)) if len(source) == len(target) else {}


def appended(arguments: bytes) -> tuple[int, int] | None:
    """APPENDUID: UIDVALIDITY and UID; None when it does not name exactly one message."""
    words = arguments.split()
    if len(words) != 2 or not (words[0].isdigit() and words[1].isdigit()):
        return None
    return int(words[0]), int(words[1])


def _condition(status: str, rest: bytes, tag: bytes = b"") -> Condition:
    code = _CODE.match(rest)
    if code is None:
        return Condition(status, text=readable(rest), tag=tag)
    name = code[1].decode("ascii", "replace").upper()
    return Condition(status, name, code[2] or b"", readable(code[3]), tag)


def _numbered(number: int, keyword: str, parts: Sequence[bytes], at: int) -> Response:
    match keyword:
        case "FETCH":
            return _fetch(tokenize(parts, start=at))
        case "EXISTS":
            return Exists(number)
        case "EXPUNGE":
            return Expunged()
        case _:
            return None


def _fetch(values: list[Value]) -> Fetch | None:
    if len(values) != 1 or not isinstance(values[0], list):
        raise WireError("FETCH without its list")
    items = values[0]
    if len(items) % 2:
        raise WireError("FETCH with an item that has no value")
    uid: int | None = None
    flags: frozenset[str] | None = None
    modseq: int | None = None
    sections: dict[str, bytes | None] = {}
    size: int | None = None
    arrived = b""
    structure: Value = None
    for name, value in zip(items[::2], items[1::2], strict=True):
        match name.upper() if isinstance(name, bytes) else None:
            case b"UID":
                uid = _uid(value)
            case b"FLAGS":
                words = value if isinstance(value, list) else []
                flags = flag_set(
                    b" ".join(
                        b"NIL" if word is None else word for word in words if not isinstance(word, list)
                    )
                )
            case b"MODSEQ":
                modseq = _modseq(value[0] if isinstance(value, list) and value else value)
            case bytes() as key if key.startswith(b"BODY["):
                if isinstance(value, list):
                    raise WireError("a body section that is a list")
                sections[_section(key)] = value
            case b"RFC822.SIZE":
                size = _number(value)
            case b"INTERNALDATE" if isinstance(value, bytes):
                arrived = value
            case b"BODYSTRUCTURE":
                structure = value
            case _:
                pass
    return Fetch(uid, flags, modseq, sections, size, arrived, structure) if uid is not None else None


def _section(key: bytes) -> str:
    inner = key[5:].partition(b"]")[0]
    return inner.partition(b" ")[0].decode("ascii", "replace")


def _status(_: str, parts: Sequence[bytes], at: int) -> Response:
    values = tokenize(parts, start=at)
    if len(values) < 2 or not isinstance(values[0], bytes) or not isinstance(values[-1], list):
        raise WireError("STATUS without name and items")
    items = values[-1]
    numbers = {
        name.decode("ascii", "replace").upper(): int(value)
        for name, value in zip(items[::2], items[1::2], strict=False)
        if isinstance(name, bytes) and isinstance(value, bytes) and value.isdigit() and len(value) < 21
    }
    return StatusData(values[0], numbers)


def _listed(keyword: str, parts: Sequence[bytes], at: int) -> Response:
    values = tokenize(parts, start=at)
    if len(values) < 3 or not isinstance(values[0], list) or not isinstance(values[2], bytes):
        raise WireError(f"{keyword} without attributes, delimiter and name")
    delimiter = values[1]
    attributes = frozenset(word.decode("ascii", "replace").lower() for word in _texts(values[0]))
    mark = delimiter.decode("utf-8", "replace") if isinstance(delimiter, bytes) and delimiter else None
    return Listed(values[2], mark, attributes, keyword == "LSUB")


def _search(_: str, parts: Sequence[bytes], at: int) -> Response:
    words = parts[0][at:].partition(b"(")[0].split()
    if not all(word.isdigit() for word in words):
        raise WireError("SEARCH with something that is no number")
    return SearchResult(UidSet.of(_uid(word) for word in words))


def _esearch(_: str, parts: Sequence[bytes], at: int) -> Response:
    tag, uids = b"", UidSet()
    values = tokenize(parts, start=at)
    for value, following in zip(values, [*values[1:], None], strict=True):
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], bytes):
            tag = value[1]
        elif isinstance(value, bytes) and value.upper() == b"ALL" and isinstance(following, bytes):
            uids = UidSet.parse(following)
    return SearchResult(uids, tag)


def _vanished(_: str, parts: Sequence[bytes], at: int) -> Response:
    values = tokenize(parts, start=at)
    earlier = bool(values) and isinstance(values[0], list)
    if not values or not isinstance(values[-1], bytes):
        raise WireError("VANISHED without UIDs")
    return Vanished(UidSet.parse(values[-1]), earlier)


def _words(keyword: str, parts: Sequence[bytes], at: int) -> Response:
    return Words(keyword, capability_words(parts[0][at:]))


def capability_words(text: bytes) -> frozenset[str]:
    """Capability names in upper case."""
    return frozenset(text.decode("ascii", "replace").upper().split())


def _state(keyword: str, parts: Sequence[bytes], at: int) -> Response:
    return _condition(keyword, parts[0][at:])


def _namespace(_: str, parts: Sequence[bytes], at: int) -> Response:
    match tokenize(parts, start=at):
        case [[[bytes() as prefix, delimiter, *_], *_], *_]:
            mark = delimiter.decode("utf-8", "replace") if isinstance(delimiter, bytes) else None
            return Namespaces(prefix, mark)
        case _:
            return None


_READERS: Mapping[str, Callable[[str, Sequence[bytes], int], Response]] = {
    "OK": _state,
    "NO": _state,
    "BAD": _state,
    "BYE": _state,
    "PREAUTH": _state,
    "STATUS": _status,
    "LIST": _listed,
    "LSUB": _listed,
    "SEARCH": _search,
    "ESEARCH": _esearch,
    "VANISHED": _vanished,
    "CAPABILITY": _words,
    "ENABLED": _words,
    "NAMESPACE": _namespace,
}

_SYSTEM_FLAGS = {
    flag.lower(): flag for flag in ("\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "\\Draft", "\\Recent")
}


def _flag(word: bytes) -> str:
    text = word.decode("utf-8", "backslashreplace")
    return _SYSTEM_FLAGS.get(text.lower(), text) if text[:1] == "\\" else text


def _texts(value: Value) -> list[bytes]:
    if not isinstance(value, list):
        raise WireError("a list was expected")
    return [item for item in value if isinstance(item, bytes)]


def _number(value: Value) -> int:
    if not isinstance(value, bytes) or not value.isdigit() or len(value) > 20:
        raise WireError("a number was expected")
    return int(value)


def _modseq(value: Value) -> int:
    number = _number(value)
    if number > LARGEST_MODSEQ:
        raise WireError("a MODSEQ out of range")
    return number


def _uid(value: Value) -> int:
    number = _number(value)
    if not 0 < number <= LARGEST_UID:
        raise WireError("a UID out of range")
    return number
