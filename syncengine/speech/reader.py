"""What is said of a mail: from an announcement to its last sentence. Pure; never raises.

Whatever the mail holds, the sentences are plain text in one line each, bounded in length and together
(:data:`MAX_SPOKEN`), and there is always at least one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from syncengine.speech import words as say
from syncengine.speech.body import Body, body
from syncengine.speech.language import guess, suited
from syncengine.speech.mail import Envelope, Mail, Sealed, Sentence
from syncengine.speech.phrasebook.shape import Phrases
from syncengine.speech.phrases import inserted, own, phrases, spoken_arrival, tag
from syncengine.speech.quotes import FORWARDED

MAX_SPOKEN = 4000
"""Characters of one mail's text that are read aloud: about five minutes."""

_MAX_SUBJECT = 200
_PREFIX = re.compile(
    r"\s*(?:(?:re|aw|antw|sv|rép|ref|r|fwd?|wg|tr|rv|i|wtr)\s?(?:\[\d{1,3}\])?\s?:|\[[^\[\]]{1,40}\])\s*",
    re.I,
)
_FORWARDED_SUBJECT = re.compile(r"\s*(?:fwd?|wg|tr|rv|i|wtr)\s?:", re.I)
_ENDS = re.compile(r"[.!?…:。\uff01\uff1f]$")


def announcement(
    envelope: Envelope, *, number: int, of: int, now: datetime, language: str
) -> Iterator[Sentence]:
    """Yield what is said before a mail: which one, from whom, about what, and when it came.

    ``now`` gives the caller's time zone as well.
    """
    words, spoken_in = phrases(language), own(language)
    yield Sentence(words.message.format(number=number, of=of), spoken_in)
    sender = say.name(envelope.sender_name, envelope.sender_address, words)
    if sender:
        yield from _about(words.sender, sender.rstrip("."), language)
    else:
        yield Sentence(words.no_sender, spoken_in)
    subject = say.spoken(_bare(envelope.subject), words)[:_MAX_SUBJECT]
    if subject:
        yield from _about(words.subject, subject, language)
    else:
        yield Sentence(words.no_subject, spoken_in)
    if envelope.received is not None:
        yield Sentence(spoken_arrival(envelope.received, now, words), spoken_in)


def overview(count: int, new: int, language: str) -> Sentence:
    """Return what is said before the first mail: how many there are."""
    words = phrases(language)
    said = (words.no_mails, words.one_mail)[count] if count < 2 else words.mails
    return Sentence(said.format(count=count, new=new), own(language))


def ending(language: str) -> Sentence:
    """Return what is said after the last mail."""
    return Sentence(phrases(language).no_more, own(language))


def sentences(mail: Mail, language: str) -> Iterator[Sentence]:
    """Yield a mail's text sentence by sentence, and what was left out of it.

    ``language`` is the mailbox's, for the reader's own words and for mails whose language cannot be told.
    """
    words, spoken_in = phrases(language), own(language)
    read = body(mail.texts, forwarded=bool(_FORWARDED_SUBJECT.match(mail.envelope.subject)))
    sealed = mail.sealed or read.sealed
    if sealed is not None:
        yield Sentence(_sealed(sealed, words), spoken_in)
    else:
        yield from _text(read, words, language)
    match len(mail.attachments):
        case 0:
            pass
        case 1:
            yield Sentence(words.one_attachment, spoken_in)
        case count:
            yield Sentence(words.attachments.format(count=count), spoken_in)


def _text(read: Body, words: Phrases, language: str) -> Iterator[Sentence]:
    spoken_in = own(language)
    left = MAX_SPOKEN
    said = False
    for sentence in _spoken(
        read, Sentence(words.forwarded, spoken_in), guess("\n".join(read.paragraphs), language)
    ):
        if len(sentence.text) > left:
            yield Sentence(words.left_out, spoken_in)
            return
        left -= len(sentence.text)
        said = True
        yield sentence
    if not said:
        yield Sentence(words.empty, spoken_in)
    if read.quoted:
        yield Sentence(words.quoted, spoken_in)
    elif read.cut and said:
        yield Sentence(words.left_out, spoken_in)


def _spoken(read: Body, forwarded: Sentence, language: str) -> Iterator[Sentence]:
    words = inserted(language)
    last = ""
    for paragraph in read.paragraphs:
        if paragraph == FORWARDED:
            yield forwarded
            continue
        said = say.spoken(paragraph, words)
        if not said or said == last:  # newsletters repeat their links line by line
            continue
        last = said
        spoken_in = suited(said, language)
        for sentence in say.sentences(said):
            yield Sentence(_ended(sentence), spoken_in)


def _about(pattern: str, what: str, language: str) -> Iterator[Sentence]:
    """Say a phrase with a name or a subject in it; what its voice cannot read is left to another voice."""
    spoken_in = own(language)
    if suited(what, spoken_in) == spoken_in:
        yield Sentence(_ended(pattern.format(sender=what, subject=what)), spoken_in)
    else:
        yield Sentence(pattern.partition("{")[0].strip(), spoken_in)
        yield Sentence(_ended(what), suited(what, tag(language)))


def _sealed(sealed: Sealed, words: Phrases) -> str:
    match sealed:
        case Sealed.PGP:
            return words.pgp
        case Sealed.SMIME:
            return words.smime
        case Sealed.SMIME_SIGNED:
            return words.smime_signed


def _bare(subject: str) -> str:
    """Return a subject without the prefixes of replies and forwards and the tags of lists."""
    rest = subject
    while match := _PREFIX.match(rest):
        rest = rest[match.end() :]
    return rest if rest.strip() else subject


def _ended(sentence: str) -> str:
    """Give a sentence its end: the voice falls and pauses there."""
    return sentence if _ENDS.search(sentence) else sentence.rstrip(",;\u2013—- ") + "."
