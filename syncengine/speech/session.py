"""One caller's way through his e-mails: list, open, hear sentence by sentence, delete or keep.

A mail is marked heard only when the sentence after its last one was asked for: everything was spoken and
nothing was cut short. Hanging up, skipping or deleting in between marks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from types import TracebackType
from typing import Protocol, Self

from syncengine.errors import SyncError, UsageError
from syncengine.speech.child import SpeechError
from syncengine.speech.mail import Envelope, Mail, Sentence
from syncengine.speech.reader import announcement, ending, overview, sentences
from syncengine.speech.synth import Voice
from syncengine.speech.wav import mu_law


@dataclass(frozen=True, slots=True)
class Item:
    """One mail of the list."""

    id: str
    """32 hex digits."""
    envelope: Envelope
    heard: bool


class MailSource(Protocol):
    """Where a mailbox's e-mails come from. Failures are :class:`~syncengine.errors.SyncError`."""

    def list(self) -> tuple[Item, ...]:
        """The e-mails in the order they are to be heard."""

    def open(self, mail_id: str) -> Mail:
        """Fetch what is read aloud of one mail, without setting ``\\Seen`` (BODY.PEEK)."""

    def mark_heard(self, mail_id: str) -> None:
        """The mail was heard to its end, or is to count as heard."""

    def mark_new(self, mail_id: str) -> None:
        """The mail is to be new again."""

    def delete(self, mail_id: str) -> None:
        """Move the mail to Trash."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence and its sound: 16-bit little-endian mono samples at 8,000 Hz."""

    sentence: Sentence
    sound: bytes

    @property
    def ulaw(self) -> bytes:
        """The same sound as G.711 mu-law, 8,000 octets a second."""
        return mu_law(self.sound)


class MailSession:
    """What a telephone server drives while one caller listens. Used by one thread.

    The list is that of the moment the session began: numbers do not move under the caller's fingers.
    The one exception is :meth:`hang_up`, which any thread may call.
    """

    def __init__(
        self, source: MailSource, voice: Voice, *, language: str, now: Callable[[], datetime]
    ) -> None:
        """Begin; ``voice`` belongs to the session from now on, ``language`` is the mailbox's, ``now`` gives
        the time in its zone.
        """
        self._source = source
        self._voice = voice
        self._language = language
        self._now = now
        self._items = source.list()
        self._gone: set[str] = set()
        self._heard = {item.id for item in self._items if item.heard}
        self._at = -1
        self._rest: Iterator[Sentence] = iter(())
        self._sentence: Sentence | None = None
        self._whole = False
        """Whether every sentence of the open mail was spoken so far."""
        self._over = False

    def say_overview(self) -> Spoken:
        """Speak how many e-mails there are; said before the first one, or in the place of it."""
        left = self.items
        return self._sound(overview(len(left), sum(not item.heard for item in left), self._language))

    def say_no_more(self) -> Spoken:
        """Speak that there are no more e-mails; said after the last one."""
        return self._sound(ending(self._language))

    @property
    def items(self) -> tuple[Item, ...]:
        """The e-mails that are left, with what was heard in this session."""
        return tuple(
            Item(item.id, item.envelope, item.id in self._heard)
            for item in self._items
            if item.id not in self._gone
        )

    @property
    def current(self) -> Item | None:
        """The open mail, None before the first, after the last, and after :meth:`delete`."""
        if not 0 <= self._at < len(self._items) or self._items[self._at].id in self._gone:
            return None
        item = self._items[self._at]
        return Item(item.id, item.envelope, item.id in self._heard)

    def open(self, mail_id: str) -> Item:
        """Open a mail of the list: its announcement comes next, then its text, fetched when it is needed.

        Raises ``UsageError`` for an id that is not in the list.
        """
        for at, item in enumerate(self._items):
            if item.id == mail_id and mail_id not in self._gone:
                return self._open(at)
        raise UsageError("no such e-mail in the list; it may have been deleted")

    def skip(self) -> Item | None:
        """Leave the open mail as it is and open the next one; None after the last."""
        return self._open_from(self._at + 1)

    def keep(self) -> Item | None:
        """Keep the open mail and open the next one: it stays heard or new, as it is."""
        return self.skip()

    def delete(self) -> Item | None:
        """Delete the open mail and open the next one; None after the last.

        Raises ``UsageError`` when no mail is open.
        """
        item = self._opened()
        self._source.delete(item.id)
        self._gone.add(item.id)
        return self.skip()

    def mark_heard(self) -> None:
        """Let the open mail count as heard, whether it was heard to its end or not.

        Raises ``UsageError`` when no mail is open.
        """
        item = self._opened()
        self._source.mark_heard(item.id)
        self._heard.add(item.id)

    def mark_new(self) -> None:
        """Let the open mail be new again, and stay so if it is heard on to its end.

        Raises ``UsageError`` when no mail is open.
        """
        item = self._opened()
        self._source.mark_new(item.id)
        self._heard.discard(item.id)
        self._whole = False

    def restart(self) -> Item | None:
        """Begin the open mail again, with its announcement."""
        return self._open(self._at) if self.current is not None else None

    def next_sentence(self) -> Spoken | None:
        """Speak the next sentence of the open mail; None at its end, and then it is heard.

        Ask for it only after the one before was played to its end. A ``SpeechError`` costs that one
        sentence: the next call speaks the following one, but the mail does not become heard.
        """
        item = self.current
        if item is None:
            return None
        try:
            following = next(self._rest, None)
        except SyncError:  # the text could not be fetched
            self._whole = False
            raise
        if following is not None:
            self._sentence = following
            return self._speak(following)
        if self._whole and not self._over and item.id not in self._heard:
            self._source.mark_heard(item.id)
            self._heard.add(item.id)
        return None

    def repeat(self) -> Spoken | None:
        """Speak the same sentence again; None when none was spoken yet."""
        return self._speak(self._sentence) if self._sentence is not None else None

    def hang_up(self) -> None:
        """The caller is gone: end the speech at once, from any thread. Nothing becomes heard any more."""
        self._over = True
        self._voice.stop()

    def close(self) -> None:
        """End the session and the voice."""
        self._over = True
        self._voice.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> Item:
        item = self.current
        if item is None:
            raise UsageError("no e-mail is open; open one first")
        return item

    def _open_from(self, start: int) -> Item | None:
        for at in range(start, len(self._items)):
            if self._items[at].id not in self._gone:
                return self._open(at)
        self._at = len(self._items)
        self._rest, self._sentence = iter(()), None
        return None

    def _open(self, at: int) -> Item:
        item = self._items[at]
        self._at = at
        self._sentence = None
        self._whole = True
        self._rest = chain(self._announced(at), self._read(item.id))
        return Item(item.id, item.envelope, item.id in self._heard)

    def _announced(self, at: int) -> Iterator[Sentence]:
        yield from announcement(
            self._items[at].envelope,
            number=at + 1,
            of=len(self._items),
            now=self._now(),
            language=self._language,
        )

    def _read(self, mail_id: str) -> Iterator[Sentence]:
        """Fetch the mail only now: a caller who goes through the announcements fetches no body."""
        yield from sentences(self._source.open(mail_id), self._language)

    def _speak(self, sentence: Sentence) -> Spoken:
        try:
            return self._sound(sentence)
        except SpeechError:
            self._whole = False
            raise

    def _sound(self, sentence: Sentence) -> Spoken:
        return Spoken(sentence, self._voice.speak(sentence.text, sentence.language))
