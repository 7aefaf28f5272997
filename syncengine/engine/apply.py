"""Applying a plan: intent, effect, outcome. One message that fails stops no other.

Intents of a batch are recorded in one transaction before the batch goes out, its outcomes in one
after; the base moves only for what the other side's own answer confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from syncengine.engine.adopt import Adopter
from syncengine.errors import SyncError
from syncengine.index import Index
from syncengine.model import (
    FlagChange,
    Folder,
    Outcome,
    Place,
    Problem,
    ReportedAction,
    Side,
    State,
    Token,
    Verb,
    id_of,
)
from syncengine.replica import Account, VoiceStore
from syncengine.rules.guard import is_inferred
from syncengine.rules.plan import Action

Listener = Callable[[Action], None]

_SEEN = {Verb.MARK_HEARD: True, Verb.MARK_NEW: False}
_WANTED = {
    Verb.MARK_HEARD: State.HEARD,
    Verb.MARK_NEW: State.NEW,
    Verb.DELETE: State.DELETED,
}


@dataclass(slots=True)
class Applier:
    """Carries out actions on both sides and records what became of them."""

    index: Index
    account: int
    remote: Account
    store: VoiceStore
    adopter: Adopter
    trash: Folder | None
    home: Callable[[Token], str]
    """The folder a message came from, where a restore brings it back to."""
    mailbox: str
    clock: Callable[[], float]
    listener: Listener
    done: list[ReportedAction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def apply(self, actions: Sequence[Action]) -> None:
        """Apply in the plan's order, remote actions of one kind as one batch."""
        self._mark([a for a in actions if a.side is Side.REMOTE and a.verb in _SEEN])
        self._restore([a for a in actions if a.side is Side.REMOTE and a.verb is Verb.RESTORE])
        for action in actions:
            if action.side is Side.LOCAL:
                self._local(action)
            elif action.verb is Verb.APPEND:
                self._put_back(action)
        self._delete([a for a in actions if a.side is Side.REMOTE and a.verb is Verb.DELETE])

    # The account

    def _mark(self, actions: Sequence[Action]) -> None:
        if not actions:
            return
        changes = [
            FlagChange(a.token, copy.place, _SEEN[a.verb], copy.modseq) for a in actions for copy in a.copies
        ]
        intents = self._begin(actions)
        outcomes = self.remote.mark(changes)
        with self.index.database.write():
            self.index.views.record_stored(
                self.account, [(c.place, o) for c, o in zip(changes, outcomes, strict=True)], self.clock()
            )
            self._finish(actions, intents, outcomes)

    def _delete(self, actions: Sequence[Action]) -> None:
        if not actions:
            return
        targets = {copy.place: a.token for a in actions for copy in a.copies}
        intents = self._begin(actions)
        outcomes = self.remote.delete(targets, self.trash)
        with self.index.database.write():
            self._moved(list(targets), outcomes, self.trash)
            self._finish(actions, intents, outcomes)

    def _restore(self, actions: Sequence[Action]) -> None:
        by_folder: dict[str, list[Action]] = {}
        for action in actions:
            by_folder.setdefault(self.home(action.token), []).append(action)
        for folder, group in by_folder.items():
            targets = {copy.place: a.token for a in group for copy in a.copies}
            intents = self._begin(group)
            outcomes = self.remote.move(targets, folder)
            with self.index.database.write():
                self._moved(list(targets), outcomes, None)
                self._finish(group, intents, outcomes)

    def _moved(self, places: Sequence[Place], outcomes: Sequence[Outcome], to: Folder | None) -> None:
        """What left a place is never sighted there again; where it is now the server may have said."""
        self.index.views.record_removed(
            self.account, [p for p, o in zip(places, outcomes, strict=True) if o.done], self.clock()
        )
        for place, outcome in zip(places, outcomes, strict=True):
            if outcome.done and outcome.place is not None:
                seen = self.index.views.was_seen(self.account, place)
                self.index.views.record_placed(self.account, outcome.token, outcome.place, seen=seen)
        if to is not None:
            self.index.pairs.note_trashed(self.account, [o.token for o in outcomes if o.done])

    def _put_back(self, action: Action) -> None:
        """It is gone there: hand it over again, under a new Message-ID."""
        self.index.queue.again(self.mailbox, action.token, self.clock(), resend=True)

    def _begin(self, actions: Sequence[Action]) -> list[int]:
        with self.index.database.write():
            return [
                self.index.pairs.open_intent(
                    self.account,
                    a.token,
                    a.side,
                    a.verb,
                    self.clock(),
                    {
                        "base": a.base,
                        "places": [[c.place.folder, c.place.uidvalidity, c.place.uid] for c in a.copies],
                    },
                )
                for a in actions
            ]

    def _finish(self, actions: Sequence[Action], intents: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """The base moves where every copy was confirmed."""
        by_token: dict[Token, list[Outcome]] = {}
        for outcome in outcomes:
            by_token.setdefault(outcome.token, []).append(outcome)
        for action, intent in zip(actions, intents, strict=True):
            results = by_token.get(action.token, [])
            errors = [o.error for o in results if o.error]
            confirmed = bool(results) and all(o.done for o in results)
            if confirmed:
                self._confirmed(action)
            for error in errors:
                self._failed(action, error, settled=confirmed)
            self.index.pairs.close_intents(
                [intent], "done" if confirmed else errors[0] if errors else "unconfirmed", self.clock()
            )

    # The voice-mail store

    def _local(self, action: Action) -> None:
        intents = self._begin([action])
        try:
            applied = self._local_effect(action)
        except SyncError as error:
            self._failed(action, str(error))
            self.index.pairs.close_intents(intents, str(error), self.clock())
            return
        with self.index.database.write():
            if applied:
                self._confirmed(action)
                if is_inferred(action):
                    self.index.passes.record_inferred(self.account, action.token, self.clock())
            self.index.pairs.close_intents(intents, "done" if applied else "moved on", self.clock())

    def _local_effect(self, action: Action) -> bool:
        """Compare-and-set on the observed state; a mismatch drops the action for the next pass."""
        if action.verb is Verb.ADOPT:
            return self.adopter.adopt(action)
        if action.local is None:
            return False
        wanted = action.base if action.verb is Verb.RESTORE else _WANTED[action.verb]
        return self.store.change(action.local, wanted or State.NEW)

    def _confirmed(self, action: Action) -> None:
        if action.base is not None:
            phone = action.side is Side.REMOTE and action.base is State.DELETED
            self.index.pairs.settle(self.account, action.token, action.base, self.clock(), by_phone=phone)
        self.done.append(ReportedAction(action.side, action.verb, id_of(action.token)))
        self.listener(action)

    def _failed(self, action: Action, error: str, *, settled: bool = False) -> None:
        self.index.pairs.set_error(self.account, action.token, error)
        self.problems.append(Problem(f"message {id_of(action.token)}", error, settled))


def planned(actions: Iterable[Action]) -> tuple[ReportedAction, ...]:
    """A plan as a report shows it."""
    return tuple(ReportedAction(a.side, a.verb, id_of(a.token)) for a in actions)
