"""One mailbox as the voice-mail server uses it: take in, mark, delete, restore, list.

None of this needs the account or the pass lock: it is durable when it returns, and the next pass
carries it over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from syncengine.engine.binding import Binding
from syncengine.engine.media import media_of
from syncengine.engine.phonemails import PhoneMails, letters_of, unreadable
from syncengine.engine.status import Message
from syncengine.errors import MailboxError, UsageError
from syncengine.index import EmailRow, QueueState
from syncengine.model import Kind, LocalMessage, State, Token, token_of
from syncengine.voicemail.builtin import BuiltinStore, Incoming

if TYPE_CHECKING:
    from syncengine.engine.aloud import Recital
    from syncengine.engine.engine import Engine
    from syncengine.speech.session import MailSession
    from syncengine.speech.synth import Voice


class Mailbox:
    """A subscriber's voice mailbox."""

    def __init__(self, engine: Engine, binding: Binding) -> None:
        self._engine = engine
        self._binding = binding

    @property
    def number(self) -> str:
        """The mailbox's number."""
        return self._binding.number

    def deliver(
        self,
        content: Path | str | bytes,
        *,
        kind: Kind | str = Kind.VOICE,
        caller_number: str = "",
        caller_name: str = "",
        urgent: bool = False,
        private: bool = False,
        received: datetime | None = None,
    ) -> Message:
        """Take in a voice or fax message; it is on disk, and queued for the account, when this returns.

        ``received`` is when the call came (default now; without a zone it is local time). Raises
        ``UsageError`` for what is no sound or fax, ``EngineError`` when it cannot be stored.
        """
        kind = Kind(kind)
        if kind is Kind.EMAIL:
            raise UsageError("an e-mail cannot be delivered here; voice or fax")
        data, name = _content(content)
        media = media_of(data, name, kind)
        incoming = Incoming(
            mailbox=self.number,
            kind=kind,
            media_type=media.media_type,
            extension=media.extension,
            received=(received or datetime.now(UTC)).astimezone(
                None if received is None else received.tzinfo
            ),
            caller_number=caller_number,
            caller_name=caller_name,
            duration=media.duration,
            pages=media.pages,
            urgent=urgent,
            private=private,
        )
        store = self._engine.store
        if not isinstance(store, BuiltinStore):
            raise UsageError("messages are taken in by the voice-mail server itself, not by deliver")
        with self._changing():
            message = store.take_in(incoming, data)
            if self._engine.off(self.number) is None or self._binding.mailbox.email_integration:
                state = QueueState.DUE if self._binding.sends(kind) else QueueState.NOT_SENT
                self._engine.index.queue.put(self.number, message.token, state, self._binding.clock())
        store.taken(message.ref)
        return self.message(message.ref)

    def messages(self, *, latest: int | None = None) -> tuple[Message, ...]:
        """The subscriber's messages, the oldest first; deleted ones while they can be restored.

        ``latest`` are that many at most, those that came last: quick, however many there are.
        """
        found = list(self._engine.picture(self.number).messages())
        mails = self._mails
        if mails is not None:
            with self._engine.index.database.trouble():
                found += [*mails.messages(latest)][::-1]
            found.sort(key=lambda message: message.received)
        return tuple(found if latest is None else found[-latest:] if latest > 0 else ())

    def message(self, message_id: str) -> Message:
        """One message by its id; raises ``UsageError`` if there is none."""
        for message in self._engine.picture(self.number).messages():
            if message.id == message_id:
                return message
        found = self._email(message_id)
        if found is None:
            raise self._unknown(message_id)
        mails, row = found
        return mails.message(row)

    def ids(self, beginning: str) -> tuple[str, ...]:
        """The ids of messages that begin so; of e-mails two at most."""
        voice = [m.id for m in self._engine.picture(self.number).messages() if m.id.startswith(beginning)]
        mails = self._mails
        if mails is None:
            return tuple(voice)
        with self._engine.index.database.trouble():
            return (*voice, *(row.id for row in mails.letters.find(beginning)))

    def mark_heard(self, message_id: str) -> None:
        """Mark a message heard at the phone."""
        self._change(message_id, State.HEARD)

    def mark_new(self, message_id: str) -> None:
        """Mark a message new at the phone."""
        self._change(message_id, State.NEW)

    def delete(self, message_id: str) -> None:
        """Delete a message at the phone; it can be restored within the undo window."""
        self._change(message_id, State.DELETED)

    def restore(self, message_id: str) -> None:
        """Bring a deleted message back as it was; raises ``UsageError`` if it is not deleted."""
        if self._change_email(message_id, lambda mails, row: mails.restore(row)):
            return
        message = self._local(message_id)
        if message.state is not State.DELETED:
            raise UsageError(f"message {message_id}: it is not deleted")
        with self._engine.index.database.trouble():
            before = self._engine.store.restored_state(message)
        self._set(message, before)

    def content(self, message_id: str) -> Path:
        """Path of a message's recording."""
        with self._engine.index.database.trouble():
            return self._engine.store.content(self._local(message_id))

    # E-mails read aloud

    def mail_session(self, voice: Voice | None = None) -> MailSession:
        """Begin a caller's way through his e-mails; close it, or use it in a ``with`` statement.

        ``voice`` speaks instead of the one that the options name. Raises ``UsageError`` where e-mails are
        not read aloud, saying why, and ``MailboxError`` where the account cannot be reached and was
        never looked at.
        """
        from syncengine.engine.aloud import call  # noqa: PLC0415 - only where something is spoken

        self._look_first()
        return call(self, self._engine.index, self._binding, voice)

    def recital(self, voice: Voice | None = None) -> Recital:
        """The e-mails spoken without a caller, as into a file; raises what :meth:`mail_session` raises."""
        from syncengine.engine.aloud import recital  # noqa: PLC0415 - only where something is spoken

        self._look_first()
        return recital(self, self._engine.index, self._binding, voice)

    def _look_first(self) -> None:
        """Make sure that the e-mails were listed once."""
        off = self._engine.off(self.number)
        reason = unreadable(self._binding) or (off and f"mailbox {self.number}: it is off: {off}")
        if reason:
            raise UsageError(reason)
        if not self._binding.reads_aloud:
            return
        account = self._binding.known_account(self._engine.index)
        if account is None or not self._engine.index.emails.cursors(account.id):
            report = self._engine.resync(self.number)
            if report.errors:
                raise MailboxError(f"{report.errors[0].where}: {report.errors[0].what}")

    def _change(self, message_id: str, wanted: State) -> None:
        if self._change_email(message_id, lambda mails, row: mails.change(row, wanted)):
            return
        message = self._local(message_id)
        if message.state is wanted:
            return
        if message.state is State.DELETED:
            raise UsageError(f"message {message_id}: it is deleted; restore it first")
        self._set(message, wanted)

    def _set(self, message: LocalMessage, wanted: State) -> None:
        with self._changing():
            while not self._engine.store.change(message, wanted):
                current = self._local(message.ref)
                if current.state is wanted:
                    break
                if State.DELETED in (current.state, message.state):
                    raise UsageError(f"message {message.ref}: it was changed meanwhile; look again")
                message = current

    def _local(self, message_id: str) -> LocalMessage:
        token: Token = token_of(message_id)
        with self._engine.index.database.trouble():
            messages = self._engine.store.listing(self.number).messages
        for message in messages:
            if message.token == token and message.content:
                return message
        raise self._unknown(message_id)

    @property
    def _mails(self) -> PhoneMails | None:
        """The e-mails, where they are listed."""
        with self._engine.index.database.trouble():
            letters = letters_of(self._engine.index, self._binding)
        return PhoneMails(self._binding, letters) if letters is not None else None

    def _email(self, message_id: str) -> tuple[PhoneMails, EmailRow] | None:
        """The e-mail with this id; a voice or fax message's is looked for first, since that is quick."""
        mails = self._mails
        if mails is None:
            return None
        with self._engine.index.database.trouble():
            if any(m.token == token_of(message_id) for m in self._engine.store.listing(self.number).messages):
                return None
            row = mails.find(message_id)
        return (mails, row) if row is not None else None

    def _change_email(self, message_id: str, change: Callable[[PhoneMails, EmailRow], bool]) -> bool:
        """Change an e-mail; False where the id is none of an e-mail."""
        found = self._email(message_id)
        if found is None:
            return False
        with self._changing():
            if not change(*found):
                raise self._unknown(message_id)
        return True

    def _unknown(self, message_id: str) -> UsageError:
        return UsageError(
            f"message {message_id[:40]}: there is none in mailbox {self.number};"
            f" syncengine messages {self.number} shows them"
        )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """A change and the mark that makes a pass carry it over: both or neither, whatever happens."""
        database = self._engine.index.database
        with database.trouble(), database.write():
            yield
            self._engine.index.passes.mark_dirty(self.number, self._binding.clock())
        self._engine.lamp(self.number)


def _content(content: Path | str | bytes) -> tuple[bytes, str]:
    if isinstance(content, bytes):
        return content, ""
    path = Path(content)
    try:
        return path.read_bytes(), path.name
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read: {error.strerror}") from None
