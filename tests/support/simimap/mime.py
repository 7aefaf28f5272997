"""A message as FETCH and SEARCH see it: header, parts, structure. Byte for byte, nothing is rewritten."""

from __future__ import annotations

import email
import email.header
import email.message
import email.utils
import re
from dataclasses import dataclass, field
from functools import lru_cache

from tests.support.simimap.grammar import nstring, quoted

_BLANK = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"(?m)^([!-9;-~]+):((?:.*\n?)(?:[ \t].*\n?)*)")
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Part:
    """A message or one of its parts."""

    header: bytes
    """With the blank line that ends it."""
    body: bytes
    type: str
    params: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = field(default=())
    """Of a multipart; a message/rfc822 has the message as its only one."""

    @property
    def raw(self) -> bytes:
        """All of it."""
        return self.header + self.body

    def get(self, name: str) -> str | None:
        """Return a field's value, unfolded and decoded; None when it is missing."""
        found = [value for key, value in fields(self.header) if key.lower() == name.lower()]
        return found[0] if found else None


@lru_cache(maxsize=512)
def parsed(raw: bytes, depth: int = 0) -> Part:
    """Cut a message into its parts."""
    end = 0 if raw[:2] == b"\r\n" else None
    blank = _BLANK.search(raw) if end is None else None
    cut = blank.end() if blank else (2 if end == 0 else len(raw))
    header, body = raw[:cut], raw[cut:]
    known = email.message_from_bytes(header)
    params = tuple((str(k), str(v)) for k, v in (known.get_params(failobj=[]) or [])[1:])
    kind = known.get_content_type()
    parts: tuple[Part, ...] = ()
    boundary = known.get_boundary()
    if kind.startswith("multipart/") and boundary and depth < _DEEPEST:
        parts = tuple(parsed(piece, depth + 1) for piece in _pieces(body, boundary.encode()))
    elif kind == "message/rfc822" and depth < _DEEPEST:
        parts = (parsed(body, depth + 1),)
    return Part(header, body, kind, params, parts)


def _pieces(body: bytes, boundary: bytes) -> list[bytes]:
    marks = list(re.finditer(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)", body))
    pieces = []
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        if mark[1]:
            break
        pieces.append(body[mark.end() : following.start() if following else len(body)])
    return pieces


def fields(header: bytes) -> list[tuple[str, str]]:
    """Return the fields of a header: names, and values unfolded and decoded (RFC 2047)."""
    return [
        (name.decode("ascii"), decoded(re.sub(rb"\r?\n([ \t])", rb"\1", value).strip()))
        for name, value in _FIELD.findall(header)
    ]


def decoded(value: bytes) -> str:
    """Return a field's value as text."""
    text = value.decode("utf-8", "replace")
    if "=?" not in text:
        return text
    try:
        return str(email.header.make_header(email.header.decode_header(text)))
    except (LookupError, ValueError):
        return text


def chosen_fields(header: bytes, names: frozenset[str], *, others: bool = False) -> bytes:
    """Return the fields named (upper case), or all others, as they stand, and the blank line."""
    kept = [
        match[0]
        for match in _FIELD.finditer(header)
        if (match[1].decode("ascii").upper() in names) is not others
    ]
    return b"".join(kept).rstrip(b"\r\n") + (b"\r\n\r\n" if kept else b"\r\n")


def section(message: Part, spec: str) -> Part | None:
    """Return the part of a number like ``1.2``; None when there is none."""
    part = message
    for number in spec.split("."):
        inner = part.parts[0] if part.type == "message/rfc822" and part is not message else part
        if inner.parts and inner.type != "message/rfc822":
            index = int(number) - 1
            if not 0 <= index < len(inner.parts):
                return None
            part = inner.parts[index]
        elif number != "1":
            return None
        else:
            part = inner
    return part


def texts(part: Part, *, headers: bool) -> list[str]:
    """Return what SEARCH TEXT looks at (``headers``), or SEARCH BODY: decoded text, attached messages too."""
    found = [f"{name}: {value}" for name, value in fields(part.header)] if headers else []
    if part.parts:
        inside = headers or part.type == "message/rfc822"
        return found + [text for inner in part.parts for text in texts(inner, headers=inside)]
    if part.type.startswith("text/"):
        message = email.message_from_bytes(part.raw)
        payload = message.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else part.body
        found.append(data.decode("utf-8", "replace"))
    return found


def envelope(part: Part) -> bytes:
    """Return ENVELOPE (RFC 9051 section 7.5.2)."""
    raw = {name.upper(): value.encode() for name, value in reversed(fields(part.header))}
    sender = _addresses(raw.get("FROM"))
    items = [
        nstring(raw.get("DATE")),
        nstring(raw.get("SUBJECT")),
        sender,
        _addresses(raw.get("SENDER")) if "SENDER" in raw else sender,
        _addresses(raw.get("REPLY-TO")) if "REPLY-TO" in raw else sender,
        *(_addresses(raw.get(name)) for name in ("TO", "CC", "BCC")),
        nstring(raw.get("IN-REPLY-TO")),
        nstring(raw.get("MESSAGE-ID")),
    ]
    return b"(" + b" ".join(items) + b")"


def _addresses(value: bytes | None) -> bytes:
    pairs = email.utils.getaddresses([value.decode()]) if value else []
    found = []
    for name, address in pairs:
        local, _, host = address.partition("@")
        shown = quoted(name.encode()) if name else b"NIL"
        found.append(b"(%s NIL %s %s)" % (shown, quoted(local.encode()), quoted(host.encode())))
    return b"(" + b"".join(found) + b")" if found else b"NIL"


def structure(part: Part) -> bytes:
    """Return BODYSTRUCTURE without extension data beyond the disposition."""
    kind, _, subtype = part.type.upper().partition("/")
    if kind == "MULTIPART":
        inner = b"".join(structure(each) for each in part.parts) or structure(parsed(b"\r\n"))
        return b"(" + inner + b" " + quoted(subtype.encode()) + b" " + _params(part.params) + b" NIL NIL)"
    items = [
        quoted(kind.encode()),
        quoted(subtype.encode()),
        _params(part.params),
        *(_optional(part.get(name)) for name in ("Content-ID", "Content-Description")),
        quoted((part.get("Content-Transfer-Encoding") or "7BIT").upper().encode()),
        b"%d" % len(part.body),
    ]
    if part.type == "message/rfc822" and part.parts:
        items += [envelope(part.parts[0]), structure(part.parts[0])]
    if kind == "TEXT" or part.type == "message/rfc822":
        items.append(b"%d" % part.body.count(b"\n"))
    return b"(" + b" ".join([*items, b"NIL", _disposition(part), b"NIL"]) + b")"


def _disposition(part: Part) -> bytes:
    message = email.message_from_bytes(part.header)
    word = message.get_content_disposition()
    if word is None:
        return b"NIL"
    name = message.get_filename()
    return b"(%s %s)" % (quoted(word.encode()), _params((("filename", name),) if name else ()))


def _params(params: tuple[tuple[str, str], ...]) -> bytes:
    pairs = [quoted(name.encode()) + b" " + quoted(value.encode()) for name, value in params]
    return b"(" + b" ".join(pairs) + b")" if pairs else b"NIL"


def _optional(value: str | None) -> bytes:
    return nstring(None if value is None else value.encode())
