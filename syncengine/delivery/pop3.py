"""The one thing that POP3 allows: to try to delete a message that was deleted at the phone (manual page 4).

Invariant: only a message whose own header fields carry the token is deleted, and only QUIT makes it
so; whatever is doubtful ends without QUIT, which deletes nothing (RFC 1939 section 6).
"""

from __future__ import annotations

import poplib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from syncengine.delivery.account import Pop3Settings
from syncengine.delivery.channel import TlsRefused, one_line
from syncengine.delivery.pop3wire import Pop3Wire, open_socket, said, where
from syncengine.errors import AuthenticationFailed, ConnectionLost, MailboxError
from syncengine.model import Token
from syncengine.replica import Recognise
from syncengine.rules.identity import parse_header_block

_SEARCH_SECONDS = 300.0
"""A search ends after this time with what it found: the server's lock on the mailbox hinders its owner."""
_UIDL = 200
"""Characters of a unique-id that are remembered; RFC 1939 allows 70."""


@dataclass(frozen=True, slots=True)
class Pop3Result:
    """What became of one try. ``seen``: unique-id -> token of the messages that were looked at."""

    found: bool
    deleted: bool
    """The server confirmed QUIT after every copy was marked."""
    seen: Mapping[str, Token | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    uidl: str


def delete_by_token(
    settings: Pop3Settings,
    token: Token,
    *,
    uidl_cache: Mapping[str, Token | None],
    search_limit: int,
    recognise: Recognise,
) -> Pop3Result:
    """Delete the messages that carry ``token``: those the cache knows, and of the others the newest.

    At most ``search_limit`` messages that the cache does not know are looked at. Raises
    ``AuthenticationFailed``, ``Throttled`` or ``ConnectionLost``; then nothing is known to be deleted.
    """
    with pop3_session(settings) as wire:
        entries = _newest_first(wire)
        known = [entry for entry in entries if uidl_cache.get(entry.uidl) == token]
        unknown = (entry for entry in entries if not entry.uidl or entry.uidl not in uidl_cache)
        seen: dict[str, Token | None] = {}
        hits = []
        for entry, carried in _look(wire, [*known, *islice(unknown, search_limit)], recognise):
            if entry.uidl:
                seen[entry.uidl] = carried
            if carried == token:
                hits.append(entry.number)
        marked = [_accepted(wire, f"DELE {number}") for number in hits]
        gone = _accepted(wire, "QUIT") and all(marked)
    return Pop3Result(found=bool(hits), deleted=bool(hits) and gone, seen=seen)


@contextmanager
def pop3_session(settings: Pop3Settings) -> Iterator[Pop3Wire]:
    """Log in for the block; any error drops the connection without QUIT and is one of ours."""
    refuse_plaintext_login(settings)
    with faults(settings):
        wire = Pop3Wire(settings, open_socket(settings))
        try:
            wire.starttls()
            wire.login()
            yield wire
        finally:
            wire.drop()


def refuse_plaintext_login(settings: Pop3Settings) -> None:
    """Raise ``AuthenticationFailed`` if the password would cross the open network unencrypted."""
    if settings.plaintext_login:
        raise AuthenticationFailed(
            f"{where(settings)}: a login without encryption is refused; set security, or allow_plaintext"
        )


@contextmanager
def faults(settings: Pop3Settings) -> Iterator[None]:
    """Turn what a bad connection or answer raises within the block into a ``MailboxError`` of one line."""
    try:
        yield
    except TlsRefused as error:
        raise MailboxError(f"{where(settings)}: {one_line(str(error).encode())}") from error
    except poplib.error_proto as error:
        raise ConnectionLost(f"{where(settings)}: unexpected answer: {one_line(said(error))}") from error
    except OSError as error:
        raise ConnectionLost(f"{where(settings)}: {one_line(str(error).encode())}") from error
    except (ValueError, IndexError) as error:  # poplib on answers without the words it expects
        raise ConnectionLost(f"{where(settings)}: the server's answer makes no sense") from error


def uidls(wire: Pop3Wire) -> Sequence[_Entry] | None:
    """Return what UIDL lists, in its order; None where the server does not know the command."""
    try:
        lines = wire.uidl()[1]
    except poplib.error_proto as error:
        if said(error).startswith(b"-ERR"):
            return None
        raise
    entries = []
    for line in lines:
        number, _, uidl = line.partition(b" ")
        if number.isdigit() and len(number) < 10 and uidl.strip():
            entries.append(_Entry(int(number), uidl.strip()[:_UIDL].decode("latin-1")))
    return entries


def _newest_first(wire: Pop3Wire) -> Sequence[_Entry]:
    listed = uidls(wire)
    if listed is not None:
        return sorted(listed, key=lambda entry: -entry.number)
    count, _ = wire.stat()
    return [_Entry(number, "") for number in range(count, max(0, count - 10_000), -1)]


def _look(
    wire: Pop3Wire, entries: Sequence[_Entry], recognise: Recognise
) -> Iterator[tuple[_Entry, Token | None]]:
    """Read the header fields of messages and yield whose token they carry; the unreadable are left out."""
    end = time.monotonic() + _SEARCH_SECONDS
    for entry in entries:
        if time.monotonic() > end:
            return
        try:
            lines = wire.top(entry.number, 0)[1]
        except poplib.error_proto as error:
            if not said(error).startswith(b"-ERR"):
                raise
            continue
        # Some servers add lines of the body although none were asked for.
        header = lines[: lines.index(b"")] if b"" in lines else lines
        yield entry, recognise(parse_header_block(b"\r\n".join(header)))


def _accepted(wire: Pop3Wire, command: str) -> bool:
    """Give a command that changes something; False where the server refuses it."""
    verb, _, number = command.partition(" ")
    try:
        wire.dele(number) if verb == "DELE" else wire.quit()
    except poplib.error_proto as error:
        if said(error).startswith(b"-ERR"):
            return False
        raise
    return True
