"""The sound look of a pass: for what disappeared, what is overdue, and what is about to be given up.

A content is given up only after a look in the same pass; what is live then is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from syncengine.engine.binding import Binding
from syncengine.engine.cases import cases, to_look_for, views
from syncengine.engine.events import Event, Unconfirmed
from syncengine.engine.observe import Observer
from syncengine.index import Index, QueueState
from syncengine.model import LocalListing, LocalMessage, State, Token, id_of
from syncengine.rules.compare import RemoteView, Where

RARELY = 3600.0
"""Seconds between two looks for what is unconfirmed: each reads and searches every folder there is."""


@dataclass(frozen=True, slots=True)
class Looking:
    """Decides whether a pass has to look, and draws the conclusions of a sound look."""

    binding: Binding
    index: Index
    account: int
    observer: Observer
    emit: Callable[[Event], None]

    def look(self, listing: LocalListing, *, full: bool, purge: bool = True) -> bool:
        """Look where there is a reason to; whether a sound look was made. Nothing is concluded from another.

        Without ``purge`` no content is given up: a preview's look touches nothing but its own index.
        """
        of = cases(self.index, self.account, listing.messages, self.binding.clock())
        missing = set(to_look_for(of)) | {h.token for h in self.index.passes.held(self.account)}
        overdue = self._overdue()
        if full:
            overdue |= {case.memory.token for case in of if case.memory.in_flight}
        due = self._to_purge(listing)
        wanted = missing | overdue | {message.token for message in due}
        if not wanted or not self.observer.look(wanted):
            return False
        self._looked(overdue)
        found = self._views(listing)
        nowhere = {t for t, view in found.items() if view.where in (Where.NOWHERE, Where.TRASH)}
        self.index.pairs.set_absent(self.account, nowhere & missing)
        self._expire(overdue & self._past_deadline().keys())
        for message in due if purge else ():
            if not found[message.token].copies:
                self.binding.store.purge(message)
        return True

    def _views(self, listing: LocalListing) -> dict[Token, RemoteView]:
        return views(cases(self.index, self.account, listing.messages, self.binding.clock()))

    def _overdue(self) -> set[Token]:
        """What is past its deadline; where all of it was looked for after that already, only now and then."""
        past = self._past_deadline()
        if all(past.values()) and past:
            last = float(self.index.passes.meta(self._mark) or "-inf")
            if 0 <= self.binding.clock() - last < RARELY:
                return set()
        return set(past)

    def _past_deadline(self) -> dict[Token, bool]:
        """What is pending for longer than expected, and whether that was found and said already."""
        now = self.binding.clock()
        pending = self.index.pairs.pending(self.account)
        return {p.token: p.expired for p in pending if p.deadline is not None and now >= p.deadline}

    @property
    def _mark(self) -> str:
        return f"looked for what is unconfirmed {self.account}"

    def _looked(self, overdue: Collection[Token]) -> None:
        if overdue:
            self.index.passes.set_meta(self._mark, str(self.binding.clock()))

    def _expire(self, tokens: set[Token]) -> None:
        """The deadline passed and a complete look after it is over: said once, never dropped."""
        for pending in self.index.pairs.pending(self.account):
            if pending.token in tokens and not pending.expired:
                self.emit(Unconfirmed(self.binding.number, id_of(pending.token), pending.what))
        self.index.pairs.expire(self.account, tokens)
        for token in tokens:
            self.index.queue.move(
                self.binding.number, [QueueState.IN_DOUBT], QueueState.DUE, self.binding.clock(), token
            )

    def _to_purge(self, listing: LocalListing) -> list[LocalMessage]:
        now = self.binding.clock()
        return [
            m
            for m in listing.messages
            if m.state is State.DELETED
            and m.content
            and m.deleted_at is not None
            and now - m.deleted_at.timestamp() >= self.binding.mailbox.sync.undo_window
        ]
