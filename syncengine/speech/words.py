"""A paragraph as it can be spoken: links, codes, numbers and dates in words, signs that nobody says removed.

Pure. Every pattern is bounded, so that the time grows in proportion to the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

from syncengine.speech import figures
from syncengine.speech.phrasebook.shape import Phrases

MAX_SENTENCE = 300
"""Characters of one sentence; a longer one is spoken in pieces, so that the first can be heard soon."""

_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,200})\]\(\s*(?:https?|mailto):[^()\s]{1,2000}\)")
_ASIDE = re.compile(r"[<(\[]\s*(?:https?://|mailto:|www\.)[^<>()\[\]\s]{1,4000}\s*[>)\]]", re.I)
_URL = re.compile(r"(?:\bhttps?://|\bftp://|(?<![@.\w-])www\.)[^\s<>\"]{1,4000}", re.I)
_ADDRESS = re.compile(
    r"(?:\bmailto:)?(?<![\w.+-])([\w.+!#$%&'*/=?^{|}~-]{1,64})@((?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24})"
)
_CODE = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|(?<![^\s\"'(<=:])[A-Za-z0-9+/=_.%-]{24,}",
    re.I,
)
_END_OF_LINK = ".,;:!?)]}'\"»”"
_LETTER_RUN = re.compile(r"[A-Za-z]+")
_LONGEST = 80
_PLAIN_LOCAL = 24

_EMPHASIS = re.compile(r"[*_~|`^\\{}\[\]<>=]+|#(?!\d)")
_RUN = re.compile(r"([^\w\s])(?:\s?\1){2,}")
_MIXED_RUN = re.compile(r"[^\w\s]{4,}")
_LONE = re.compile(r"(?<!\S)[^\w\s.,;:!?\u2026&]{1,3}(?!\S)")
_LETTERS = re.compile(r"([^\W\d])\1{3,}")
_BULLET = re.compile(r"^\s*(?:[-*•·\u2013—+>]+(?:\s+|(?=[^\W\d]))){1,10}")
_SPACES = re.compile(r"\s+")
_BEFORE_STOP = re.compile(r"\s+(?=[,.;!?…])")
_WORD = re.compile(r"\w")
_UNSAID = frozenset({"So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me"})
_KEPT_SYMBOLS = frozenset("°©®")

_END = re.compile(r"[.!?…]+[\"'»”\u2019)]*(?=\s)|[。\uff01\uff1f]+|[:;](?=\s)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|nr|vs|etc|approx|dept|inc|ltd|co|jr|sr|bzw|usw|ca|str|tel|hr|fr|evtl|ggf|inkl|"
    r"zzgl|mme|mlle|sra|srta|sr|av|fig|vol|ext|min|max)|\b\w)\.$",
    re.I,
)
_SOFT = re.compile(r"[,;:\u2013—](?=\s)|\s")


def spoken(paragraph: str, words: Phrases) -> str:
    """Return a paragraph as one line to speak, '' when nothing in it can be said."""
    said = _BULLET.sub("", paragraph)
    said = _MARKDOWN_LINK.sub(r"\1", said)
    said = _without_asides(said)
    said = _URL.sub(lambda link: _link(link[0], words), said)
    said = _ADDRESS.sub(lambda found: _address(found[1], found[2], words), said)
    said = _CODE.sub(lambda found: _code(found[0], words), said)
    said = figures.in_words(said, words)
    said = _signs(said, words)
    said = _said_once(said, words)
    return said if _WORD.search(said) else ""


def name(display: str, address: str, words: Phrases) -> str:
    """Return how a sender is called: the display name, else the local part of the address."""
    said = _signs(display.replace('"', " "), words) if "@" not in display else ""
    if _WORD.search(said):
        return said[:120]
    local, _, domain = (address or display).rpartition("@")
    if len(local) > _PLAIN_LOCAL:
        return _site(domain, words)
    return _signs(re.sub(r"[._+-]+", " ", local), words)[:120]


def sentences(text: str) -> Iterator[str]:
    """Split a line into sentences of at most :data:`MAX_SENTENCE` characters."""
    start = 0
    for end in _END.finditer(text):
        if end[0] == "." and _goes_on(text, start, end.end()):
            continue
        if end[0] in ":;" and end.end() - start < 80:
            continue
        yield from _pieces(text[start : end.end()].strip())
        start = end.end()
    yield from _pieces(text[start:].strip())


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether the full stop before ``end`` belongs to an abbreviation or a number."""
    if text[: end - 1][-1:].isdigit():
        number = text[: end - 1].rpartition(" ")[2]
        numbered = number == text[start : end - 1].strip() and len(number) < 4
        return numbered or not text[end : end + 2].strip()[:1].isupper()
    return bool(_ABBREVIATION.search(text[max(0, end - 12) : end]))


