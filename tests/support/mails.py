"""A mailbox's e-mails in memory: the port that the telephone session reads from, with what became of them."""

from __future__ import annotations

from datetime import UTC, datetime

from syncengine.errors import MailboxError
from syncengine.speech.mail import Envelope, Mail, Text
from syncengine.speech.session import Item


class Mails:
    """A :class:`~syncengine.speech.session.MailSource` with ``a``, ``b`` and ``c`` in it."""

    def __init__(self) -> None:
        self.mails = {
            name: Mail(
                Envelope(f"Sender {name}", f"{name}@example.com", f"About {name}", datetime.now(UTC)),
                (Text(f"First of {name}.\nLast of {name}.".encode()),),
            )
            for name in "abc"
        }
        self.heard = {"c"}
        self.opened: list[str] = []
        self.unreachable = False

    def list(self) -> tuple[Item, ...]:
        return tuple(Item(name, mail.envelope, name in self.heard) for name, mail in self.mails.items())

    def open(self, mail_id: str) -> Mail:
        self._reach()
        self.opened.append(mail_id)
        return self.mails[mail_id]

    def mark_heard(self, mail_id: str) -> None:
        self.heard.add(mail_id)

    def mark_new(self, mail_id: str) -> None:
        self.heard.discard(mail_id)

    def delete(self, mail_id: str) -> None:
        self._reach()
        del self.mails[mail_id]

    def _reach(self) -> None:
        if self.unreachable:
            raise MailboxError("mail.example.com: connection refused; it is tried again")
