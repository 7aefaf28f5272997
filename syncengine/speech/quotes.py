"""Which lines of a mail its sender wrote, and which he quoted, signed with or was given. Pure.

Everything is decided a line at a time with bounded patterns; when nothing of the sender's own is left,
the quoted text is what he sent, and it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from syncengine.speech import programs

FORWARDED = "\ue010"
"""Stands as a line of its own where a forwarded message begins; no text of a mail holds it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line and how deep it is quoted."""

    depth: int
    text: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The lines to read."""

    lines: tuple[str, ...]
    quoted: bool
    """Whether quoted text was left out."""


_DEPTH = re.compile(r"(?:>[ \t]?){1,100}")
_MAX_LINE = 400
"""A longer line is prose, whatever stands in it."""

_HEADER_LINES = 12
_ATTRIBUTION_LINES = 3
_ARMOUR = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----")
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "--"
_LIST_RULE = re.compile(r"_{20,80}")
_LIST_NAME = re.compile(r"[\w .-]{1,60} mailing list\b.{0,60}", re.I)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{56,}={0,2}")
_BASE64_END = re.compile(r"[A-Za-z0-9+/]{1,}={0,2}")
_UUENCODED = re.compile(r"begin(?:-base64)? [0-7]{3,4} \S.{0,200}")
_WORD = re.compile(r"\w")


def line(raw: str, *, stuffed: bool = False) -> Line:
    """Split a line into quote depth and text; ``stuffed``: a space in front is no text (RFC 3676 4.4)."""
    match = _DEPTH.match(raw)
    if match is None:
        return Line(0, raw.removeprefix(" ") if stuffed else raw)
    return Line(match[0].count(">"), raw[match.end() :])


def own_words(lines: Sequence[Line], *, forwarded: bool) -> Kept:
    """Return what the sender himself wrote; of a forwarded mail, what he forwarded too."""
    clean = list(_unarmoured(lines))
    reading = _Reading(clean, keeps=forwarded)
    if not any(_WORD.search(text) for text in reading.read()):
        quoted = _Reading(clean, keeps=True)
        return Kept(tuple(quoted.read()), quoted=False)
    return Kept(tuple(reading.own), reading.quoted)


def _unarmoured(lines: Sequence[Line]) -> Iterator[Line]:
    """Leave out keys, signatures, encoded files and what every newsletter says about itself."""
    end = ""
    encoded = False
    for one in lines:
        text = one.text.strip()
        encoded = bool((_BASE64_END if encoded else _BASE64).fullmatch(text)) and _is_code(text, encoded)
        if encoded:
            continue
        if end:
            if text.startswith(end):
                end = ""
        elif text != _SIGNED and _ARMOUR.fullmatch(text):
            end = "-----END"
        elif _UUENCODED.fullmatch(text):
            end = "end"
        elif text != _SIGNED and (len(text) > _MAX_LINE or not programs.NOISE.fullmatch(text)):
            yield one


def _is_code(text: str, encoded: bool) -> bool:
    """Whether a run of letters is an encoded file's line, and not a word or a line of German."""
    return encoded or sum(c.isdigit() or c in "+/" for c in text) >= 3


@dataclass(slots=True)
class _Reading:
    """One walk down the lines of a mail; ``keeps``: what is quoted is what he sent."""

    lines: Sequence[Line]
    keeps: bool
    own: list[str] = field(default_factory=list)
    quoted: bool = False
    signed: bool = False

    def read(self) -> list[str]:
        at = 0
        while at < len(self.lines):
            at = self._step(at)
        return self.own

    def _step(self, at: int) -> int:
        """Judge the line at ``at``; return the next one to judge."""
        line, text = self.lines[at], self._text(at)
        if programs.FORWARD.fullmatch(text):
            self.keeps, self.signed = True, False
            self.own += ["", FORWARDED]
            return self._after_header(at + 1)
        if self.signed:
            return at + 1
        if line.depth and not self.keeps:
            self.quoted = True
            return at + 1
        if text == _SIGNATURE or self._list_footer(at):
            self.signed = True
            return at + 1
        if self._original(at):
            return self._after_header(at) if self.keeps else self._rest_is_quoted()
        if size := self._attribution(at):
            quote = self.keeps or self._quote_follows(at + size)
            self.quoted = not self.keeps
            return at + size if quote else self._rest_is_quoted()
        self.own.append(text)
        return at + 1

    def _text(self, at: int) -> str:
        """The line at ``at``, '' after the last one."""
        return self.lines[at].text.strip() if at < len(self.lines) else ""

    def _rest_is_quoted(self) -> int:
        self.quoted = True
        return len(self.lines)

    def _after_header(self, at: int) -> int:
        """Return the line after a quoted mail's header, which begins at or right after ``at``."""
        if programs.ORIGINAL.fullmatch(self._text(at)):
            at += 1
        for _ in range(_HEADER_LINES):
            if at < len(self.lines) and (not self._text(at) or programs.HEADER.match(self._text(at))):
                at += 1
        return at

    def _list_footer(self, at: int) -> bool:
        """Whether a mailing list's own words begin here (GNU Mailman's default footer)."""
        return bool(_LIST_RULE.fullmatch(self._text(at)) and _LIST_NAME.fullmatch(self._text(at + 1)))

    def _quoted(self, at: int) -> bool:
        return at < len(self.lines) and self.lines[at].depth > self.lines[at - 1].depth

    def _original(self, at: int) -> bool:
        """Whether the mail answered to begins here, in the manner of Outlook."""
        text = self._text(at)
        if programs.ORIGINAL.fullmatch(text):
            return True
        first = programs.HEADER.match(text)
        if first is None or first[1].lower() not in programs.FIRST_HEADERS:
            return False
        return sum(bool(programs.HEADER.match(self._text(at + more))) for more in range(1, 5)) >= 2

    def _attribution(self, at: int) -> int:
        """How many lines say that somebody wrote what follows; 0 = none."""
        said = ""
        for size in range(1, _ATTRIBUTION_LINES + 1):
            text = self._text(at + size - 1)
            if not text or len(text) > _MAX_LINE:
                return 0
            said = f"{said} {text}".strip()
            if size == 1 and programs.NAMED.fullmatch(said) and self._quoted(at + 1):
                return size
            if programs.ATTRIBUTION.fullmatch(said):
                return size if programs.NAMES_SOMEBODY.search(said) else 0
        return 0

    def _quote_follows(self, at: int) -> bool:
        while at < len(self.lines) and not self._text(at):
            at += 1
        return at < len(self.lines) and self.lines[at].depth > 0
