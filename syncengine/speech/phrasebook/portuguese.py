"""Portuguese."""

from __future__ import annotations

from types import MappingProxyType

from syncengine.speech.phrasebook.shape import NUMBERS, Phrases, listed

PORTUGUESE = Phrases(
    message="Mensagem {number} de {of}.",
    sender="De {sender}.",
    no_sender="O remetente não é indicado.",
    subject="Assunto: {subject}",
    no_subject="Sem assunto.",
    today="Recebida hoje às {time}.",
    yesterday="Recebida ontem às {time}.",
    earlier="Recebida em {date} às {time}.",
    one_attachment="A mensagem tem um anexo.",
    attachments="A mensagem tem {count} anexos.",
    empty="A mensagem não tem texto que possa ser lido.",
    left_out="A mensagem continua; o resto não é lido.",
    quoted="O texto citado não é lido.",
    forwarded="Mensagem encaminhada.",
    pgp="Esta mensagem está cifrada e não pode ser lida.",
    smime="Esta mensagem está cifrada e não pode ser lida.",
    smime_signed="Esta mensagem está dentro de uma assinatura digital e não pode ser lida.",
    link="link",
    link_to="link para {site}",
    dot=" ponto ",
    at=" arroba ",
    code="um código",
    ampersand=" e ",
    plus="mais ",
    no_mails="Não tem e-mails.",
    one_mail="Tem um e-mail.",
    mails="Tem {count} e-mails, {new} deles novos.",
    no_more="Não há mais e-mails.",
    day_month="{day} de {month}",
    with_year="{date} de {year}",
    on_weekday="{weekday}, {date}",
    hour="{hour} horas",
    hour_minute="{hour} horas e {minute}",
    months=listed("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
    weekdays=listed("segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo"),
    days=("primeiro", *NUMBERS[1:]),
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
