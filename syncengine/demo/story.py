"""The story: real actions on one side, and what is then seen on the other.

Nothing is asserted from inside: the phone's side is asked of the library, the mail's side of a second
client. A step succeeds only if both show what the sentence says.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from syncengine.demo.mailprogram import MailProgram, Seen
from syncengine.engine.engine import Engine
from syncengine.engine.events import Event, LampChanged
from syncengine.errors import MailboxError

ARCHIVE = "Family"
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What both sides show after a step."""

    title: str
    phone: tuple[str, ...]
    mail: tuple[str, ...]
    true: bool


class Story:
    """Two subscribers, their mail programs, and the engine between."""

    def __init__(self, engine: Engine, programs: dict[str, MailProgram]) -> None:
        self._engine = engine
        self._programs = programs
        self._told: list[tuple[str, str]] = []
        self._lamps: dict[str, bool] = dict.fromkeys(programs, False)
        engine.subscribe(self._listen)

    def tell(self) -> Iterator[Shown]:
        """Tell the story step by step."""
        first = next(iter(self._programs))
        yield from self._arrives_and_is_read(first)
        yield from self._deleted_at_the_phone(first)
        yield from self._moved(first)
        for second in [number for number in self._programs if number != first]:
            yield from self._second_subscriber(second)

    def clean_up(self) -> None:
        """Remove the story's messages from the accounts."""
        for number, message in self._told:
            for seen in self._programs[number].find(message):
                self._programs[number].remove(seen)

    # Chapters

    def _arrives_and_is_read(self, number: str) -> Iterator[Shown]:
        box = self._engine.mailbox(number)
        message = self._deliver(number, "+12035550117", "Peter Adams")
        yield self._step(
            number,
            "A caller leaves a voice message: it is in the mail, unread, and the lamp is lit",
            lambda: self._one(number, message, read=False) and self._lamps[number],
        )
        self._programs[number].set_read(self._place(number, message), read=True)
        yield self._step(
            number,
            "It is read in the mail: heard at the phone, and the lamp goes out",
            lambda: box.message(message).heard and not self._lamps[number],
        )
        box.mark_new(message)
        yield self._step(
            number,
            "It is marked new at the phone: unread in the mail, the lamp is lit again",
            lambda: self._one(number, message, read=False) and self._lamps[number],
        )

    def _deleted_at_the_phone(self, number: str) -> Iterator[Shown]:
        message = self._deliver(number, "+431234567", "")
        self._engine.resync(number)
        self._engine.mailbox(number).delete(message)
        yield self._step(
            number,
            "A second message is deleted at the phone: in the mail it lies in Trash",
            lambda: (
                [s.folder for s in self._programs[number].find(message)] == ["Trash"]
                or self._in_trash_only(number, message)
            ),
        )

    def _moved(self, number: str) -> Iterator[Shown]:
        box, program = self._engine.mailbox(number), self._programs[number]
        message = self._told[0][1]
        program.move(self._place(number, message), ARCHIVE)
        self._engine.resync(number)
        box.mark_heard(message)
        yield self._step(
            number,
            f"The first message is moved to the folder {ARCHIVE} and heard at the phone: read there, in step",
            lambda: self._one(number, message, read=True) and self._place(number, message).folder == ARCHIVE,
        )
        program.move(self._place(number, message), "Trash")
        yield self._step(
            number,
            "It is deleted in the mail: deleted at the phone, and can be restored",
            lambda: box.message(message).deleted,
        )
        box.restore(message)
        yield self._step(
            number,
            f"It is restored at the phone: back in the mail, in {ARCHIVE}",
            lambda: not box.message(message).deleted and self._place(number, message).folder == ARCHIVE,
        )

    def _second_subscriber(self, number: str) -> Iterator[Shown]:
        message = self._deliver(number, "101", "Extension 101", urgent=True)
        self._engine.resync(number)
        self._engine.mailbox(number).mark_heard(message)
        yield self._step(
            number,
            f"Mailbox {number} has an account of its own: heard at the phone, read in its mail",
            lambda: self._one(number, message, read=True),
        )

    # Both sides

    def _step(self, number: str, title: str, seen: Callable[[], bool]) -> Shown:
        """Pass until both sides show it, or patience ends (mail programs and servers may lag)."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            self._engine.resync(number)
            true = seen()
            if true or time.monotonic() > end:
                return Shown(f"[{number}] {title}", self._phone(number), self._mail(number), true)

    def _phone(self, number: str) -> tuple[str, ...]:
        lines = [f"lamp {'on' if self._lamps[number] else 'off'}"]
        for message in self._engine.mailbox(number).messages():
            state = "deleted" if message.deleted else "heard" if message.heard else "new"
            lines.append(f"{state:8}{message.sender}")
        return tuple(lines)

    def _mail(self, number: str) -> tuple[str, ...]:
        lines = []
        for _, message in [t for t in self._told if t[0] == number]:
            for seen in self._programs[number].find(message):
                lines.append(f"{seen.folder}: {'read' if seen.read else 'unread':8}{seen.subject}")
        return tuple(lines)

    def _place(self, number: str, message: str) -> Seen:
        found = self._programs[number].find(message)
        if not found:
            raise MailboxError(f"mailbox {number}: the message did not get into the account; -v says why")
        return found[0]

    def _one(self, number: str, message: str, *, read: bool) -> bool:
        return [seen.read for seen in self._programs[number].find(message)] == [read]

    def _in_trash_only(self, number: str, message: str) -> bool:
        places = self._programs[number].find(message)
        return bool(places) and all(
            "trash" in s.folder.lower() or "deleted" in s.folder.lower() for s in places
        )

    def _deliver(self, number: str, caller: str, name: str, *, urgent: bool = False) -> str:
        box = self._engine.mailbox(number)
        message = box.deliver(tone(2.0), caller_number=caller, caller_name=name, urgent=urgent)
        self._told.append((number, message.id))
        return message.id

    def _listen(self, event: Event) -> None:
        if isinstance(event, LampChanged):
            self._lamps[event.mailbox] = event.new > 0


def tone(seconds: float) -> bytes:
    """A recording: a soft 440 Hz tone, PCM16, 8 kHz, mono."""
    samples = (round(6000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(int(8000 * seconds)))
    data = b"".join(struct.pack("<h", sample) for sample in samples)
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    body = head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body
