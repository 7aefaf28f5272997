"""Which lines of a mail its sender wrote, and which he quoted, signed with or was given. Pure.

Everything is decided a line at a time with bounded patterns; when nothing of the sender's own is left,
the quoted text is what he sent, and it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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

_FORWARD = re.compile(
    r"[-_\s]*(?:begin |anfang der |début du )?"
    r"(?:forwarded message|weitergeleitete n?achricht|message (?:transféré|réexpédié)|mensaje reenviado)"
    r"(?: from .{1,100}| von .{1,100})?\s*[-:_\s]*",
    re.I,
)
_ORIGINAL = re.compile(
    r"[-_]{2,}\s*(?:original message|original appointment|ursprüngliche nachricht|original-?nachricht|"
    r"message d'origine|mensaje original)\s*[-_]{0,40}",
    re.I,
)
_HEADER = re.compile(
    r"\*?(from|sent|date|to|cc|bcc|subject|reply-to|von|gesendet|datum|an|betreff|antwort an|"
    r"de|envoyé|à|objet|cc|enviado|fecha|para|asunto)\s?:\*?(?:\s|$)",
    re.I,
)
_FIRST_HEADERS = frozenset({"from", "von", "de"})
_HEADER_LINES = 12
_ATTRIBUTION_LINES = 3
_ATTRIBUTION = re.compile(
    r"(?:on|am|le|el|op|il|em|den|\d{4}-\d\d-\d\d)\b.{3,300}"
    r"\b(?:wrote|writes|schrieb|a écrit|escribió|schreef|ha scritto|escreveu|skrev)\b.{0,150}[:\uff1a]",
    re.I,
)
_NAMES_SOMEBODY = re.compile(r"\d{1,2}[:.h]\d\d|[@<]|\d{4}")
_ARMOUR = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----")
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "--"
_UUENCODED = re.compile(r"begin(?:-base64)? [0-7]{3,4} \S.{0,200}")
_THIS_MAIL = r"this (?:e-?mail|message|newsletter)"
_NOISE = re.compile(
    r"[\W_]*(?:"
    r"\[(?:image|cid|bild|logo|inline)\b[^\]]{0,200}\]|<?image\d{1,4}\.(?:png|jpe?g|gif)>?|"
    r"hash: ?sha\d{1,4}|"
    r"(?:click here to )?(?:unsubscribe|manage (?:your )?(?:email )?preferences)\b.{0,60}|"
    rf"(?:can't|cannot|trouble) (?:see|read|view|viewing|seeing|reading) {_THIS_MAIL}\b.{{0,80}}|"
    rf"(?:view|read|open|see) (?:{_THIS_MAIL}|it|online)?\s?(?:in|on|with) (?:your|a|the) "
    r"(?:web )?(?:browser|web)\b.{0,40}|view (?:online|in browser)\b.{0,20}|"
    r"(?:newsletter )?(?:abbestellen|abmelden)\b.{0,40}|"
    r"(?:im browser|online) (?:ansehen|anzeigen|öffnen|lesen)\b.{0,40}|"
    r"se désabonner\b.{0,60}|se désinscrire\b.{0,60}|voir (?:la version|cet e-?mail) en ligne\b.{0,40}|"
    r"darse de baja\b.{0,60}|ver (?:este correo )?en (?:el|tu|su) navegador\b.{0,40}|"
    r"sent from my \w{1,20}(?: \w{1,20}){0,3}|get outlook for \w{1,20}|"
    r"von meinem \w{1,20} gesendet|gesendet von (?:mein\w{0,3}|outlook)\b.{0,40}|"
    r"envoyé de mon \w{1,20}|enviado desde mi \w{1,20}|"
    r"this e-?mail was (?:scanned|checked) .{0,100}|virus-?free\.?.{0,40}"
    r")[\W_]*",
    re.I,
)
"""What mail programs and newsletters say about themselves, a line at a time."""

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
    for one in lines:
        text = one.text.strip()
        if end:
            if text.startswith(end):
                end = ""
        elif text != _SIGNED and _ARMOUR.fullmatch(text):
            end = "-----END"
        elif _UUENCODED.fullmatch(text):
            end = "end"
        elif text != _SIGNED and (len(text) > _MAX_LINE or not _NOISE.fullmatch(text)):
            yield one


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
        if _FORWARD.fullmatch(text):
            self.keeps, self.signed = True, False
            self.own += ["", FORWARDED]
            return self._after_header(at + 1)
        if self.signed:
            return at + 1
        if line.depth and not self.keeps:
            self.quoted = True
            return at + 1
        if text == _SIGNATURE:
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
        if _ORIGINAL.fullmatch(self._text(at)):
            at += 1
        for _ in range(_HEADER_LINES):
            if at < len(self.lines) and (not self._text(at) or _HEADER.match(self._text(at))):
                at += 1
        return at

    def _original(self, at: int) -> bool:
        """Whether the mail answered to begins here, in the manner of Outlook."""
        text = self._text(at)
        if _ORIGINAL.fullmatch(text):
            return True
        first = _HEADER.match(text)
        if first is None or first[1].lower() not in _FIRST_HEADERS:
            return False
        return sum(bool(_HEADER.match(self._text(at + more))) for more in range(1, 5)) >= 2

    def _attribution(self, at: int) -> int:
        """How many lines say that somebody wrote what follows; 0 = none."""
        said = ""
        for size in range(1, _ATTRIBUTION_LINES + 1):
            text = self._text(at + size - 1)
            if not text or len(text) > _MAX_LINE:
                return 0
            said = f"{said} {text}".strip()
            if _ATTRIBUTION.fullmatch(said):
                return size if _NAMES_SOMEBODY.search(said) else 0
        return 0

    def _quote_follows(self, at: int) -> bool:
        while at < len(self.lines) and not self._text(at):
            at += 1
        return at < len(self.lines) and self.lines[at].depth > 0
