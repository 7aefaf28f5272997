"""What the reader itself says, in each language it speaks: dates and times as they are spoken. Pure.

A language without phrases of its own gets the English ones for what the reader says itself: something is
always said. In a text of such a language nothing is put into words that its voice could not pronounce.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType

from syncengine.speech.phrasebook.dutch import DUTCH
from syncengine.speech.phrasebook.english import ENGLISH
from syncengine.speech.phrasebook.french import FRENCH
from syncengine.speech.phrasebook.german import GERMAN
from syncengine.speech.phrasebook.italian import ITALIAN
from syncengine.speech.phrasebook.portuguese import PORTUGUESE
from syncengine.speech.phrasebook.shape import Phrases
from syncengine.speech.phrasebook.spanish import SPANISH

DEFAULT = "en"

_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}")

LANGUAGES: Mapping[str, Phrases] = MappingProxyType(
    {
        "en": ENGLISH,
        "de": GERMAN,
        "fr": FRENCH,
        "es": SPANISH,
        "it": ITALIAN,
        "nl": DUTCH,
        "pt": PORTUGUESE,
    }
)
"""The languages with phrases of their own, by their two letters (ISO 639-1)."""

_AS_WRITTEN = replace(
    ENGLISH,
    link="",
    link_to="{site}",
    dot=".",
    at="@",
    code="",
    ampersand="&",
    plus="+",
    months=(),
    currencies=MappingProxyType({}),
)
"""For texts in any other language: dates, amounts and addresses stay as they are, for the voice to read."""


def tag(language: str) -> str:
    """Return a language tag as voices know it ("de_AT" is "de-at"); English for what is none (RFC 5646)."""
    wanted = language.strip().lower().replace("_", "-")
    return wanted if _TAG.fullmatch(wanted) else DEFAULT


def primary(language: str) -> str:
    """Return the language itself, without region: "de" of "de-at"."""
    return tag(language).partition("-")[0]


def phrases(language: str) -> Phrases:
    """Return what the reader says itself, for a mailbox's language tag."""
    return LANGUAGES[primary(own(language))]


def own(language: str) -> str:
    """Return the tag itself where the reader has words in it, else the one of the words that it takes."""
    return tag(language) if primary(language) in LANGUAGES else DEFAULT


def inserted(language: str) -> Phrases:
    """Return what is put into a text that is written in this language."""
    return LANGUAGES.get(primary(language), _AS_WRITTEN)


def spoken_time(hour: int, minute: int, words: Phrases) -> str:
    """Return a time of day the way it is said."""
    said = (hour + 11) % 12 + 1 if words.meridiem else hour
    pattern = words.hour if minute == 0 else words.hour_minute
    return pattern.format(hour=said, minute=minute, meridiem="AM" if hour < 12 else "PM")


def spoken_date(day: date, words: Phrases, *, year: bool = True) -> str:
    """Return a date the way it is said, with or without its year."""
    said = words.day_month.format(day=words.days[day.day - 1], month=words.months[day.month - 1])
    return words.with_year.format(date=said, year=day.year) if year else said


def spoken_arrival(received: datetime, now: datetime, words: Phrases) -> str:
    """Return the sentence that says when a mail came, seen from ``now`` and in its time zone.

    A time without a zone is taken for one in ``now``'s.
    """
    if received.tzinfo is None:
        received = received.replace(tzinfo=now.tzinfo)
    elif now.tzinfo is not None:
        try:
            received = received.astimezone(now.tzinfo)
        except OverflowError:  # the years 1 and 9999
            received = received.replace(tzinfo=now.tzinfo)
    time = spoken_time(received.hour, received.minute, words)
    if received.date() == now.date():
        return words.today.format(time=time)
    if (now.date() - received.date()).days == 1:
        return words.yesterday.format(time=time)
    said = spoken_date(received.date(), words, year=received.year != now.year)
    said = words.on_weekday.format(weekday=words.weekdays[received.weekday()], date=said)
    return words.earlier.format(date=said, time=time)
