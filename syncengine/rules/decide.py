"""The table: what one message's base, local and remote state ask for. Pure, and only here.

``docs/rules.md`` prints this function over every combination; a test keeps the two the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from syncengine.model import RemoteState, State
from syncengine.rules.compare import Trash, local_value


class Step(StrEnum):
    """What is to be done about one message."""

    NOTHING = "nothing"
    SETTLE = "base moves"
    WAIT = "waits until it is sighted"
    CANCEL = "sending is cancelled"
    REMOTE_HEARD = "set \\Seen"
    REMOTE_NEW = "clear \\Seen"
    REMOTE_DELETE = "delete in the account"
    REMOTE_RESTORE = "move back from Trash"
    PUT_BACK = "put back by APPEND or a new sending"
    LOCAL_HEARD = "mark heard at the phone"
    LOCAL_NEW = "mark new at the phone"
    LOCAL_DELETE = "delete at the phone, undoable"
    LOCAL_RESTORE = "restore at the phone"
    DUPLICATE = "delete a late duplicate in the account"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Decision:
    """A step, and the base once it is confirmed (None: the base stays as it is)."""

    step: Step
    base: State | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the table needs to know beside the three states."""

    in_flight: bool = False
    """Handed over, or perhaps, and not yet sighted: a delete has to wait for it."""
    linked: bool = True
    """Live in scope, or not live at all; False = only outside the scope, where the phone touches nothing."""
    trash: Trash = Trash.NEVER
    deleted_by_phone: bool = False
    queued: bool = False
    """It waits to be handed over (again): nothing more is asked for until it was."""


NOTHING = Decision(Step.NOTHING)


def decide(base: State | None, local: State | None, remote: RemoteState, about: Circumstances) -> Decision:
    """Decide about one message. Delete wins; a change against an unchanged side travels.

    ``local`` None: the voice-mail store has no such message (or its content was given up).
    """
    match base:
        case None:
            return _without_base(local, remote, about)
        case State.NEW | State.HEARD:
            return _with_base(base, local, remote, about)
        case State.DELETED:
            return _after_delete(local, remote, about)


def _without_base(local: State | None, remote: RemoteState, about: Circumstances) -> Decision:
    match local, remote:
        case None, RemoteState.UNSEEN | RemoteState.SEEN:
            return Decision(Step.ADOPT, local_value(remote))
        case None, _:
            return NOTHING
        case State.DELETED, RemoteState.UNSEEN | RemoteState.SEEN:
            return _remote_delete(about)
        case State.DELETED, RemoteState.DELETED:
            return Decision(Step.SETTLE, State.DELETED)
        case State.DELETED, RemoteState.UNKNOWN:
            if about.trash is Trash.HERE:
                return Decision(Step.SETTLE, State.DELETED)
            return Decision(Step.WAIT) if about.in_flight else Decision(Step.CANCEL)
        case State.HEARD, RemoteState.UNSEEN:
            return Decision(Step.REMOTE_HEARD, State.HEARD)
        case State.NEW, RemoteState.SEEN:
            return Decision(Step.LOCAL_HEARD, State.HEARD)
        case (State.NEW, RemoteState.UNSEEN) | (State.HEARD, RemoteState.SEEN):
            return Decision(Step.SETTLE, local)
        case _:
            return NOTHING


def _with_base(base: State, local: State | None, remote: RemoteState, about: Circumstances) -> Decision:
    if local is None:
        return NOTHING
    if local is State.DELETED:
        match remote:
            case RemoteState.DELETED:
                return Decision(Step.SETTLE, State.DELETED)
            case RemoteState.UNKNOWN if about.trash is not Trash.HERE:
                return Decision(Step.WAIT)
            case RemoteState.UNKNOWN:
                return Decision(Step.SETTLE, State.DELETED)
            case RemoteState.UNSEEN | RemoteState.SEEN:
                return _remote_delete(about)
    if remote is RemoteState.DELETED:
        return Decision(Step.LOCAL_DELETE, State.DELETED)
    if remote is RemoteState.UNKNOWN:
        return NOTHING if local is base else Decision(Step.WAIT)
    shown = local_value(remote)
    if local is shown:
        return NOTHING if local is base else Decision(Step.SETTLE, local)
    if local is base:
        return Decision(Step.LOCAL_HEARD if shown is State.HEARD else Step.LOCAL_NEW, shown)
    return Decision(Step.REMOTE_HEARD if local is State.HEARD else Step.REMOTE_NEW, local)


def _after_delete(local: State | None, remote: RemoteState, about: Circumstances) -> Decision:
    live = remote in (RemoteState.UNSEEN, RemoteState.SEEN)
    if local is None or local is State.DELETED:
        if not live:
            return NOTHING
        if about.trash is Trash.HERE or (about.trash is Trash.NEVER and about.deleted_by_phone):
            return Decision(Step.DUPLICATE)
        return Decision(Step.LOCAL_RESTORE, local_value(remote)) if local is not None else NOTHING
    if not live:
        if about.trash is Trash.HERE:
            return Decision(Step.REMOTE_RESTORE, local)
        return Decision(Step.WAIT) if about.queued else Decision(Step.PUT_BACK, local)
    if local is local_value(remote):
        return Decision(Step.SETTLE, local)
    return Decision(Step.REMOTE_HEARD if local is State.HEARD else Step.REMOTE_NEW, local)


def _remote_delete(about: Circumstances) -> Decision:
    """A delete at the phone touches nothing outside the scope: there only the base moves."""
    return Decision(Step.REMOTE_DELETE if about.linked else Step.SETTLE, State.DELETED)
