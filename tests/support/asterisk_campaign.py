"""The adapter beside Asterisk and FreePBX, all at random, and what must hold in the end.

Asterisk and FreePBX are kept apart from each other (FreePBX takes no locks and would destroy Asterisk's
files), the adapter is kept apart from none of them.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from syncengine.errors import StoreUnproven, SyncError
from syncengine.model import LocalMessage, State, Token
from syncengine.voicemail.asterisk import AsteriskStore, How, LockMode
from tests.support.asterisk import FakeAsterisk, FakeFreepbx, LockTimeout, serial_in

FORMATS = (("wav",), ("WAV", "wav"), ("WAV", "gsm"), ("gsm", "wav"))


@dataclass
class Tally:
    """What happened, for the report of a run."""

    left: set[int] = field(default_factory=set)
    purged: set[int] = field(default_factory=set)
    tokens: dict[int, Token] = field(default_factory=dict)
    operations: int = 0
    changes: int = 0
    refused: int = 0
    unproven: int = 0
    listings: int = 0
    wrong: list[str] = field(default_factory=list)


class Campaign:
    """One mailbox, a caller, a panel, and two threads of the adapter."""

    def __init__(self, folder: Path, *, seed: int, mode: LockMode, freepbx: bool, operations: int) -> None:
        self.box = folder / "spool" / "default" / "101"
        self.asterisk = FakeAsterisk(self.box, mode=mode, maxmsg=60, pause=0.0005)
        self.freepbx = FakeFreepbx(self.box, pause=0.0005)
        self.asterisk.folder("INBOX")
        how = How(lock_mode=mode, settle=0.005, maxmsg=60, session=1.0, lock_timeout=5.0)
        self.store = AsteriskStore(folder / "spool", folder / "state", b"k" * 32, how=how)
        self.store.prepare()
        self.seed = seed
        # One set for all: where formats were changed, Asterisk itself leaves recordings to the wrong message.
        self.formats = FORMATS[seed % len(FORMATS)]
        self.with_freepbx = freepbx
        self.operations = operations
        self.tally = Tally()
        self.serial = 0
        self._stop = threading.Event()
        self._apart = threading.Lock() if freepbx else nullcontext()
        self._counting = threading.Lock()

    def run(self) -> Tally:
        """Run until the number of operations is reached, then look at what is there."""
        parts: list[Callable[[random.Random], None]] = [self._call, self._adapter, self._adapter]
        if self.with_freepbx:
            parts.append(self._panel)
        threads = [
            threading.Thread(target=self._repeat, args=(part, random.Random(f"{self.seed}-{i}")))
            for i, part in enumerate(parts)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._look_at_the_end()
        return self.tally

    def _repeat(self, part: Callable[[random.Random], None], dice: random.Random) -> None:
        while not self._stop.is_set():
            try:
                part(dice)
            except LockTimeout as error:
                self._wrong(f"Asterisk waited five seconds for {error}: a caller's message is lost")
            except Exception as error:
                self._wrong(f"{type(error).__name__}: {error}")
                raise
            with self._counting:
                self.tally.operations += 1
                if self.tally.operations >= self.operations:
                    self._stop.set()

    # Asterisk

    def _call(self, dice: random.Random) -> None:
        if dice.random() < 0.6:
            self._leave(dice)
        else:
            self._session(dice)
        time.sleep(dice.random() ** 3 * 0.05)

    def _leave(self, dice: random.Random) -> None:
        self.serial += 1
        serial, keys = self.serial, {}
        if dice.random() < 0.1:
            keys["msg_id"] = dice.choice(["", "1-duplicate"])
        folder = "INBOX"
        if dice.random() < 0.2:
            keys["flag"], folder = "Urgent", "Urgent"
        with self._apart:
            if self.asterisk.leave(serial, formats=self.formats, folder=folder, **keys):
                self.tally.left.add(serial)

    def _session(self, dice: random.Random) -> None:
        with self._apart:
            call = self.asterisk.login(dice.choice(["INBOX", "INBOX", "Old", "Urgent", "Work"]))
        for number in range(call.lastmsg + 1):
            if dice.random() < 0.3:
                call.heard.add(number)
            if dice.random() < 0.25:
                call.deleted.add(number)
        time.sleep(dice.random() * 0.01)
        with self._apart:
            self.asterisk.hang_up(call)

    def _panel(self, dice: random.Random) -> None:
        with self._apart:
            self.freepbx.renumber(dice.choice(["INBOX", "Old", "Urgent"]))
        time.sleep(dice.random() ** 3 * 0.1)

    # The adapter

    def _adapter(self, dice: random.Random) -> None:
        try:
            listing = self.store.listing("101")
        except StoreUnproven:
            self.tally.unproven += 1
            return
        self.tally.listings += 1
        if not listing.proven:
            self.tally.unproven += 1
            return
        for message in listing.messages:
            self._same(message)
        tokens = [m.token for m in listing.messages]
        if len(tokens) != len(set(tokens)):
            self._wrong("two messages under one token")
        for message in dice.sample(listing.messages, min(6, len(listing.messages))):
            self._do(message, dice)
            with self._counting:
                self.tally.operations += 1

    def _do(self, message: LocalMessage, dice: random.Random) -> None:
        serial = _serial(message)
        try:
            if dice.random() < 0.2:
                data = self.store.content(message).read_bytes()
                if serial_in(data) != serial:
                    self._wrong(f"message {serial} was sent with the sound of {serial_in(data)}")
            elif message.state is State.DELETED and dice.random() < 0.3:
                if self.store.purge(message):
                    self.tally.purged.add(serial)
            elif self.store.change(message, dice.choice(list(State))):
                self.tally.changes += 1
            else:
                self.tally.refused += 1
        except SyncError:
            self.tally.refused += 1

    def _same(self, message: LocalMessage) -> None:
        serial = _serial(message)
        if self.tally.tokens.setdefault(serial, message.token) != message.token:
            self._wrong(f"message {serial} has two tokens")

    # The end

    def _look_at_the_end(self) -> None:
        """Nothing lost, nothing doubled, nothing beside what is not its own, no lock left behind."""
        listing = self.store.listing("101")
        if not listing.proven:
            self._wrong("the spool at rest proves nothing")
        listed = [_serial(m) for m in listing.messages]
        if len(listed) != len(set(listed)):
            self._wrong(f"listed twice: {sorted(s for s in listed if listed.count(s) > 1)}")
        gone = set(self.asterisk.removed) | self.tally.purged
        if lost := self.tally.left - gone - set(listed):
            self._wrong(f"lost: {sorted(lost)}")
        for text in self.box.glob("[A-Z]*/msg*.txt"):
            serials = {serial_in(p.read_bytes()) for p in text.parent.glob(text.stem + ".*")}
            if len(serials) != 1 or len(list(text.parent.glob(text.stem + ".*"))) < 2:
                self._wrong(f"{text.parent.name}/{text.stem} holds files of {sorted(serials)}")
        for path in self.box.glob("[A-Z]*/*"):
            if not path.with_suffix(".txt").exists():
                self._wrong(f"left behind: {path.parent.name}/{path.name}")
        deleted = [m for m in listing.messages if m.state is State.DELETED]
        if len(list((self.box / ".syncengine" / "held").iterdir())) != len(deleted):
            self._wrong("something waits that nobody knows of")

    def _wrong(self, text: str) -> None:
        self.tally.wrong.append(text)
        self._stop.set()


def _serial(message: LocalMessage) -> int:
    return int(message.caller_number) - 2035550000
