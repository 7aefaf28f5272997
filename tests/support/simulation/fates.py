"""What was done to each message, where it is, and what must therefore hold after quiet."""

from __future__ import annotations

from dataclasses import dataclass

from syncengine.engine.status import Message


@dataclass
class Fate:
    """What was done to one message, as far as the checks need to know."""

    confirmed: bool = False
    """It was in step at the end of an earlier round."""
    deletable: bool = False
    """Somebody did what may delete it."""
    copies: int = 0
    disturbed: bool = False
    """Deleted, restored or copied in this round, by whomever: read marks made meanwhile may give way."""
    phone_deleted: bool = False
    trashed: bool = False
    restored: bool = False
    heard: bool | None = None
    """Last set at the phone in this round."""
    seen: bool | None = None
    """Last set in the mail in this round."""

    def next_round(self) -> None:
        """Forget what belongs to the round."""
        self.heard = self.seen = None
        self.disturbed = self.phone_deleted = self.trashed = self.restored = False


@dataclass(frozen=True)
class Seen:
    """One of our messages at one place of the account."""

    folder: str
    uid: int
    id: str
    flags: frozenset[str]


@dataclass(frozen=True)
class Places:
    """Where the account holds one message."""

    all: tuple[Seen, ...]
    live: tuple[Seen, ...]
    """Those in scope that are not marked deleted."""


def check_message(fate: Fate, message: Message | None, places: Places, *, sound: bool, what: str) -> None:
    """Both sides agree on one message, it is there once, no act is lost; ``what`` tells of the run."""
    alive = message is not None and not message.deleted
    if not fate.deletable:
        assert alive, f"lost at the phone\n{what}"
        assert sound, f"no sound\n{what}"
        assert places.all, f"lost in the account\n{what}"
    if alive and message is not None:
        for one in places.live:
            assert ("\\Seen" in one.flags) is message.heard, f"read marks differ\n{what}"
        if not fate.disturbed and not fate.copies:
            _marks_kept(fate, heard=message.heard, what=what)
    elif message is not None or not fate.restored:
        # Once the recording is given up, what is taken out of Trash stays a mail.
        assert not places.live, f"deleted at the phone, live in the account\n{what}"
    assert len(places.live) <= 1 + fate.copies, f"there twice\n{what}"
    deleted = fate.phone_deleted or (fate.trashed and fate.confirmed)
    if deleted and not fate.restored and not fate.copies:
        assert not alive, f"a delete is lost\n{what}"


def _marks_kept(fate: Fate, *, heard: bool, what: str) -> None:
    if fate.heard is not None and fate.seen is None:
        assert heard is fate.heard, f"the phone's mark is lost\n{what}"
    if fate.seen is not None and fate.heard is None:
        assert heard is fate.seen, f"the mail program's mark is lost\n{what}"
