"""Spanish."""

from __future__ import annotations

from types import MappingProxyType

from syncengine.speech.phrasebook.shape import NUMBERS, Phrases, listed

SPANISH = Phrases(
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
    no_mails="No tiene correos.",
    one_mail="Tiene un correo.",
    mails="Tiene {count} correos, {new} de ellos nuevos.",
    no_more="No hay más correos.",
    months=listed("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    weekdays=listed("lunes martes miércoles jueves viernes sábado domingo"),
    days=NUMBERS,
    day_month="{day} de {month}",
    with_year="{date} de {year}",
    on_weekday="{weekday} {date}",
    hour="{hour} horas",
    hour_minute="{hour}:{minute:02}",
    hour_letter=True,
    currencies=MappingProxyType(
        {
            "€": "euros",
            "$": "dólares",
            "£": "libras",
            "EUR": "euros",
            "USD": "dólares",
            "GBP": "libras",
            "CHF": "francos",
        }
    ),
)
