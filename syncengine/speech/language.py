"""Which language a mail is written in. Pure, but for the library's model, which is loaded once.

A guess from a few words is worse than none: short or mixed texts are taken to be in the mailbox's language.
"""

from __future__ import annotations

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


def guess(text: str, default: str) -> str:
    """Return the language of ``text``, ``default`` (a language tag) where that cannot be told.

    Without the library, every mail is in the mailbox's language.
    """
    letters = "".join(c if c.isalpha() else " " for c in text[: 4 * _LOOKED_AT])
    sample = " ".join(letters.split())[:_LOOKED_AT]
    identifier = _identifier() if len(sample) >= _ENOUGH else None
    if identifier is None:
        return tag(default)
    found, probability = identifier.classify(sample)
    if probability < _CERTAIN or found == primary(default):
        return tag(default)
    return str(found)


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
