"""English."""

from __future__ import annotations

from types import MappingProxyType

from syncengine.speech.phrasebook.shape import NUMBERS, Phrases, listed

ENGLISH = Phrases(
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
    no_mails="You have no e-mails.",
    one_mail="You have one e-mail.",
    mails="You have {count} e-mails, {new} of them new.",
    no_more="There are no more e-mails.",
    months=listed("January February March April May June July August September October November December"),
    weekdays=listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    days=NUMBERS,
    day_month="{day} {month}",
    with_year="{date} {year}",
    on_weekday="{weekday}, {date}",
    hour="{hour} {meridiem}",
    hour_minute="{hour}:{minute:02} {meridiem}",
    day_first=False,
    meridiem=True,
    currencies=MappingProxyType(
        {
            "€": "euros",
            "$": "dollars",
            "£": "pounds",
            "EUR": "euros",
            "USD": "dollars",
            "GBP": "pounds",
            "CHF": "francs",
        }
    ),
)
