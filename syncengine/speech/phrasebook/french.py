"""French."""

from __future__ import annotations

from types import MappingProxyType

from syncengine.speech.phrasebook.shape import NUMBERS, Phrases, listed

FRENCH = Phrases(
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
    no_mails="Vous n'avez aucun e-mail.",
    one_mail="Vous avez un e-mail.",
    mails="Vous avez {count} e-mails, dont {new} nouveaux.",
    no_more="Il n'y a plus d'e-mails.",
    months=listed("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
    weekdays=listed("lundi mardi mercredi jeudi vendredi samedi dimanche"),
    days=("1er", *NUMBERS[1:]),
    day_month="{day} {month}",
    with_year="{date} {year}",
    on_weekday="{weekday} {date}",
    hour="{hour} heures",
    hour_minute="{hour} heures {minute}",
    hour_letter=True,
    currencies=MappingProxyType(
        {
            "€": "euros",
            "$": "dollars",
            "£": "livres",
            "EUR": "euros",
            "USD": "dollars",
            "GBP": "livres",
            "CHF": "francs",
        }
    ),
)
