"""Dutch."""

from __future__ import annotations

from types import MappingProxyType

from syncengine.speech.phrasebook.shape import NUMBERS, Phrases, listed

DUTCH = Phrases(
    message="Bericht {number} van {of}.",
    sender="Van {sender}.",
    no_sender="De afzender is niet vermeld.",
    subject="Onderwerp: {subject}",
    no_subject="Geen onderwerp.",
    today="Vandaag ontvangen om {time}.",
    yesterday="Gisteren ontvangen om {time}.",
    earlier="Ontvangen op {date} om {time}.",
    one_attachment="Het bericht heeft één bijlage.",
    attachments="Het bericht heeft {count} bijlagen.",
    empty="Het bericht heeft geen tekst die kan worden voorgelezen.",
    left_out="Het bericht gaat verder; de rest wordt niet voorgelezen.",
    quoted="Geciteerde tekst wordt niet voorgelezen.",
    forwarded="Doorgestuurd bericht.",
    pgp="Dit bericht is versleuteld en kan niet worden voorgelezen.",
    smime="Dit bericht is versleuteld en kan niet worden voorgelezen.",
    smime_signed="Dit bericht zit in een digitale handtekening en kan niet worden voorgelezen.",
    link="link",
    link_to="link naar {site}",
    dot=" punt ",
    at=" apenstaartje ",
    code="een code",
    ampersand=" en ",
    plus="plus ",
    no_mails="U hebt geen e-mails.",
    one_mail="U hebt één e-mail.",
    mails="U hebt {count} e-mails, waarvan {new} nieuw.",
    no_more="Er zijn geen e-mails meer.",
    day_month="{day} {month}",
    with_year="{date} {year}",
    on_weekday="{weekday} {date}",
    hour="{hour} uur",
    hour_minute="{hour} uur {minute}",
    months=listed("januari februari maart april mei juni juli augustus september oktober november december"),
    weekdays=listed("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"),
    days=NUMBERS,
    currencies=MappingProxyType(
        {
            "€": "euro",
            "$": "dollar",
            "£": "pond",
            "EUR": "euro",
            "USD": "dollar",
            "GBP": "pond",
            "CHF": "frank",
        }
    ),
)
