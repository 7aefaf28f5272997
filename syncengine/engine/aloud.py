"""A mailbox's e-mails for the telephone: the list out of the index, the text when it is heard.

A mail becomes read when it was heard to its end: here at once, in the account by the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncengine.engine.binding import Binding
from syncengine.engine.bodies import Bodies, ImapBodies, Pop3Bodies, refresh_pop3
from syncengine.engine.phonemails import Letters, letters_of, received
from syncengine.errors import MailboxError, UsageError
from syncengine.index import EmailRow, Index
from syncengine.options.schema import SyncMode
from syncengine.speech.language import load as load_language
from syncengine.speech.mail import Mail, Sentence
from syncengine.speech.message import envelope_of_header
from syncengine.speech.reader import announcement, overview, sentences
from syncengine.speech.session import Item, MailSession
from syncengine.speech.synth import Voice, open_voice

if TYPE_CHECKING:
    from syncengine.engine.handle import Mailbox

MOST = 100
"""E-mails that one call offers: new ones first, of these the latest first."""


class PhoneSource:
    """Implements :class:`~syncengine.speech.session.MailSource` over one mailbox."""

    def __init__(self, box: Mailbox, letters: Letters, bodies: Bodies, now: Callable[[], datetime]) -> None:
        self._box = box
        self._letters = letters
        self._bodies = bodies
        self._now = now
        self._rows: dict[str, EmailRow] = {}

    def list(self) -> tuple[Item, ...]:
        """New mails first, of these the latest first; :data:`MOST` at most."""
        return tuple(self._item(row) for row in self._letters.to_hear(MOST))

    def item(self, mail_id: str) -> Item:
        """One mail, on the list or not; raises ``UsageError`` where there is none."""
        found = self._letters.find(mail_id)
        if not mail_id or not found:
            raise UsageError(
                f"message {mail_id[:40]}: no e-mail of mailbox {self._box.number};"
                f" syncengine messages {self._box.number} shows them"
            )
        if len(found) > 1:
            raise UsageError(f"message {mail_id[:40]}: several begin so; give more digits of the id")
        if found[0].removed or found[0].deleted:
            raise UsageError(f"message {found[0].id}: it is deleted; restore it first")
        return self._item(found[0])

    def _item(self, row: EmailRow) -> Item:
        self._rows[row.id] = row
        envelope = envelope_of_header(row.head)
        came = received(envelope.received, row.arrived).astimezone(self._now().tzinfo)
        return Item(row.id, replace(envelope, received=came), row.is_heard)

    def open(self, mail_id: str) -> Mail:
        """Fetch what is read aloud of one mail."""
        row = self._rows[mail_id]
        mail = self._bodies.fetch(row, self._item(row).envelope)
        if mail is None:
            raise MailboxError(
                f"message {mail_id}: it is no longer where it was; it was moved or deleted in a mail program"
            )
        return mail

    def mark_heard(self, mail_id: str) -> None:
        """It was heard to its end: the next pass marks it read."""
        self._box.mark_heard(mail_id)

    def mark_new(self, mail_id: str) -> None:
        """The next pass marks it unread."""
        self._box.mark_new(mail_id)

    def delete(self, mail_id: str) -> None:
        """The next pass moves it to Trash."""
        self._box.delete(mail_id)


class MailCall(MailSession):
    """A caller's session over one mailbox; closing it closes its connection too."""

    def __init__(
        self, source: PhoneSource, bodies: Bodies, voice: Voice, *, language: str, now: Callable[[], datetime]
    ) -> None:
        super().__init__(source, voice, language=language, now=now)
        self._bodies = bodies

    def hang_up(self) -> None:
        """See :meth:`MailSession.hang_up`; a fetch that is under way ends as well."""
        super().hang_up()
        self._bodies.cut()

    def close(self) -> None:
        """End the session, the voice and the connection."""
        super().close()
        self._bodies.close()


