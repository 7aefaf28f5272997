"""Italian."""

from __future__ import annotations

from types import MappingProxyType

from syncengine.speech.phrasebook.shape import NUMBERS, Phrases, listed

ITALIAN = Phrases(
    message="Messaggio {number} di {of}.",
    sender="Da {sender}.",
    no_sender="Il mittente non è indicato.",
    subject="Oggetto: {subject}",
    no_subject="Senza oggetto.",
    today="Ricevuto oggi alle {time}.",
    yesterday="Ricevuto ieri alle {time}.",
    earlier="Ricevuto {date} alle {time}.",
    one_attachment="Il messaggio ha un allegato.",
    attachments="Il messaggio ha {count} allegati.",
    empty="Il messaggio non ha testo da leggere.",
    left_out="Il messaggio continua; il resto non viene letto.",
    quoted="Il testo citato non viene letto.",
    forwarded="Messaggio inoltrato.",
    pgp="Questo messaggio è cifrato e non può essere letto.",
    smime="Questo messaggio è cifrato e non può essere letto.",
    smime_signed="Questo messaggio è racchiuso in una firma digitale e non può essere letto.",
    link="link",
    link_to="link a {site}",
    dot=" punto ",
    at=" chiocciola ",
    code="un codice",
    ampersand=" e ",
    plus="più ",
    no_mails="Non ci sono e-mail.",
    one_mail="C'è una e-mail.",
    mails="Ci sono {count} e-mail, di cui {new} nuove.",
    no_more="Non ci sono altre e-mail.",
    day_month="{day} {month}",
    with_year="{date} {year}",
    on_weekday="{weekday} {date}",
    hour="{hour}",
    hour_minute="{hour} e {minute}",
    months=listed(
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
    ),
    weekdays=listed("lunedì martedì mercoledì giovedì venerdì sabato domenica"),
    days=("primo", *NUMBERS[1:]),
    currencies=MappingProxyType(
        {
            "€": "euro",
            "$": "dollari",
            "£": "sterline",
            "EUR": "euro",
            "USD": "dollari",
            "GBP": "sterline",
            "CHF": "franchi",
        }
    ),
)
