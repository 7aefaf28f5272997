"""What a language has to name so that the reader can speak it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """The reader's own words in one language; the fields in braces are filled in."""

    message: str
    sender: str
    no_sender: str
    subject: str
    no_subject: str
    today: str
    yesterday: str
    earlier: str
    one_attachment: str
    attachments: str
    empty: str
    left_out: str
    quoted: str
    forwarded: str
    pgp: str
    smime: str
    smime_signed: str
    link: str
    link_to: str
    dot: str
    at: str
    code: str
    ampersand: str
    plus: str
    no_mails: str
    one_mail: str
    mails: str
    no_more: str
    months: tuple[str, ...]
    """Empty where dates are left as they are written."""
    weekdays: tuple[str, ...]
    days: tuple[str, ...]
    """The days of a month as they are spoken before its name."""
    day_month: str
    with_year: str
    on_weekday: str
    hour: str
    hour_minute: str
    currencies: Mapping[str, str]
    day_first: bool = True
    """Whether 3/4/2026 and 3.4.2026 are certainly the third of April; English does not agree on it."""
    dotted_date: bool = False
    """Whether "3. April" is the third of April."""
    hour_letter: bool = False
    """Whether "10h15" is a time of day."""
    meridiem: bool = False
    """Whether hours are counted to 12, with AM and PM."""


def listed(names: str) -> tuple[str, ...]:
    """Words, one after another."""
    return tuple(names.split())


NUMBERS = tuple(str(day) for day in range(1, 32))
