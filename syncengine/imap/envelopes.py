"""E-mails for reading aloud: what is asked of the server to list them, and what came. Pure.

A message that carries our own header field is a voice or fax message and never an e-mail; everything
else is kept as the server's octets and parsed when it is shown.
"""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass
from functools import lru_cache

from syncengine.imap.commands import Command, Reply, command
from syncengine.imap.responses import Fetch
from syncengine.imap.uidset import UidSet
from syncengine.model import Found, HeaderFields, ModSeq, Place, Uid, UidValidity

MAX_HEAD = 8_000
"""Octets kept of From, Subject and Date together."""

_ITEMS = b"INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE X-VM-MESSAGE-UUID)]"
_OURS = re.compile(rb"^x-vm-message-uuid[ \t]*:", re.IGNORECASE | re.MULTILINE)
_DAY = re.compile(rb"([ \d]\d)-([A-Za-z]{3})-(\d{4})  ([+-])(\d\d)(\d\d)")
_MONTHS = b"JanFebMarAprMayJunJulAugSepOctNovDec"
_NOTHING = HeaderFields()
_LARGEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Envelope(Found):
    """An e-mail as it was listed. ``header`` stays empty: it is none of ours."""

    head: bytes = b""
    """From, Subject and Date as they stand in the message."""
    size: int = 0
    """Octets of the whole message."""
    arrived: int = 0
    """INTERNALDATE, seconds since the epoch; 0 where the server gave none that can be read."""


def ask(uids: str, *, modseq: bool) -> Command:
    """The command that reads what is listed of e-mails."""
    return command(b"UID FETCH %s (UID FLAGS %s%s)" % (uids.encode(), b"MODSEQ " if modseq else b"", _ITEMS))


def found(folder: str, uidvalidity: UidValidity, reply: Reply, start: int) -> tuple[Envelope, ...]:
    """The e-mails from UID ``start`` on; ``n:*`` always brings the last one, whatever its UID."""
    latest: dict[int, Fetch] = {}
    blocks: dict[int, Fetch] = {}
    for fetch in reply.untagged.fetches:
        if fetch.flags is not None and fetch.uid >= start:
            latest[fetch.uid] = fetch
            if "HEADER.FIELDS" in fetch.sections:
                blocks[fetch.uid] = fetch
    gone = UidSet.union(reply.untagged.vanished)
    return tuple(
        _envelope(Place(folder, uidvalidity, Uid(uid)), blocks[uid], latest[uid])
        for uid in sorted(blocks)
        if not (gone and uid in gone) and not _ours(blocks[uid])
    )


def _ours(fetch: Fetch) -> bool:
    head = fetch.sections["HEADER.FIELDS"] or b""
    return b"vm-" in head and _OURS.search(head) is not None


def _envelope(place: Place, fetch: Fetch, latest: Fetch) -> Envelope:
    modseq = latest.modseq
    return Envelope(
        place,
        latest.flags or frozenset(),
        _NOTHING,
        ModSeq(modseq) if modseq else None,
        (fetch.sections["HEADER.FIELDS"] or b"")[:MAX_HEAD],
        min(fetch.size or 0, _LARGEST),
        seconds(fetch.arrived),
    )


def seconds(internal_date: bytes) -> int:
    """An INTERNALDATE (RFC 9051 section 9, ``date-time``) in seconds since the epoch; 0 = unreadable."""
    midnight = _midnight(internal_date[:12] + internal_date[20:])
    try:
        hours, minutes = int(internal_date[12:14]), int(internal_date[15:17])
        return max(0, midnight + 3600 * hours + 60 * minutes + int(internal_date[18:20])) if midnight else 0
    except ValueError:
        return 0


@lru_cache(maxsize=4096)
def _midnight(date_and_zone: bytes) -> int:
    """The beginning of a day in its zone, which many messages have in common; 0 = unreadable."""
    match = _DAY.fullmatch(date_and_zone)
    if match is None:
        return 0
    day, month, year, sign, zone_hours, zone_minutes = match.groups()
    at = _MONTHS.find(month.capitalize())
    if at % 3 or not 1970 <= int(year) <= 9999:
        return 0
    offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
    start = timegm((int(year), at // 3 + 1, int(day), 0, 0, 0))
    return start + offset if sign == b"-" else start - offset
