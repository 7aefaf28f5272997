"""Both sides' states of every message -> ordered actions. Pure: a plan is a value.

An action says what is to be done to which copies, and what the base becomes once it is confirmed.
Actions on different messages never depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from syncengine.model import (
    Evidence,
    LocalMessage,
    RemoteState,
    Role,
    Side,
    Sighting,
    State,
    Token,
    Verb,
)
from syncengine.rules.compare import Memory, RemoteView, Where, remote_view
from syncengine.rules.decide import Circumstances, Decision, Step, decide


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known of one message: the index's memory, the store's message, the sightings."""

    memory: Memory
    local: LocalMessage | None
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to be done to one message on one side."""

    side: Side
    verb: Verb
    token: Token
    base: State | None = None
    """The base once this is confirmed; None leaves it."""
    local: LocalMessage | None = None
    """The store's message as observed; local effects are compare-and-set on it."""
    copies: tuple[Sighting, ...] = ()
    """The copies in the account this is about."""
    evidence: Evidence | None = None
    """Why a local delete is planned."""
    seen: bool | None = None
    """Adopting: whether the account shows it as read."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing to do but to let the base move: both sides already agree."""

    token: Token
    base: State


@dataclass(frozen=True, slots=True)
class Plan:
    """What one pass is going to do: actions, base moves without effect, and what has to wait."""

    actions: tuple[Action, ...] = ()
    settled: tuple[Settled, ...] = ()
    waiting: tuple[Token, ...] = ()
    cancelled: tuple[Token, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do and nothing to record."""
        return not (self.actions or self.settled or self.cancelled)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator asked for beyond the table; both count as inferred deletes."""

    erase_out_of_scope: bool = False
    """``out_of_scope = "erase"``: filed outside the scope is deleted, as the manual's successor does."""
    erase_expired: bool = False
    """``pending_expiry = "erase"``: sent and never sighted is deleted when its time is over."""


def plan(cases: Iterable[Case], policy: Policy = Policy()) -> Plan:
    """Plan every message by the table (``decide``); order: marks, restores, local changes, deletes."""
    actions: list[Action] = []
    settled: list[Settled] = []
    waiting: list[Token] = []
    cancelled: list[Token] = []
    for case in cases:
        view = remote_view(case.memory, case.sightings)
        if _erased(case, view, policy):
            actions.append(_erase(case))
            continue
        decision = decide(
            case.memory.base,
            _local_state(case),
            view.state,
            circumstances(case.memory, view),
        )
        token = case.memory.token
        match decision.step:
            case Step.SETTLE:
                settled.append(Settled(token, decision.base or State.NEW))
            case Step.WAIT:
                waiting.append(token)
            case Step.CANCEL:
                cancelled.append(token)
            case _:
                acts = tuple(_actions(case, view, decision))
                if not acts and decision.step not in (Step.NOTHING, Step.ADOPT):
                    waiting.append(token)
                actions.extend(acts)
        actions.extend(_align(case, view, decision))
    return Plan(tuple(sorted(actions, key=_rank)), tuple(settled), tuple(waiting), tuple(cancelled))


def _erased(case: Case, view: RemoteView, policy: Policy) -> bool:
    """Whether the policy deletes a message. What left the scope by configuration stays where it was live."""
    memory = case.memory
    if case.local is None or case.local.state is not memory.base or memory.base is State.DELETED:
        return False
    if policy.erase_expired and memory.in_flight and memory.expired:
        return True
    return (
        policy.erase_out_of_scope
        and view.where is Where.OUT_OF_SCOPE
        and bool(memory.home)
        and all(s.role is Role.OUTSIDE and s.place.folder != memory.home for s in view.copies)
    )


def _erase(case: Case) -> Action:
    return Action(
        Side.LOCAL,
        Verb.DELETE,
        case.memory.token,
        State.DELETED,
        case.local,
        evidence=Evidence.INFERRED,
    )


def _local_state(case: Case) -> State | None:
    """A message whose content was given up is only a tombstone: it counts until its delete is agreed."""
    if case.local is None or (not case.local.content and case.memory.base is State.DELETED):
        return None
    return case.local.state


def circumstances(memory: Memory, view: RemoteView) -> Circumstances:
    """What the table asks for beside the three states, from memory and view."""
    return Circumstances(
        in_flight=memory.in_flight,
        linked=view.where not in (Where.OUT_OF_SCOPE, Where.JUNK),
        trash=view.trash,
        deleted_by_phone=memory.deleted_by_phone,
        queued=memory.queued,
    )


_ORDER = (Verb.MARK_HEARD, Verb.MARK_NEW, Verb.RESTORE, Verb.ADOPT, Verb.APPEND, Verb.MOVE, Verb.DELETE)


def _rank(action: Action) -> tuple[int, int]:
    """Local deletes last: everything that keeps something comes before what takes something."""
    return (_ORDER.index(action.verb), 0 if action.side is Side.REMOTE else 1)


_LOCAL = {
    Step.LOCAL_HEARD: Verb.MARK_HEARD,
    Step.LOCAL_NEW: Verb.MARK_NEW,
    Step.LOCAL_DELETE: Verb.DELETE,
    Step.LOCAL_RESTORE: Verb.RESTORE,
}


def _actions(case: Case, view: RemoteView, decision: Decision) -> Iterable[Action]:
    token, base, local = case.memory.token, decision.base, case.local
    match decision.step:
        case Step.LOCAL_HEARD | Step.LOCAL_NEW | Step.LOCAL_DELETE | Step.LOCAL_RESTORE:
            yield Action(Side.LOCAL, _LOCAL[decision.step], token, base, local, view.copies, view.evidence)
        case Step.REMOTE_HEARD | Step.REMOTE_NEW:
            wanted = decision.step is Step.REMOTE_HEARD
            verb = Verb.MARK_HEARD if wanted else Verb.MARK_NEW
            copies = tuple(s for s in view.copies if s.seen != wanted)
            if copies:
                yield Action(Side.REMOTE, verb, token, base, local, copies)
        case Step.REMOTE_DELETE | Step.DUPLICATE:
            if view.doomed:
                yield Action(Side.REMOTE, Verb.DELETE, token, base, local, view.doomed)
        case Step.REMOTE_RESTORE:
            yield Action(Side.REMOTE, Verb.RESTORE, token, base, local, view.in_trash[:1])
        case Step.PUT_BACK:
            yield Action(Side.REMOTE, Verb.APPEND, token, base, local)
        case Step.ADOPT if view.where is Where.IN_SCOPE and not case.memory.refused:
            seen = view.state is RemoteState.SEEN
            yield Action(Side.LOCAL, Verb.ADOPT, token, base, None, view.copies[:1], seen=seen)
        case _:
            return


def _align(case: Case, view: RemoteView, decision: Decision) -> Iterable[Action]:
    """Bring further copies to the message's state, and reduce equal ones in a folder to the lowest UID."""
    if case.local is None or view.where not in (Where.IN_SCOPE, Where.OUT_OF_SCOPE):
        return
    final = decision.base or case.memory.base
    marked = decision.step in (Step.REMOTE_HEARD, Step.REMOTE_NEW)
    if final in (State.NEW, State.HEARD) and not marked:
        wanted = final is State.HEARD
        odd = tuple(s for s in view.copies if s.seen != wanted and not s.doubtful)
        if odd and decision.step is not Step.LOCAL_DELETE:
            yield Action(
                Side.REMOTE,
                Verb.MARK_HEARD if wanted else Verb.MARK_NEW,
                case.memory.token,
                None,
                case.local,
                odd,
            )
    if final in (State.NEW, State.HEARD):
        extra = _further_copies(view.copies)
        if extra:
            yield Action(Side.REMOTE, Verb.DELETE, case.memory.token, None, case.local, extra)


def _further_copies(copies: Sequence[Sighting]) -> tuple[Sighting, ...]:
    kept: set[tuple[str, str]] = set()
    extra = []
    for copy in sorted((c for c in copies if c.role is Role.LIVE), key=lambda c: c.place.uid):
        key = (copy.place.folder, copy.message_id)
        if key in kept and copy.message_id:
            extra.append(copy)
        kept.add(key)
    return tuple(extra)
