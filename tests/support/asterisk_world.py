"""A spool with one mailbox, a store over it, and the words in which the tests speak of both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from syncengine.model import Kind, LocalMessage, State, token_of
from syncengine.voicemail.asterisk import AsteriskStore, How
from tests.support.asterisk import FakeAsterisk, serial_in

SECRET = b"k" * 32


class World:
    """A spool with one mailbox and a store over it."""

    def __init__(self, folder: Path, **how: object) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.box = self.spool / "default" / "101"
        self.asterisk = FakeAsterisk(self.box)
        self.how = How(**{"settle": 0.01, "lock_timeout": 0.2, "patience": 0.15, **how})  # type: ignore[arg-type]
        (self.box / "INBOX").mkdir(parents=True)

    def store(self, state: str = "state") -> AsteriskStore:
        store = AsteriskStore(self.spool, self.folder / state, SECRET, how=self.how)
        store.prepare()
        return store

    def files(self, folder: str) -> list[str]:
        return sorted(p.name for p in (self.box / folder).glob("*")) if (self.box / folder).is_dir() else []

    def serials(self, folder: str) -> list[int]:
        return [serial_in(p.read_bytes()) for p in sorted((self.box / folder).glob("msg*.txt"))]


def states(store: AsteriskStore) -> dict[str, State]:
    listing = store.listing("101")
    assert listing.proven
    return {m.caller_number[-3:].lstrip("0"): m.state for m in listing.messages}


def one(store: AsteriskStore, serial: int = 1) -> LocalMessage:
    listing = store.listing("101")
    assert listing.proven
    return next(m for m in listing.messages if m.caller_number == str(2035550000 + serial))


def sent(state: State = State.NEW, **more: object) -> LocalMessage:
    token = token_of("ab" * 16)
    received = datetime(2026, 11, 23, 15, 15, tzinfo=UTC)
    return LocalMessage(
        ref="ab" * 16,
        token=token,
        mailbox="101",
        kind=Kind.VOICE,
        state=state,
        received=received,
        caller_number="+12035550117",
        caller_name='Peter "P." Adams; Esq.',
        **more,  # type: ignore[arg-type]
    )
