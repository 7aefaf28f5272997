"""Where the texts of e-mails come from, and the INBOX of a POP3 account.

Of a mail only the parts with text are fetched, a bounded number of octets of each, and never with
``\\Seen``.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from syncengine.engine.binding import Binding
from syncengine.engine.phonemails import pop3_account
from syncengine.errors import ConnectionLost
from syncengine.imap.replica import ImapAccount
from syncengine.index import EmailRow, Index, Pop3Mails
from syncengine.index.pop3mails import OURS, Pop3Row
from syncengine.speech.body import MAX_OCTETS
from syncengine.speech.bodystructure import of_bodystructure
from syncengine.speech.mail import Envelope, Mail, Text
from syncengine.speech.message import of_message

_POP3_MOST = 500
"""Messages of a POP3 account that are looked at in one session."""


class Bodies(Protocol):
    """Where the texts come from. Used by one thread, but for :meth:`cut`."""

    def fetch(self, row: EmailRow, envelope: Envelope) -> Mail | None:
        """What is read aloud of a mail; None when it is no longer there."""

    def cut(self) -> None:
        """End what is under way, from any thread."""

    def close(self) -> None:
        """Give the connection back."""


class ImapBodies:
    """Texts over a connection of its own, opened when the first is wanted."""

    def __init__(self, binding: Binding, index: Index) -> None:
        self._binding = binding
        self._index = index
        self._account: ImapAccount | None = None
        self._line: socket.socket | None = None

    def fetch(self, row: EmailRow, envelope: Envelope) -> Mail | None:
        """See :class:`Bodies`."""
        kept = self._account is not None
        try:
            return self._fetch(row, envelope)
        except ConnectionLost:
            self.close()
            if not kept:
                raise
        return self._fetch(row, envelope)  # the server had dropped what was kept between two mails

    def _fetch(self, row: EmailRow, envelope: Envelope) -> Mail | None:
        if self._account is None:
            self._account = self._binding.open_account(self._index, on_socket=self._opened)
        structure = self._account.structure(row.place)
        if structure is None:
            return None
        made_of = of_bodystructure(structure)
        if not (made_of.attachments or made_of.sealed or any(part.size for part in made_of.texts)):
            return self._broken(self._account, row, envelope)
        data = {}
        if made_of.texts:
            sections = [part.section for part in made_of.texts]
            data = dict(self._account.parts(row.place, sections, octets=MAX_OCTETS))
        texts = tuple(Text.of(part, data.get(part.section.upper(), b"")) for part in made_of.texts)
        return Mail(envelope, texts, made_of.attachments, made_of.sealed, row.size)

    def _broken(self, account: ImapAccount, row: EmailRow, envelope: Envelope) -> Mail:
        """A mail of which the server cannot tell the parts: its beginning, as it was written."""
        beginning = account.parts(row.place, [""], octets=MAX_OCTETS).get("", b"")
        return replace(of_message(beginning), envelope=envelope, size=row.size)

    def _opened(self, line: socket.socket) -> None:
        self._line = line

    def cut(self) -> None:
        """See :class:`Bodies`."""
        if self._line is not None:
            with suppress(OSError):  # it has ended by itself
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See :class:`Bodies`."""
        account, self._account, self._line = self._account, None, None
        if account is not None:
            account.close()


class Pop3Bodies:
    """The beginnings of mails, by TOP; a session for each, so that the account stays free."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding

    def fetch(self, row: EmailRow, envelope: Envelope) -> Mail | None:
        """See :class:`Bodies`."""
        from syncengine.delivery.pop3mails import fetch_mail  # noqa: PLC0415 - POP3 mailboxes only

        uidl = row.uidl if isinstance(row, Pop3Row) else ""
        raw = fetch_mail(self._binding.post.pop3_settings(), uidl)
        return replace(of_message(raw), envelope=envelope, size=row.size) if raw is not None else None

    def cut(self) -> None:
        """See :class:`Bodies`; TOP is short."""

    def close(self) -> None:
        """See :class:`Bodies`."""


def refresh_pop3(binding: Binding, index: Index) -> int:
    """Look at the INBOX of a POP3 account; how many e-mails are new. A copy of each is left there."""
    from syncengine.delivery.pop3mails import list_mails  # noqa: PLC0415 - POP3 mailboxes only

    mails = Pop3Mails(index.database, binding.number, pop3_account(binding))
    listing = list_mails(binding.post.pop3_settings(), mails.known(), most=_POP3_MOST)
    heads = {
        uidl: (OURS, b"") if head is None else (min(size, 1 << 62), head)
        for uidl, (size, head) in listing.heads.items()
    }
    mails.apply(listing.numbers, heads, binding.clock())
    return sum(1 for size, _ in heads.values() if size != OURS)
