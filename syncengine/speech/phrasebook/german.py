"""German."""

from __future__ import annotations

from types import MappingProxyType

from syncengine.speech.phrasebook.shape import Phrases, listed

_DAYS = (
    "ersten zweiten dritten vierten fünften sechsten siebten achten neunten zehnten elften zwölften "
    "dreizehnten vierzehnten fünfzehnten sechzehnten siebzehnten achtzehnten neunzehnten zwanzigsten "
    "einundzwanzigsten zweiundzwanzigsten dreiundzwanzigsten vierundzwanzigsten fünfundzwanzigsten "
    "sechsundzwanzigsten siebenundzwanzigsten achtundzwanzigsten neunundzwanzigsten dreißigsten "
    "einunddreißigsten"
)

GERMAN = Phrases(
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
    no_mails="Sie haben keine E-Mails.",
    one_mail="Sie haben eine E-Mail.",
    mails="Sie haben {count} E-Mails, davon {new} neue.",
    no_more="Es gibt keine weiteren E-Mails.",
    months=listed("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    weekdays=listed("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag"),
    days=listed(_DAYS),
    day_month="{day} {month}",
    with_year="{date} {year}",
    on_weekday="{weekday}, den {date}",
    hour="{hour} Uhr",
    hour_minute="{hour} Uhr {minute}",
    dotted_date=True,
    currencies=MappingProxyType(
        {
            "€": "Euro",
            "$": "Dollar",
            "£": "Pfund",
            "EUR": "Euro",
            "USD": "Dollar",
            "GBP": "Pfund",
            "CHF": "Franken",
        }
    ),
)