def _pieces(sentence: str) -> Iterator[str]:
    while len(sentence) > MAX_SENTENCE:
        cut = 0
        for soft in _SOFT.finditer(sentence, MAX_SENTENCE // 2, MAX_SENTENCE):
            if cut == 0 or soft[0] != " ":
                cut = soft.end()
        if cut == 0:
            space = sentence.rfind(" ", 0, MAX_SENTENCE)
            cut = space if space > 0 else MAX_SENTENCE
        yield sentence[:cut].strip()
        sentence = sentence[cut:].strip()
    if _WORD.search(sentence):
        yield sentence


def _without_asides(text: str) -> str:
    """Leave out the addresses that plain-text alternatives put in brackets after a link's words."""
    if _WORD.search(_ASIDE.sub("", text)):
        return _ASIDE.sub(" ", text)
    return text


def _link(found: str, words: Phrases) -> str:
    url = found.rstrip(_END_OF_LINK)
    try:
        host = urlsplit(url if "://" in url else f"http://{url}").hostname or ""
    except ValueError:
        host = ""
    site = _site(host.removeprefix("www."), words)
    return f" {words.link_to.format(site=site) if site else words.link}{found[len(url) :]} "


def _site(domain: str, words: Phrases) -> str:
    """Return how a domain is said: its last three labels at most; '' for a number or nonsense."""
    labels = domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or any(not label or len(label) > 30 for label in labels[-2:]):
        return ""
    few = labels[-3:] if len(labels[-2]) <= 3 else labels[-2:]
    return words.dot.join(few)


def _address(local: str, domain: str, words: Phrases) -> str:
    site = _site(domain, words)
    if len(local) > _PLAIN_LOCAL or not site or sum(c.isdigit() for c in local) > 5:
        return site or words.code
    return re.sub(r"[._+-]+", lambda sign: words.dot if sign[0] == "." else " ", local) + words.at + site


def _code(token: str, words: Phrases) -> str:
    """Name what no ear can use: a long run with digits in it, or of letters in no word's order."""
    pieces = _LETTER_RUN.findall(token)
    wordlike = all(piece.islower() or piece.isupper() or piece.istitle() for piece in pieces)
    if wordlike and sum(c.isdigit() for c in token) < 3 and len(token) < _LONGEST:
        return token
    return words.code


def _signs(text: str, words: Phrases) -> str:
    if not text.isascii():
        text = "".join(c if c in _KEPT_SYMBOLS or not _unsaid(c) else " " for c in text)
    text = text.replace("&", words.ampersand)
    text = _EMPHASIS.sub(" ", text)
    text = _RUN.sub(r"\1", text)
    text = _MIXED_RUN.sub(" ", text)
    text = _LONE.sub(" ", text)
    text = _LETTERS.sub(r"\1\1\1", text)
    return _BEFORE_STOP.sub("", _SPACES.sub(" ", text)).strip()


def _unsaid(character: str) -> bool:
    """Whether a character is a picture, a control, or an accent heaped on accents.

    Marks of scripts that need them (Devanagari, Arabic, Hebrew, Thai) are kept; those of the general block
    are what remains of decorated letters, since texts are composed (NFC) before.
    """
    category = unicodedata.category(character)
    return category in _UNSAID and not (category == "Mn" and not "\u0300" <= character <= "\u036f")


def _said_once(text: str, words: Phrases) -> str:
    """Say a code or a link once where several stand in a row."""
    for phrase in filter(None, (words.code, words.link)):
        text = re.sub(rf"(?:\b{re.escape(phrase)}\b[\s,;:]*){{2,}}", f"{phrase} ", text)
    return text.strip()
