"""What the reader itself says, in each language it speaks: words, months, dates and times as data. Pure.

A language without phrases of its own gets the English ones: something is always said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType

DEFAULT = "en"

_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}")


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
    months: tuple[str, ...]
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
    meridiem: bool = False
    """Whether hours are counted to 12, with AM and PM."""


def _listed(names: str) -> tuple[str, ...]:
    return tuple(names.split())


_NUMBERS = tuple(str(day) for day in range(1, 32))

_GERMAN_DAYS = (
    "ersten zweiten dritten vierten fünften sechsten siebten achten neunten zehnten elften zwölften "
    "dreizehnten vierzehnten fünfzehnten sechzehnten siebzehnten achtzehnten neunzehnten zwanzigsten "
    "einundzwanzigsten zweiundzwanzigsten dreiundzwanzigsten vierundzwanzigsten fünfundzwanzigsten "
    "sechsundzwanzigsten siebenundzwanzigsten achtundzwanzigsten neunundzwanzigsten dreißigsten "
    "einunddreißigsten"
)

_ENGLISH = Phrases(
    message="Message {number} of {of}.",
    sender="From {sender}.",
    no_sender="The sender is not named.",
    subject="Subject: {subject}",
    no_subject="No subject.",
    today="Received today at {time}.",
    yesterday="Received yesterday at {time}.",
    earlier="Received on {date} at {time}.",
    one_attachment="The message has one attachment.",
    attachments="The message has {count} attachments.",
    empty="The message has no text that can be read aloud.",
    left_out="The message goes on; the rest is left out.",
    quoted="Quoted text is left out.",
    forwarded="Forwarded message.",
    pgp="This message is encrypted and cannot be read aloud.",
    smime="This message is encrypted and cannot be read aloud.",
    smime_signed="This message is sealed in a digital signature and cannot be read aloud.",
    link="link",
    link_to="link to {site}",
    dot=" dot ",
    at=" at ",
    code="a code",
    ampersand=" and ",
    plus="plus ",
    months=_listed("January February March April May June July August September October November December"),
    weekdays=_listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    days=_NUMBERS,
    day_month="{day} {month}",
    with_year="{date} {year}",
    on_weekday="{weekday}, {date}",
    hour="{hour} {meridiem}",
    hour_minute="{hour}:{minute:02} {meridiem}",
    day_first=False,
    meridiem=True,
    currencies=MappingProxyType({"€": "euros", "$": "dollars", "£": "pounds"}),
)

_GERMAN = Phrases(
    message="Nachricht {number} von {of}.",
    sender="Von {sender}.",
    no_sender="Der Absender ist nicht genannt.",
    subject="Betreff: {subject}",
    no_subject="Kein Betreff.",
    today="Empfangen heute um {time}.",
    yesterday="Empfangen gestern um {time}.",
    earlier="Empfangen am {date} um {time}.",
    one_attachment="Die Nachricht hat einen Anhang.",
    attachments="Die Nachricht hat {count} Anhänge.",
    empty="Die Nachricht hat keinen Text, der sich vorlesen lässt.",
    left_out="Die Nachricht geht weiter; der Rest wird nicht vorgelesen.",
    quoted="Zitierter Text wird nicht vorgelesen.",
    forwarded="Weitergeleitete Nachricht.",
    pgp="Diese Nachricht ist verschlüsselt und kann nicht vorgelesen werden.",
    smime="Diese Nachricht ist verschlüsselt und kann nicht vorgelesen werden.",
    smime_signed="Diese Nachricht steckt in einer digitalen Signatur und kann nicht vorgelesen werden.",
    link="Link",
    link_to="Link zu {site}",
    dot=" Punkt ",
    at=" ät ",
    code="ein Code",
    ampersand=" und ",
    plus="plus ",
    months=_listed("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    weekdays=_listed("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag"),
    days=_listed(_GERMAN_DAYS),
    day_month="{day} {month}",
    with_year="{date} {year}",
    on_weekday="{weekday}, den {date}",
    hour="{hour} Uhr",
    hour_minute="{hour} Uhr {minute}",
    dotted_date=True,
    currencies=MappingProxyType({"€": "Euro", "$": "Dollar", "£": "Pfund"}),
)

_FRENCH = Phrases(
    message="Message {number} sur {of}.",
    sender="De {sender}.",
    no_sender="L'expéditeur n'est pas nommé.",
    subject="Objet : {subject}",
    no_subject="Sans objet.",
    today="Reçu aujourd'hui à {time}.",
    yesterday="Reçu hier à {time}.",
    earlier="Reçu le {date} à {time}.",
    one_attachment="Le message a une pièce jointe.",
    attachments="Le message a {count} pièces jointes.",
    empty="Le message n'a pas de texte à lire.",
    left_out="Le message continue ; le reste n'est pas lu.",
    quoted="Le texte cité n'est pas lu.",
    forwarded="Message transféré.",
    pgp="Ce message est chiffré et ne peut pas être lu.",
    smime="Ce message est chiffré et ne peut pas être lu.",
    smime_signed="Ce message est scellé dans une signature numérique et ne peut pas être lu.",
    link="lien",
    link_to="lien vers {site}",
    dot=" point ",
    at=" arobase ",
    code="un code",
    ampersand=" et ",
    plus="plus ",
    months=_listed("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
    weekdays=_listed("lundi mardi mercredi jeudi vendredi samedi dimanche"),
    days=("1er", *_NUMBERS[1:]),
    day_month="{day} {month}",
    with_year="{date} {year}",
    on_weekday="{weekday} {date}",
    hour="{hour} heures",
    hour_minute="{hour} heures {minute}",
    currencies=MappingProxyType({"€": "euros", "$": "dollars", "£": "livres"}),
)

_SPANISH = Phrases(
    message="Mensaje {number} de {of}.",
    sender="De {sender}.",
    no_sender="No se indica el remitente.",
    subject="Asunto: {subject}",
    no_subject="Sin asunto.",
    today="Recibido hoy a las {time}.",
    yesterday="Recibido ayer a las {time}.",
    earlier="Recibido el {date} a las {time}.",
    one_attachment="El mensaje tiene un archivo adjunto.",
    attachments="El mensaje tiene {count} archivos adjuntos.",
    empty="El mensaje no tiene texto que se pueda leer.",
    left_out="El mensaje continúa; el resto no se lee.",
    quoted="El texto citado no se lee.",
    forwarded="Mensaje reenviado.",
    pgp="Este mensaje está cifrado y no se puede leer.",
    smime="Este mensaje está cifrado y no se puede leer.",
    smime_signed="Este mensaje está dentro de una firma digital y no se puede leer.",
    link="enlace",
    link_to="enlace a {site}",
    dot=" punto ",
    at=" arroba ",
    code="un código",
    ampersand=" y ",
    plus="más ",
    months=_listed(
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
    ),
    weekdays=_listed("lunes martes miércoles jueves viernes sábado domingo"),
    days=_NUMBERS,
    day_month="{day} de {month}",
    with_year="{date} de {year}",
    on_weekday="{weekday} {date}",
    hour="{hour} horas",
    hour_minute="{hour}:{minute:02}",
    currencies=MappingProxyType({"€": "euros", "$": "dólares", "£": "libras"}),
)

LANGUAGES: Mapping[str, Phrases] = MappingProxyType(
    {"en": _ENGLISH, "de": _GERMAN, "fr": _FRENCH, "es": _SPANISH}
)
"""The languages with phrases of their own, by their two letters (ISO 639-1)."""


def tag(language: str) -> str:
    """Return a language tag as voices know it ("de_AT" is "de-at"); English for what is none (RFC 5646)."""
    wanted = language.strip().lower().replace("_", "-")
    return wanted if _TAG.fullmatch(wanted) else DEFAULT


def primary(language: str) -> str:
    """Return the language itself, without region: "de" of "de-at"."""
    return tag(language).partition("-")[0]


def phrases(language: str) -> Phrases:
    """Return the phrases for a language tag, the English ones where there are none."""
    return LANGUAGES.get(primary(language), _ENGLISH)


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
