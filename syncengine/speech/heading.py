"""Heads of very many mails, read for a list: what mail programs usually write, quickly. Pure; never raises.

An optimisation and nothing else: a field that is not exactly of a usual shape goes to the readers in
``header`` and ``message``, and both make the same of what both can read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from syncengine.speech.mail import Envelope

_BLOCK = re.compile(rb"(?:[!-9;-~]+:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*(?:\r\n)?")
"""Whole fields that end with CRLF, folded or not, and nothing else (RFC 5322 section 2.2)."""
_FIELD = re.compile(
    rb"^(from|subject|date):([^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)", re.IGNORECASE | re.MULTILINE
)
_SENDER = re.compile(
    rb" (?:\"([A-Za-z0-9 !#$%&'*+,/;^_`{|}~-]*)\"|([A-Za-z0-9 !#$%&'*+/^_`{|}~-]*)) "
    rb"<([A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)>\r\n"
)
"""A display name without escapes, comments or encoded words, and an address in angle brackets."""
_PLAIN = re.compile(rb"[ -<>-~]{0,400}\r\n")
_DATE = re.compile(
    rb" (?:[A-Z][a-z][a-z], )?(\d\d?) ([A-Z][a-z][a-z]) ([12]\d{3}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"
    rb"(?: \([A-Z]{1,5}\))?\r\n"
)
_MONTHS = {
    name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}


def envelope_of_head(head: bytes) -> Envelope:
    """Read From, Subject and Date as a server returns them (``BODY[HEADER.FIELDS (...)]``)."""
    if _BLOCK.fullmatch(head) is None:
        from syncengine.speech.message import envelope_of_header  # noqa: PLC0415 - parsers are slow to load

        return envelope_of_header(head)
    fields: dict[bytes, bytes] = {}
    for name, value in _FIELD.findall(head):
        fields.setdefault(name.lower(), value)
    sender, address = _sender(fields.get(b"from", b""))
    return Envelope(sender, address, _text(fields.get(b"subject", b"")), _date(fields.get(b"date", b"")))


def _sender(raw: bytes) -> tuple[str, str]:
    match = _SENDER.fullmatch(raw)
    if match is None:
        from syncengine.speech import header  # noqa: PLC0415 - parsers are slow to load

        return header.address(raw)
    quoted, bare, address = match.groups()
    name = bare if quoted is None else quoted
    return _words(name.strip().strip(b"'")), address.decode("ascii")


def _text(raw: bytes) -> str:
    if _PLAIN.fullmatch(raw) is None:
        from syncengine.speech import header  # noqa: PLC0415 - parsers are slow to load

        return header.text(raw)
    return _words(raw)


def _words(raw: bytes) -> str:
    return " ".join(raw.decode("ascii").split())


def _date(raw: bytes) -> datetime | None:
    match = _DATE.fullmatch(raw)
    if match is not None:
        day, month, year, hour, minute, second, *zone = match.groups()
        known = _zone(*zone)
        try:
            if known is not None:
                return datetime(
                    int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=known
                )
        except (KeyError, ValueError):
            pass
    from syncengine.speech import message  # noqa: PLC0415 - parsers are slow to load

    return message.date(raw)


@lru_cache(maxsize=128)
def _zone(sign: bytes, hours: bytes, minutes: bytes) -> timezone | None:
    """A zone by its offset; None for those that mean something else, or nothing."""
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset >= timedelta(days=1) or (sign == b"-" and not offset):
        return None
    return timezone(-offset if sign == b"-" else offset) if offset else UTC
