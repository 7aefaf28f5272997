"""Settling what a crash left open: every intent without an outcome is found to have happened, or not.

What a move of two halves (COPY, then expunge: servers without MOVE) left in both places is finished, never
begun again; a message that is not found is handed over again only after a complete look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncengine.engine.binding import Binding
from syncengine.engine.handover import settle_arrivals
from syncengine.engine.observe import Observer
from syncengine.index import Index, Intent, QueueState
from syncengine.model import Place, Role, Side, Sighting, State, Token, Verb
from syncengine.replica import Account

_MOVES = (Verb.DELETE, Verb.RESTORE, Verb.MOVE)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Recovers one mailbox at the beginning of a pass, after the account was observed."""

    binding: Binding
    index: Index
    account: int
    remote: Account
    observer: Observer

    def recover(self) -> None:
        """Settle every open intent."""
        intents = self.index.pairs.open_intents(self.account)
        self._finish_moves([i for i in intents if i.side is Side.REMOTE and i.verb in _MOVES])
        now = self.binding.clock()
        with self.index.database.write():
            for intent in intents:
                outcome = self._appended(intent) if intent.verb is Verb.APPEND else "found"
                if outcome is not None:
                    self.index.pairs.close_intents([intent.id], outcome, now)
            settle_arrivals(self.index, self.account, self.binding.number, now)

    def _appended(self, intent: Intent) -> str | None:
        """What became of an APPEND; None while that cannot be said."""
        memory = self.index.pairs.memories(self.account).get(intent.token)
        if memory is not None and memory.sighted:
            return "found"
        if not self.observer.complete:
            return None
        before = intent.detail.get("before")
        self.index.pairs.taken_back(self.account, intent.token, State(before) if before else None)
        self.index.queue.move(
            self.binding.number, [QueueState.IN_DOUBT], QueueState.DUE, self.binding.clock(), intent.token
        )
        return "not there"

    def _finish_moves(self, intents: Sequence[Intent]) -> None:
        """Remove what a message was copied from: its copy is where it was to go."""
        if not intents:
            return
        sightings = self.index.views.sightings(self.account, self.binding.clock())
        left: dict[Place, Token] = {}
        for intent in intents:
            copies = sightings.get(intent.token, [])
            begun = {(p[0], p[1], p[2]) for p in intent.detail.get("places", ())}
            old = [s.place for s in copies if _key(s.place) in begun]
            if any(_arrived(s, intent.verb) for s in copies if _key(s.place) not in begun):
                left |= dict.fromkeys(old, intent.token)
        outcomes = self.remote.delete(left, None) if left else ()
        gone = [place for place, outcome in zip(left, outcomes, strict=True) if outcome.done]
        self.index.views.record_removed(self.account, gone, self.binding.clock())


def _key(place: Place) -> tuple[str, int, int]:
    return place.folder, place.uidvalidity, place.uid


def _arrived(sighting: Sighting, verb: Verb) -> bool:
    return sighting.role is (Role.TRASH if verb is Verb.DELETE else Role.LIVE)
