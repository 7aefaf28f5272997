"""Which language a mail is written in. Pure, but for the library's model, which is loaded once.

A guess from a few words is worse than none: short or mixed texts are taken to be in the mailbox's language,
unless its voice does not know the letters that they are written in, and would spell them.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from syncengine.speech.phrases import primary, tag

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_ENOUGH = 40
"""Letters from which on a guess is better than the mailbox's own language."""

_CERTAIN = 0.6
"""Close relatives (Russian and Ukrainian, Norwegian and Danish) share what one sentence gives."""

_LOOKED_AT = 1000

GUESSED = (
    "af ar bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gu hi hr hu hy id is it ja ka kn ko ku la "
    "lt lv mk ml mr ms mt ne nl no pa pl pt ro ru si sk sl sq sr sv sw ta te th tr uk ur vi zh"
)
"""Languages that are guessed: those that both the model and eSpeak NG know."""


WRITTEN_IN = {
    "ARABIC": "ar fa ur",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "CJK": "zh ja ko",
    "CYRILLIC": "ru uk bg mk sr be kk",
    "DEVANAGARI": "hi ne mr",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}
"""The languages that scripts (their names in Unicode) are read in, the likeliest first."""


def suited(text: str, language: str) -> str:
    """Return ``language``, or one whose voice knows the letters that most of ``text`` is written in.

    Latin letters are read by every voice.
    """
    found = Counter(_script(c) for c in text[:_LOOKED_AT] if c.isalpha())
    if not found or not found.keys() & WRITTEN_IN.keys():
        return language
    script = max(found, key=lambda name: found[name])
    if script == "CJK" and (found["HIRAGANA"] or found["KATAKANA"]):
        script = "HIRAGANA"  # Japanese is mostly Chinese characters, Chinese has none of these
    readers = WRITTEN_IN.get(script, "").split()
    return language if not readers or primary(language) in readers else readers[0]


def _script(letter: str) -> str:
    return "LATIN" if letter.isascii() else unicodedata.name(letter, "").partition(" ")[0]


def guess(text: str, default: str) -> str:
    """Return the language of ``text``, ``default`` (a language tag) where that cannot be told.

    Without the library, every mail is in the mailbox's language.
    """
    letters = "".join(c if c.isalpha() else " " for c in text[: 4 * _LOOKED_AT])
    sample = " ".join(letters.split())[:_LOOKED_AT]
    identifier = _identifier() if len(sample) >= _ENOUGH else None
    if identifier is None:
        return suited(sample, tag(default))
    found, probability = identifier.classify(sample)
    if probability < _CERTAIN or found == primary(default):
        return suited(sample, tag(default))
    return str(found)


def load() -> None:
    """Load the model that guesses, which takes most of a second; without it the first guess does."""
    _identifier()


@cache
def _identifier() -> LanguageIdentifier | None:
    try:  # optional, and its model takes most of a second
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415
    except ImportError:
        return None
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    spoken = GUESSED.split()
    identifier.set_languages([label for label in identifier.labels if label in spoken])
    return identifier
