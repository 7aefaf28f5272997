"""The subscriber's e-mails as the phone has them: list, mark, delete, restore. None of it needs the account.

Whatever is changed here is durable when it returns; over IMAP4 the next pass carries it over, over POP3
it stays here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol

from syncengine.engine.binding import Binding
from syncengine.engine.status import Message
from syncengine.errors import UsageError
from syncengine.index import EmailRow, Emails, Index, Pop3Mails
from syncengine.model import Delivery, Kind, State
from syncengine.options.schema import Protocol as Way
from syncengine.options.schema import SyncMode

_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


class Letters(Protocol):
    """One account's e-mails in the index."""

    def latest_first(self) -> Iterator[EmailRow]:
        """Every e-mail, what arrived last first, read one by one."""

    def to_hear(self, most: int) -> tuple[EmailRow, ...]:
        """What a caller is offered, new ones first, ``most`` at most."""

    def find(self, prefix: str) -> tuple[EmailRow, ...]:
        """Those whose ids begin so."""

    def say_heard(self, row: EmailRow, heard: bool, now: float) -> bool:
        """Heard or new at the phone; False when it is not there any more."""

    def say_removed(self, row: EmailRow, removed: bool, now: float) -> bool:
        """Deleted or restored at the phone; False when it is not there any more."""


@dataclass(frozen=True, slots=True)
class ImapLetters:
    """The e-mails of an account that is kept in step."""

    emails: Emails
    account: int

    def latest_first(self) -> Iterator[EmailRow]:
        """See :class:`Letters`."""
        return self.emails.latest_first(self.account)

    def to_hear(self, most: int) -> tuple[EmailRow, ...]:
        """See :class:`Letters`."""
        return self.emails.to_hear(self.account, most)

    def find(self, prefix: str) -> tuple[EmailRow, ...]:
        """See :class:`Letters`."""
        return self.emails.find(self.account, prefix)

    def say_heard(self, row: EmailRow, heard: bool, now: float) -> bool:
        """See :class:`Letters`."""
        return self.emails.say_heard(self.account, row, heard, now)

    def say_removed(self, row: EmailRow, removed: bool, now: float) -> bool:
        """See :class:`Letters`."""
        return self.emails.say_removed(self.account, row, removed, now)


def letters_of(index: Index, binding: Binding) -> Letters | None:
    """The e-mails of a mailbox, None where none are listed."""
    if binding.reads_aloud:
        account = binding.known_account(index)
        return ImapLetters(index.emails, account.id) if account else None
    if binding.reads_pop3:
        return Pop3Mails(index.database, binding.number, pop3_account(binding))
    return None


def pop3_account(binding: Binding) -> str:
    """Whose INBOX it is."""
    pop3 = binding.mailbox.pop3
    return f"{pop3.account}@{pop3.server}:{pop3.port}"


def unreadable(binding: Binding) -> str | None:
    """Why a mailbox's e-mails cannot be read aloud, and what to do; None where they can."""
    mailbox = binding.mailbox
    if not binding.settings.system.text_to_speech:
        reason = "text_to_speech is false; set it to true under [system]"
    elif mailbox.protocol is Way.POP3:
        reason = "" if mailbox.pop3.server else "it has no POP3 server; set pop3.server"
    elif mailbox.sync_mode is SyncMode.NONE:
        reason = "its sync mode is none, which never looks into the account; choose another one"
    else:
        reason = "" if mailbox.imap4.server else "it has no IMAP4 server; set imap4.server"
    return f"mailbox {binding.number}: e-mails are not read aloud: {reason}" if reason else None


@dataclass(frozen=True, slots=True)
class PhoneMails:
    """The e-mails of one mailbox."""

    binding: Binding
    letters: Letters

    def messages(self, latest: int | None = None) -> Iterator[Message]:
        """The e-mails, what arrived last first; what was deleted at the phone, within the undo window.

        ``latest``: that many at most, and no more of them is read.
        """
        since = self.binding.clock() - self.binding.mailbox.sync.undo_window
        rows = (
            row
            for row in self.letters.latest_first()
            if not row.removed or row.changed_at is None or row.changed_at >= since
        )
        return map(self.message, islice(rows, latest))

    def message(self, row: EmailRow) -> Message:
        """One e-mail as ``messages`` shows it."""
        from syncengine.speech.heading import envelope_of_head  # noqa: PLC0415 - only where mails are shown

        envelope = envelope_of_head(row.head)
        return Message(
            id=row.id,
            mailbox=self.binding.number,
            kind=Kind.EMAIL,
            heard=row.is_heard,
            deleted=row.removed or row.deleted,
            delivery=Delivery.CONFIRMED,
            sender=envelope.sender_name or envelope.sender_address or "unknown",
            subject=envelope.subject,
            received=received(envelope.received, row.arrived),
            duration=None,
            pages=None,
            urgent=False,
            folder=row.place.folder,
            pending=row.pending is not None,
            error=row.error,
        )

    def find(self, email: str) -> EmailRow | None:
        """An e-mail by its id."""
        found = self.letters.find(email)
        return found[0] if len(found) == 1 and found[0].id == email else None

    def change(self, row: EmailRow, wanted: State) -> bool:
        """Mark heard or new, or delete; False when the mail is gone. ``UsageError`` if it is deleted."""
        now = self.binding.clock()
        if wanted is State.DELETED:
            return row.removed or self.letters.say_removed(row, True, now)
        if row.removed or row.deleted:
            raise UsageError(f"message {row.id}: it is deleted; restore it first")
        return self.letters.say_heard(row, wanted is State.HEARD, now)

    def restore(self, row: EmailRow) -> bool:
        """Bring back what the phone deleted; False when the mail is gone."""
        if not row.removed:
            deleted = "it was deleted in a mail program; bring it back there"
            raise UsageError(f"message {row.id}: {deleted if row.deleted else 'it is not deleted'}")
        return self.letters.say_removed(row, False, self.binding.clock())


def received(date: datetime | None, arrived: int) -> datetime:
    """When a mail came: its Date field, unless that is missing, absurd, or lies in the future."""
    arrival = datetime.fromtimestamp(arrived, UTC) if arrived else None
    if date is None or date < _EARLIEST:
        return arrival or _EARLIEST
    if arrival is not None and date > arrival + timedelta(days=1):
        return arrival
    return date
