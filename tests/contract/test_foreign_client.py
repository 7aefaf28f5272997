"""A foreign mail program at random beside the engine: at quiet both sides agree and nothing is lost."""

from __future__ import annotations

import random

import pytest

from syncengine.model import token_of
from tests.support.world import World, world

STEPS = 40


@pytest.fixture
def there(imap_server, tmp_path):
    with world(tmp_path, imap_server) as one:
        yield one


class Chaos:
    """One seeded run: the subscriber at the phone and in the mail, and passes in between."""

    def __init__(self, there: World, seed: int) -> None:
        self.there = there
        self.random = random.Random(seed)
        self.deleted: set[str] = set()
        """Whatever anybody ever deleted: a delete in the mail outlives a restore made before it was known."""
        self.trace: list[str] = []

    def run(self) -> None:
        for _ in range(STEPS):
            action = self.random.choice(
                [
                    *[self.deliver, self.flag, self.flag, self.move, self.copy, self.trash, self.expunge],
                    *[self.phone, self.phone, self.resync, self.resync],
                ]
            )
            action()

    def pick(self) -> tuple[str, str, int] | None:
        ids = [m.id for m in self.there.box.messages()]
        self.random.shuffle(ids)
        copies = self.there.copies()
        for message in ids:
            if there := copies.get(token_of(message)):
                one = self.random.choice(there)
                return message, one.folder, one.uid
        return None

    def note(self, *what: object) -> None:
        self.trace.append(" ".join(map(str, what)))

    def deliver(self) -> None:
        self.note("deliver", self.there.deliver())

    def resync(self) -> None:
        report = self.there.resync()
        self.note("resync", [(a.side.value, a.verb.value) for a in report.actions], report.errors)

    def phone(self) -> None:
        messages = self.there.box.messages()
        if not messages:
            return
        message = self.random.choice(messages)
        box = self.there.box
        if message.deleted:
            box.restore(message.id)
            self.note("phone restores", message.id)
        elif self.random.random() < 0.3:
            box.delete(message.id)
            self.deleted.add(message.id)
            self.note("phone deletes", message.id)
        else:
            (box.mark_new if message.heard else box.mark_heard)(message.id)
            self.note("phone marks", message.id)

    def flag(self) -> None:
        if (picked := self.pick()) is not None:
            message, folder, uid = picked
            seen = "\\Seen" in self.there.flags(folder, uid)
            path = self.there.path(folder)
            (self.there.mail.unflag if seen else self.there.mail.flag)(uid, "\\Seen", folder=path)
            self.note("mail flags", message, folder, uid, not seen)

    def move(self) -> None:
        if (picked := self.pick()) is not None:
            message, folder, uid = picked
            to = self.random.choice(["INBOX", "Work", "Voice Mail Messages"])
            self.there.mail.ensure(to)
            if self.there.mail.name(to) != folder:
                self.there.mail.move(uid, to, self.there.path(folder))
                self.note("mail moves", message, folder, uid, to)

    def copy(self) -> None:
        if (picked := self.pick()) is not None:
            message, folder, uid = picked
            self.there.mail.ensure("Work")
            self.there.mail.copy(uid, "Work", self.there.path(folder))
            self.note("mail copies", message, folder, uid)

    def trash(self) -> None:
        if (picked := self.pick()) is not None:
            message, folder, uid = picked
            if self.there.path(folder) != "Trash":
                self.there.mail.trash(uid, self.there.path(folder))
                self.deleted.add(message)
                self.note("mail trashes", message, folder, uid)

    def expunge(self) -> None:
        if (picked := self.pick()) is not None:
            message, folder, uid = picked
            self.there.mail.expunge(uid, self.there.path(folder))
            self.deleted.add(message)
            self.note("mail expunges", message, folder, uid)

    def check(self) -> None:
        """After quiet: agreement, no loss, one live copy where there is one folder for it."""
        for _ in range(6):
            self.there.clock.forward(120)
            report = self.there.resync(accept_deletes=True)
            if report.ok and not report.actions and not report.held:
                break
        assert report.ok, report.errors
        assert report.actions == (), report.actions
        copies = self.there.copies()
        for message in self.there.box.messages():
            there = copies.get(token_of(message.id), [])
            live = [one for one in there if self.there.path(one.folder) != "Trash"]
            if message.deleted:
                assert live == [], message
                assert message.id in self.deleted, f"nobody deleted {message}"
            else:
                assert live, message
                seen = {"\\Seen" in one.flags for one in live}
                assert seen == {message.heard}, message


@pytest.mark.parametrize("seed", range(4))
def test_after_any_mixture_both_sides_agree_and_nothing_is_lost(there: World, seed: int):
    chaos = Chaos(there, seed)
    chaos.run()
    try:
        chaos.check()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(chaos.trace)) from error
