"""From the octets of a mail's text parts to the paragraphs worth hearing. Pure; never raises.

What the sender wrote now is kept; what was quoted, signed, tracked or armoured is dropped and only
named. Work and result grow with the input at most in proportion, and the input is bounded.
"""

from __future__ import annotations

import binascii
import quopri
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from syncengine.speech import hypertext, quotes
from syncengine.speech.header import decoded
from syncengine.speech.mail import Sealed, Text

MAX_OCTETS = 256 * 1024
"""Octets of one text part that are looked at; more need not be fetched."""

_MAX_CHARS = 200_000
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.I)
_LOOKS_LIKE_HTML = re.compile(r"\s*<(?:!doctype html|html|head|body)\b", re.I)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_LINE_BREAK = re.compile(r"\r\n?|[\n\v\f\x85\u2028\u2029]")
_BLANKS = re.compile(r"[^\S\n]+")
_NONSENSE = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_PGP_MESSAGE = "-----BEGIN PGP MESSAGE-----"
_LIST_ITEM = re.compile(r"\s*(?:[-*•·\u2013]|\(?\d{1,3}[.)]|\(?[a-z]\))\s")
_FULL_LINE = 50
"""Characters from which on a line was broken by a program and not by its writer."""


@dataclass(frozen=True, slots=True)
class Body:
    """What of a mail's text is to be read, and what was left out of it."""

    paragraphs: tuple[str, ...] = ()
    """:data:`syncengine.speech.quotes.FORWARDED` among them where a forwarded message begins."""
    quoted: bool = False
    cut: bool = False
    sealed: Sealed | None = None


def body(texts: Sequence[Text], *, forwarded: bool = False) -> Body:
    """Read the text parts of a mail; ``forwarded`` says that its subject is one of a forwarded mail."""
    lines: list[quotes.Line] = []
    joined = False
    for text in texts:
        characters = _characters(text)
        if _PGP_MESSAGE in characters:
            return Body(sealed=Sealed.PGP)
        html = text.html or bool(_LOOKS_LIKE_HTML.match(characters))
        joined = joined or html or text.flowed
        plain = _tidy(hypertext.lines(characters)) if html else characters
        lines += (
            _unflowed(plain, delsp=text.delsp)
            if text.flowed and not html
            else map(quotes.line, plain.split("\n"))
        )
        lines.append(quotes.Line(0, ""))
    kept = quotes.own_words(lines, forwarded=forwarded)
    return Body(
        paragraphs=tuple(kept.lines if joined else _paragraphs(kept.lines)),
        quoted=kept.quoted,
        cut=any(text.cut or len(text.data) > MAX_OCTETS for text in texts),
    )


def _characters(text: Text) -> str:
    octets = _octets(text.data[:MAX_OCTETS], text.encoding)
    charset = text.charset
    if not charset and text.html and (meta := _META_CHARSET.search(octets[:2048])):
        charset = meta[1].decode("ascii")
    characters = decoded(octets, charset)[:_MAX_CHARS]
    return "" if _is_noise(characters) else _tidy(characters)


def _is_noise(characters: str) -> bool:
    """Whether it is no text at all: a picture that calls itself one, or in another charset than it says."""
    nonsense = len(_NONSENSE.findall(characters))
    return nonsense > 8 and nonsense * 8 > len(characters) - characters.count("\0")


def _octets(data: bytes, encoding: str) -> bytes:
    """Undo the transfer encoding (RFC 2045 section 6); what is cut or broken is read as far as it goes."""
    match encoding.strip().lower():
        case "base64":
            # Padding in the middle comes from parts that were glued together.
            digits = _NOT_BASE64.sub(b"", data)
            return binascii.a2b_base64(digits[: len(digits) // 4 * 4] + _tail(digits))
        case "quoted-printable":
            return quopri.decodestring(data)
        case _:
            return data


def _tail(digits: bytes) -> bytes:
    rest = digits[len(digits) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def _tidy(characters: str) -> str:
    """Return text with one kind of line break, one kind of blank, and nothing that cannot be seen."""
    characters = _LINE_BREAK.sub("\n", characters)
    if not characters.isascii():
        characters = "".join(c for c in characters if unicodedata.category(c) not in _UNSEEN or c in "\n\t")
        characters = unicodedata.normalize("NFC", characters)
    else:
        characters = "".join(c for c in characters if " " <= c < "\x7f" or c in "\n\t")
    return "\n".join(_BLANKS.sub(" ", line) for line in characters.split("\n"))


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co"})
"""Control and format characters (soft hyphens, joiners, direction marks), surrogates, unassigned."""


def _unflowed(text: str, *, delsp: bool) -> Iterator[quotes.Line]:
    """Join the lines that ``format=flowed`` broke softly (RFC 3676 section 4.2)."""
    parts: list[str] = []
    depth = 0
    for raw in text.split("\n"):
        line = quotes.line(raw, stuffed=True)
        if parts and (line.depth != depth or line.text == "-- "):
            yield quotes.Line(depth, "".join(parts))
            parts = []
        depth = line.depth
        soft = line.text.endswith(" ") and line.text != "-- "
        parts.append(line.text[:-1] if soft and delsp else line.text)
        if not soft:
            yield quotes.Line(depth, "".join(parts))
            parts = []
    if parts:
        yield quotes.Line(depth, "".join(parts))


def _paragraphs(lines: Sequence[str]) -> Iterator[str]:
    """Join lines that were broken to fit 72 columns; a short line, a blank one or a list item ends one."""
    parts: list[str] = []
    for line in lines:
        if parts and (not line or _LIST_ITEM.match(line)):
            yield " ".join(parts)
            parts = []
        if line:
            parts.append(line)
            if len(line) < _FULL_LINE:
                yield " ".join(parts)
                parts = []
    if parts:
        yield " ".join(parts)
