"""A message that was fetched whole, or its header, as something to read aloud. Pure; never raises.

Header fields are taken from their octets, never from what a parser made of broken ones.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import Message
from email.parser import HeaderParser
from email.utils import parsedate_to_datetime

from syncengine.speech import header
from syncengine.speech.body import MAX_OCTETS
from syncengine.speech.mail import Envelope, Mail, Text
from syncengine.speech.structure import Budget, Part, choose

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")


def of_message(raw: bytes) -> Mail:
    """Read a message that was fetched whole, as from POP3; ``raw`` may be only its beginning."""
    envelope = envelope_of_header(raw)
    try:
        message = email.message_from_bytes(raw, policy=email.policy.compat32)
        part = _from_message(message, section="", budget=Budget())
    except (RecursionError, LookupError, ValueError):  # the parser recurses for each nested multipart
        return Mail(envelope, size=len(raw))
    if part is None:
        return Mail(envelope, size=len(raw))
    found = choose(part)
    data = dict(_payloads(part))
    texts = tuple(Text.of(text, data.get(text.section, b"")) for text in found.texts)
    return Mail(envelope, texts, found.attachments, found.sealed, len(raw))


def envelope_of_header(raw: bytes) -> Envelope:
    """Read what is announced from a header block, as TOP or BODY.PEEK[HEADER] return it."""
    block = _END_OF_HEADER.split(raw[:MAX_OCTETS], maxsplit=1)[0]
    # As one character each, octets pass the parser unchanged; header.text makes words of them.
    message = HeaderParser(policy=email.policy.compat32).parsestr(block.decode("latin-1"))
    name, address = header.address(_field(message, "from"))
    return Envelope(
        sender_name=name,
        sender_address=address,
        subject=header.text(_field(message, "subject")),
        received=date(_field(message, "date")),
    )


def _field(message: Message, name: str) -> bytes:
    return str(message.get(name, "")).encode("latin-1", "replace")


def date(raw: bytes) -> datetime | None:
    """Read a Date field; one without a zone is taken for UTC (RFC 5322 section 3.3, "-0000")."""
    try:
        found = parsedate_to_datetime(raw.decode("ascii", "replace"))
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _from_message(message: Message, *, section: str, budget: Budget) -> Part | None:
    if not budget.spend(section):
        return None
    main, _, sub = message.get_content_type().partition("/")
    payload = message.get_payload()
    if main == "multipart" and isinstance(payload, list):
        return Part(section=section, main=main, sub=sub, children=_children(payload, section, budget))
    octets = message.get_payload(decode=True)
    data = octets if isinstance(octets, bytes) else b""
    return Part(
        section=section or "1",
        # A multipart whose parts cannot be told apart is read as the text it was written as.
        main="text" if main == "multipart" else main,
        sub="plain" if main == "multipart" else sub,
        parameters=_pairs(message.get_params(failobj=[])),
        disposition=(message.get_content_disposition() or "").lower(),
        filename=header.text(message.get_filename() or ""),
        encoding="8bit",  # the parser has undone what it was
        size=len(data),
        data=data,
    )


def _children(payload: Sequence[object], section: str, budget: Budget) -> tuple[Part, ...]:
    children: list[Part] = []
    for count, child in enumerate(payload, 1):
        name = f"{section}.{count}" if section else str(count)
        part = _from_message(child, section=name, budget=budget) if isinstance(child, Message) else None
        if part is not None:
            children.append(part)
    return tuple(children)


def _pairs(parameters: Sequence[tuple[str, object]]) -> dict[str, str]:
    return {
        name.lower(): str(value[2]) if isinstance(value, tuple) else str(value) for name, value in parameters
    }


def _payloads(part: Part) -> Iterator[tuple[str, bytes]]:
    yield part.section, part.data
    for child in part.children:
        yield from _payloads(child)