class Recital:
    """A mailbox's e-mails spoken without a caller: nothing becomes heard. Use it in a ``with`` statement."""

    def __init__(self, source: PhoneSource, bodies: Bodies, voice: Voice, binding: Binding) -> None:
        self._source = source
        self._bodies = bodies
        self._voice = voice
        self._binding = binding

    def mail(self, mail_id: str) -> Iterator[bytes]:
        """One mail by its id or a beginning of it, sentence by sentence (PCM16, 8 kHz, mono).

        Raises ``UsageError`` where there is none.
        """
        item = self._source.item(mail_id)
        return self._spoken(chain(self._announced(item, 1, 1), self._read(item)))

    def list(self) -> Iterator[bytes]:
        """How many mails there are, and the announcement of each."""
        items = self._source.list()
        count = overview(len(items), sum(not i.heard for i in items), self._binding.mailbox.language)
        numbered = enumerate(items, 1)
        announced = (s for number, i in numbered for s in self._announced(i, number, len(items)))
        return self._spoken(chain((count,), announced))

    @property
    def any(self) -> bool:
        """Whether there is an e-mail to read."""
        return bool(self._source.list())

    @property
    def nothing(self) -> str:
        """What is said where there is none."""
        mailbox = self._binding.mailbox
        if mailbox.synchronises and mailbox.sync_mode is SyncMode.VOICE_MAIL_FOLDER:
            why = "its sync mode is voice-mail-folder, and that folder holds no ordinary mail"
        else:
            why = "there are no e-mails to read aloud"
        return f"mailbox {mailbox.number}: {why}"

    def _announced(self, item: Item, number: int, of: int) -> Iterator[Sentence]:
        language, now = self._binding.mailbox.language, clock_of(self._binding)()
        return announcement(item.envelope, number=number, of=of, now=now, language=language)

    def _read(self, item: Item) -> Iterator[Sentence]:
        yield from sentences(self._source.open(item.id), self._binding.mailbox.language)

    def _spoken(self, said: Iterable[Sentence]) -> Iterator[bytes]:
        return (self._voice.speak(sentence.text, sentence.language) for sentence in said)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._voice.close()
        self._bodies.close()


def source_of(box: Mailbox, index: Index, binding: Binding) -> tuple[PhoneSource, Bodies]:
    """The e-mails of a mailbox; over POP3 they are looked at now."""
    if binding.reads_pop3:
        refresh_pop3(binding, index)
    letters = letters_of(index, binding)
    if letters is None:
        raise MailboxError(f"mailbox {binding.number}: its account was never looked at; see its status")
    bodies: Bodies = Pop3Bodies(binding) if binding.reads_pop3 else ImapBodies(binding, index)
    return PhoneSource(box, letters, bodies, clock_of(binding)), bodies


def recital(box: Mailbox, index: Index, binding: Binding, voice: Voice | None) -> Recital:
    """See :meth:`syncengine.engine.handle.Mailbox.recital`."""
    speaking = voice or open_voice(binding.settings.system.tts_command)
    source, bodies = source_of(box, index, binding)
    return Recital(source, bodies, speaking, binding)


def call(box: Mailbox, index: Index, binding: Binding, voice: Voice | None) -> MailCall:
    """See :meth:`syncengine.engine.handle.Mailbox.mail_session`."""
    speaking = voice or open_voice(binding.settings.system.tts_command)
    # While the first sentences are played, so that the caller need not wait in the middle of a mail.
    Thread(target=load_language, name="language", daemon=True).start()
    source, bodies = source_of(box, index, binding)
    return MailCall(source, bodies, speaking, language=binding.mailbox.language, now=clock_of(binding))


def clock_of(binding: Binding) -> Callable[[], datetime]:
    """The time in the subscriber's zone."""
    try:
        zone = ZoneInfo(binding.mailbox.timezone) if binding.mailbox.timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        zone = None
    return lambda: datetime.fromtimestamp(binding.clock(), zone).astimezone(zone)
