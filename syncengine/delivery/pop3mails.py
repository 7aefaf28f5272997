"""E-mails of a POP3 account, looked at and left there: UIDL, LIST and TOP, never RETR, never DELE.

TOP brings a bounded number of lines, so that an attachment's size does not matter (RFC 1939 section 7).
"""

from __future__ import annotations

import poplib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from syncengine.delivery.account import Pop3Settings
from syncengine.delivery.pop3 import pop3_session, uidls
from syncengine.delivery.pop3wire import Pop3Wire, said, where
from syncengine.errors import MailboxError
from syncengine.rules.identity import parse_header_block

MAX_HEAD = 8_000
"""Octets kept of From, Subject and Date."""

_LINES = 2_000
"""Lines of a mail that are fetched to be read aloud: some 150 kB of text."""
_FIELDS = (b"from", b"subject", b"date")


@dataclass(frozen=True, slots=True)
class Pop3Listing:
    """What an account holds: unique-id -> number of all messages, and of those looked at size and head.

    The head of a voice or fax message of ours is None.
    """

    numbers: Mapping[str, int]
    heads: Mapping[str, tuple[int, bytes | None]]


def list_mails(settings: Pop3Settings, known: Collection[str], *, most: int) -> Pop3Listing:
    """Look at the messages that are not ``known``, the newest first, ``most`` at most.

    Raises ``AuthenticationFailed``, ``Throttled`` or ``ConnectionLost``; ``MailboxError`` where the
    server has no UIDL: without it no mail can be told from another tomorrow.
    """
    with pop3_session(settings) as wire:
        numbers = _numbers(wire, settings)
        fresh = sorted((n, uidl) for uidl, n in numbers.items() if uidl not in known)[::-1][:most]
        sizes = _sizes(wire) if fresh else {}
        heads = {uidl: (sizes.get(n, 0), _head(_top(wire, n, 0))) for n, uidl in fresh}
        wire.quit()
    return Pop3Listing(numbers, heads)


def fetch_mail(settings: Pop3Settings, uidl: str) -> bytes | None:
    """The beginning of a message, :data:`_LINES` lines of its body; None when it is no longer there."""
    with pop3_session(settings) as wire:
        number = _numbers(wire, settings).get(uidl)
        found = b"\r\n".join(_top(wire, number, _LINES)) if number is not None else None
        wire.quit()
    return found


def _numbers(wire: Pop3Wire, settings: Pop3Settings) -> Mapping[str, int]:
    listed = uidls(wire)
    if listed is None:
        raise MailboxError(f"{where(settings)}: the server has no UIDL; its e-mails cannot be listed")
    return {entry.uidl: entry.number for entry in listed}


def _sizes(wire: Pop3Wire) -> Mapping[int, int]:
    sizes = {}
    for line in wire.list()[1]:
        number, _, size = line.partition(b" ")
        if number.isdigit() and size.strip().isdigit() and len(line) < 30:
            sizes[int(number)] = int(size)
    return sizes


def _top(wire: Pop3Wire, number: int, lines: int) -> list[bytes]:
    try:
        return wire.top(number, lines)[1]
    except poplib.error_proto as error:
        if said(error).startswith(b"-ERR"):
            return []
        raise


def _head(lines: list[bytes]) -> bytes | None:
    """From, Subject and Date with their folded lines; None for a message of ours."""
    header = lines[: lines.index(b"")] if b"" in lines else lines
    if parse_header_block(b"\r\n".join(header)).vm_uuid:
        return None
    kept: list[bytes] = []
    keep = False
    for line in header:
        if line[:1] not in (b" ", b"\t"):
            keep = line.partition(b":")[0].strip().lower() in _FIELDS
        if keep:
            kept.append(line)
    return b"\r\n".join(kept)[:MAX_HEAD]
