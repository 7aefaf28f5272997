"""The phone and the second client: everything they may do, each act drawn from the step's own seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from syncengine.engine.engine import Engine
from syncengine.engine.status import Message
from tests.support.simimap import PROFILES, SimAccount
from tests.support.simimap.grammar import No
from tests.support.simulation.fates import Fate, Seen
from tests.support.world import RECEIVED, wav

T = TypeVar("T")
NUMBER = "101"
TOKEN = re.compile(rb"(?im)^x-vm-message-uuid: *vm-([0-9a-f]{32})-z")
FOLDERS = ("Work", "Family", "Out")
"""What the second client makes; ``Out`` is not subscribed."""


class People:
    """Those who act on both sides of an engine."""

    engine: Engine
    account: SimAccount

    def __init__(self, seed: int, profile: str) -> None:
        self.profile = profile
        self.rng = random.Random(f"{seed} {profile}")
        self.fates: dict[str, Fate] = {}

    @property
    def deeds(self) -> list[tuple[int, Callable[[], None]]]:
        """What they do, each with its weight."""
        return [
            (4, self.phone_takes_a_message),
            (4, self.phone_marks),
            (2, self.phone_deletes),
            (2, self.phone_restores),
            (5, self.mail_marks),
            (3, self.mail_moves),
            (2, self.mail_trashes),
            (1, self.mail_untrashes),
            (1, self.mail_expunges),
            (1, self.mail_flags_deleted),
            (1, self.mail_copies),
            (1, self.mail_replies),
            (1, self.mail_makes_a_folder),
            (1, self.mail_renames_a_folder),
            (1, self.mail_removes_a_folder),
            (1, self.mail_renumbers_a_folder),
        ]

    # the phone; whoever is interrupted does not know what came of it

    def phone_takes_a_message(self) -> None:
        taken = self.engine.mailbox(NUMBER).deliver(wav(80), caller_number="+12035550117", received=RECEIVED)
        self.fates[taken.id] = Fate()

    def phone_marks(self) -> None:
        message = self._one([m for m in self._messages() if not m.deleted])
        if message:
            box, heard = self.engine.mailbox(NUMBER), self.rng.random() < 0.6
            fate = self.fates[message.id]
            before, fate.disturbed = fate.disturbed, True
            (box.mark_heard if heard else box.mark_new)(message.id)
            fate.disturbed = before
            if message.heard is not heard:
                fate.heard = heard

    def phone_deletes(self) -> None:
        message = self._one([m for m in self._messages() if not m.deleted])
        if message:
            fate = self.fates[message.id]
            fate.deletable = fate.disturbed = True
            self.engine.mailbox(NUMBER).delete(message.id)
            fate.phone_deleted = True

    def phone_restores(self) -> None:
        message = self._one([m for m in self._messages() if m.deleted])
        if message:
            fate = self.fates[message.id]
            fate.disturbed = fate.restored = True
            self.engine.mailbox(NUMBER).restore(message.id)

    # the second client

    def mail_marks(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        if one:
            seen = self.rng.random() < 0.6
            if ("\\Seen" in one.flags) is not seen and not self.fates[one.id].copies:
                self.fates[one.id].seen = seen
            (self.account.flag if seen else self.account.unflag)(one.folder, one.uid, "\\Seen")

    def mail_moves(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        names = [n for n in self.account.folders if n != (one and one.folder) and not self._special(n)]
        if one and names:
            self.account.move(one.folder, one.uid, self.rng.choice(names))

    def mail_trashes(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        if one:
            fate = self.fates[one.id]
            fate.deletable = fate.disturbed = fate.trashed = True
            self.account.trash(one.folder, one.uid)

    def mail_untrashes(self) -> None:
        one = self._one([s for s in self.sightings() if self._special(s.folder)])
        if one and "sent" not in one.folder.lower() and "all" not in one.folder.lower():
            fate = self.fates[one.id]
            fate.disturbed = fate.restored = True
            self.account.move(one.folder, one.uid, "INBOX")

    def mail_expunges(self) -> None:
        one = self._one(self.sightings())
        if one:
            self._may_go(one)
            self.account.expunge(one.folder, [one.uid])

    def mail_flags_deleted(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        if one:
            self._may_go(one)
            self.account.flag(one.folder, one.uid, "\\Deleted")

    def mail_copies(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        if one:
            fate = self.fates[one.id]
            fate.copies += 1
            fate.disturbed = True
            self.account.copy(one.folder, one.uid, "INBOX")

    def mail_replies(self) -> None:
        one = self._one(self.sightings())
        token = f"vm-{one.id}-z" if one else "nothing"
        self.account.add(
            "INBOX",
            f"From: x@example.org\r\nSubject: Re: {token}\r\nIn-Reply-To: <{token}@pbx.example.com>\r\n"
            f"References: <{token}@thread.pbx.example.com>\r\n\r\n> Ref: {token}\r\n".encode(),
        )

    def mail_makes_a_folder(self) -> None:
        name = self.rng.choice(FOLDERS)
        with suppress(No):
            self.account.create(self._name(name), subscribe=name != "Out")

    def mail_renames_a_folder(self) -> None:
        old, new = (self._name(name) for name in self.rng.sample(FOLDERS, 2))
        with suppress(No):
            self.account.rename(old, new)

    def mail_removes_a_folder(self) -> None:
        name = self._name(self.rng.choice(FOLDERS))
        for one in self.sightings():
            if one.folder == name:
                self._may_go(one)
        with suppress(No):
            if self.rng.random() < 0.5:
                self.account.delete_folder(name)
            else:
                self.account.recreate(name, same_uidvalidity=self.rng.random() < 0.3)

    def mail_renumbers_a_folder(self) -> None:
        names = [name for name in self.account.folders if not self._special(name)]
        self.account.renumber(self.rng.choice(names))

    # what is there

    def sightings(self) -> list[Seen]:
        """Our messages in the account, wherever they are."""
        found = []
        for name, folder in sorted(self.account.folders.items()):
            for uid, entry in folder.entries.items():
                token = TOKEN.search(entry.mail.raw)
                if token:
                    found.append(Seen(name, uid, token[1].decode(), entry.flags))
        return found

    def is_live(self, one: Seen) -> bool:
        """Whether a place is in scope and the message not marked deleted there."""
        inside = one.folder == "INBOX" or one.folder in self.account.subscribed
        return inside and not self._special(one.folder) and "\\Deleted" not in one.flags

    def _may_go(self, one: Seen) -> None:
        fate = self.fates[one.id]
        fate.deletable = fate.disturbed = True
        # Emptied from Trash before anybody looked there: what is left of the act is a disappearance.
        fate.trashed = False

    def _special(self, name: str) -> bool:
        profile = PROFILES[self.profile]
        leaf = name.removeprefix(profile.prefix).removeprefix("[Gmail]/")
        return leaf.split(" ")[0] in ("Trash", "Sent", "Drafts", "Junk", "Spam", "All", "Deleted")

    def _name(self, leaf: str) -> str:
        return PROFILES[self.profile].prefix + leaf

    def _one(self, items: Sequence[T]) -> T | None:
        return self.rng.choice(items) if items else None

    def _messages(self) -> tuple[Message, ...]:
        return self.engine.mailbox(NUMBER).messages()
