"""Dates, times, amounts and numbers of a text the way its language says them. Pure.

What could be read in two ways is left as it is written. Every pattern is bounded.
"""

from __future__ import annotations

import re
from datetime import date

from syncengine.speech.phrasebook.shape import Phrases
from syncengine.speech.phrases import spoken_date, spoken_time

_ISO_DATE = re.compile(
    r"\b(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"
)
_DOTTED_DATE = re.compile(r"(?<![\d.])(\d{1,2})\. ?(\d{1,2})\. ?(\d{4}|\d\d)(?![\d.]\d)\b")
_DAY_AND_MONTH = re.compile(r"\b(\d{1,2})\. ?(\w{3,9})\b")
_DOTTED_DAY = re.compile(r"\b(am|ab|vom|bis|zum|der|den|dem|seit) (\d{1,2})\. ?(\d{1,2})\.(?! ?\d)", re.I)
_SLASHED_DATE = re.compile(r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)(?![\w/])")
_TIME = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?(?![\d:])( ?Uhr\b| ?[ap]\.?m\b\.?)?", re.I)
_DOTTED_TIME = re.compile(r"\b([01]?\d|2[0-3])\.([0-5]\d) ?(?:Uhr|uur)\b", re.I)
_LETTERED_TIME = re.compile(r"\b([01]?\d|2[0-3]) ?h(?: ?([0-5]\d))?\b", re.I)
_MONEY = re.compile(r"(?<!\w)([€$£]|EUR|USD|GBP|CHF) ?(\d[\d.,]{0,20}\d|\d)(?!\w)")
_MONEY_AFTER = re.compile(r"(\d) ?([€$£]|EUR|USD|GBP|CHF)(?!\w)")
_GROUPS = re.compile(
    r"(?<![\w.,])(?:[A-Z]{2}\d\d(?: \d{4}){2,7}|\d{4}(?: \d{4}){3})(?: \d{1,3})?(?!\w|[.,]\d)"
)
"""Account and card numbers (ISO 13616-1, ISO/IEC 7812-1), as they are printed."""
_PHONE = re.compile(r"(?<![\w.,/:-])(?<!\d )(?:\+|0|\(0)[\d ()/-]{5,24}\d(?!\w|[.,/:-]\d)")
_DIGITS = re.compile(r"(?<![\d.,])\d{7,}(?![\d.,]\d)")


def in_words(text: str, words: Phrases) -> str:
    """Return a text with its dates, times, amounts and long numbers the way they are said."""
    text = _GROUPS.sub(lambda found: _digits(found[0]), text)
    text = _dates(text, words) if words.months else text
    text = _times(text, words)
    if words.currencies:
        text = _MONEY.sub(lambda found: f"{found[2]} {words.currencies[found[1]]}", text)
        text = _MONEY_AFTER.sub(lambda found: f"{found[1]} {words.currencies[found[2]]}", text)
    text = _PHONE.sub(lambda found: _phone(found[0], words), text)
    return _DIGITS.sub(lambda found: " ".join(found[0]), text)


def _dates(text: str, words: Phrases) -> str:
    text = _ISO_DATE.sub(lambda found: _iso(found, words), text)
    if words.dotted_date:
        text = _DAY_AND_MONTH.sub(lambda found: _day_and_month(found, words), text)
    if words.day_first:
        text = _DOTTED_DATE.sub(lambda f: _date(f[0], f[3], f[2], f[1], words), text)
    if words.dotted_date:
        text = _DOTTED_DAY.sub(lambda found: _day(found, words), text)
    return _SLASHED_DATE.sub(lambda found: _slashed(found, words), text)


def _times(text: str, words: Phrases) -> str:
    text = _TIME.sub(lambda found: _time(found, words), text)
    if words.meridiem:
        return text
    text = _DOTTED_TIME.sub(lambda f: spoken_time(int(f[1]), int(f[2]), words), text)
    if words.hour_letter:
        text = _LETTERED_TIME.sub(lambda f: spoken_time(int(f[1]), int(f[2] or 0), words), text)
    return text


def _iso(found: re.Match[str], words: Phrases) -> str:
    said = _date(found[0], found[1], found[2], found[3], words)
    if said == found[0] or found[4] is None:
        return said
    return f"{said}, {found[4]}:{found[5]}"


def _date(found: str, year: str, month: str, day: str, words: Phrases) -> str:
    try:
        return spoken_date(date(int(year if len(year) == 4 else f"20{year}"), int(month), int(day)), words)
    except ValueError:
        return found


def _day(found: re.Match[str], words: Phrases) -> str:
    try:
        said = spoken_date(date(2000, int(found[3]), int(found[2])), words, year=False)
    except ValueError:
        return found[0]
    return f"{found[1]} {said}"


def _slashed(found: re.Match[str], words: Phrases) -> str:
    """Say a date with slashes; in English only one that leaves no doubt about which number is the month."""
    first, second, year = int(found[1]), int(found[2]), found[3]
    if words.day_first or first > 12:
        return _date(found[0], year, found[2], found[1], words)
    return _date(found[0], year, found[1], found[2], words) if second > 12 else found[0]


def _day_and_month(found: re.Match[str], words: Phrases) -> str:
    day, month = int(found[1]), found[2]
    if month not in words.months or not 1 <= day <= len(words.days):
        return found[0]
    return words.day_month.format(day=words.days[day - 1], month=month)


def _time(found: re.Match[str], words: Phrases) -> str:
    """Say hours and minutes; an hour that already has its AM or PM keeps it."""
    hour, minute, suffix = int(found[1]), int(found[2]), (found[3] or "").strip().lower()
    if suffix[:1] in ("a", "p"):
        return f"{hour}:{minute:02} {suffix[0].upper()}M"
    if words.meridiem:
        return f"{hour}:{minute:02}"
    return spoken_time(hour, minute, words)


def _digits(found: str) -> str:
    return ", ".join(" ".join(group) for group in re.findall(r"[A-Z]+|\d+", found))


def _phone(found: str, words: Phrases) -> str:
    groups = re.findall(r"\d+", found)
    if sum(map(len, groups)) < 7 or _SLASHED_DATE.fullmatch(found):
        return found
    plus = words.plus if found.startswith("+") else ""
    return plus + ", ".join(" ".join(group) for group in groups)
