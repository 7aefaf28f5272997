"""What the account shows of one message, from its sightings. Pure.

A voice message may be the only copy of what somebody said: absence alone is never a delete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from syncengine.model import Evidence, RemoteState, Role, Sighting, State, Token


class Trash(StrEnum):
    """What is known of a message's copy in Trash."""

    HERE = "here"
    LEFT = "left"
    """It was there once and is no more."""
    NEVER = "never"


class Where(StrEnum):
    """Where the account holds the message, the strongest place first."""

    IN_SCOPE = "in scope"
    OUT_OF_SCOPE = "out of scope"
    JUNK = "junk"
    TRASH = "trash"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Memory:
    """What the index remembers of one token in one account, apart from its sightings."""

    token: Token
    base: State | None = None
    """What both sides last agreed on; None before anything was handed over."""
    in_flight: bool = False
    """Handed over, or perhaps handed over, and not yet sighted."""
    sighted: bool = False
    """It was live in the account at least once."""
    linked: bool = True
    """False once it was found live only outside the scope; its disappearance there is no evidence."""
    absent: bool = False
    """A sound look that followed its disappearance did not find it."""
    trashed: bool = False
    """A copy was sighted in Trash since the message was last agreed to be there."""
    spare: bool = False
    """A copy lay in Trash while another was live: only in Trash is then no act before a sound look."""
    deleted_by_phone: bool = False
    """The delete in the base was the phone's."""
    queued: bool = False
    """It waits to be handed over (again)."""
    refused: bool = False
    """It carries a token of ours that could not be adopted; said once."""
    home: str = ""
    """The folder in scope where it was live last."""
    expired: bool = False
    """What is pending for it is not expected any more."""
    local: State | None = None
    """What the voice-mail store showed last; DELETED too when a proven listing did not show it any more."""


@dataclass(frozen=True, slots=True)
class RemoteView:
    """The account's side of one message as the rules see it."""

    state: RemoteState
    where: Where
    trash: Trash
    evidence: Evidence | None = None
    missing: bool = False
    """Its live sighting is gone and no sound look has been made since."""
    copies: tuple[Sighting, ...] = ()
    """The live copies whose flags count."""
    doomed: tuple[Sighting, ...] = ()
    """Every copy in scope, those that carry ``\\Deleted`` too: what a remote delete has to remove."""
    in_trash: tuple[Sighting, ...] = ()

    @property
    def folder(self) -> str | None:
        """The folder it was sighted in, the most telling one first."""
        for group in (self.copies, self.doomed, self.in_trash):
            if group:
                return group[0].place.folder
        return None


def remote_view(memory: Memory, sightings: Iterable[Sighting]) -> RemoteView:
    """Derive the account's side of a message from where it is sighted now.

    Sent and Drafts copies are no sightings. ``\\All`` keeps a message alive only where no other live
    place is left and it is not in Trash. A copy outside the scope never counts as deleted.
    """
    by_role: dict[Role, list[Sighting]] = {role: [] for role in Role}
    for sighting in sorted(sightings, key=lambda s: (s.place.folder, s.place.uid)):
        by_role[sighting.role].append(sighting)
    inside = tuple(by_role[Role.LIVE])
    in_trash = tuple(by_role[Role.TRASH])
    trash = Trash.HERE if in_trash else Trash.LEFT if memory.trashed else Trash.NEVER
    live = tuple(s for s in inside if not s.deleted)
    if live:
        outside = tuple(s for s in by_role[Role.OUTSIDE] if not s.deleted)
        copies = live + outside
        return RemoteView(_flag(memory, copies), Where.IN_SCOPE, trash, None, False, copies, inside, in_trash)
    aside = _aside(by_role, in_trash)
    if aside and (memory.base is not State.DELETED or _is_back(memory, aside, trash)):
        where = Where.JUNK if aside[0].role is Role.JUNK else Where.OUT_OF_SCOPE
        counted = () if where is Where.JUNK else aside
        state = _flag(memory, counted)
        return RemoteView(state, where, trash, None, False, counted, inside, in_trash)
    return _not_live(memory, inside, in_trash, trash)


def _is_back(memory: Memory, aside: tuple[Sighting, ...], trash: Trash) -> bool:
    """Whether a copy beside the scope is a deleted message come back, by the phone or out of Trash.

    A copy with a base of its own lay there before the delete, which touched nothing outside the scope.
    """
    if memory.local in (State.NEW, State.HEARD):
        return trash is not Trash.HERE
    return trash is Trash.LEFT and aside[0].role is not Role.JUNK and all(s.base_seen is None for s in aside)


def _aside(by_role: dict[Role, list[Sighting]], in_trash: tuple[Sighting, ...]) -> tuple[Sighting, ...]:
    if by_role[Role.OUTSIDE]:
        return tuple(by_role[Role.OUTSIDE])
    if by_role[Role.JUNK]:
        return tuple(by_role[Role.JUNK])
    return tuple(by_role[Role.ALL]) if not in_trash and not by_role[Role.LIVE] else ()


def _not_live(
    memory: Memory, inside: tuple[Sighting, ...], in_trash: tuple[Sighting, ...], trash: Trash
) -> RemoteView:
    where = Where.IN_SCOPE if inside else Where.TRASH if in_trash else Where.NOWHERE
    sure = not memory.spare or memory.base is State.DELETED or (memory.absent and memory.linked)
    if in_trash and not inside and not sure:
        return RemoteView(RemoteState.UNKNOWN, where, trash, missing=memory.linked, in_trash=in_trash)
    act = bool(inside) or (
        bool(in_trash) and (memory.sighted or memory.base is State.DELETED or any(s.seen for s in in_trash))
    )
    if act:
        return RemoteView(RemoteState.DELETED, where, trash, Evidence.ACT, doomed=inside, in_trash=in_trash)
    if in_trash:
        return RemoteView(RemoteState.UNKNOWN, where, trash, in_trash=in_trash)
    if memory.base is State.DELETED:
        return RemoteView(RemoteState.DELETED, where, trash)
    if memory.sighted and memory.linked and memory.absent:
        return RemoteView(RemoteState.DELETED, where, trash, Evidence.INFERRED)
    return RemoteView(RemoteState.UNKNOWN, where, trash, missing=memory.sighted and memory.linked)


def _flag(memory: Memory, copies: tuple[Sighting, ...]) -> RemoteState:
    """A change on any copy counts, measured against what was agreed for that copy."""
    if memory.base not in (State.NEW, State.HEARD):
        seen = any(s.seen for s in copies) if copies else memory.local is State.HEARD
        return RemoteState.SEEN if seen else RemoteState.UNSEEN
    base_seen = memory.base is State.HEARD
    changed = any(
        s.base_seen is not None and s.seen != s.base_seen and s.seen != base_seen and not s.doubtful
        for s in copies
    )
    return RemoteState.SEEN if base_seen != changed else RemoteState.UNSEEN


def local_value(remote: RemoteState) -> State:
    """The local value that says the same as a remote flag; UNKNOWN has none and is refused."""
    match remote:
        case RemoteState.UNSEEN:
            return State.NEW
        case RemoteState.SEEN:
            return State.HEARD
        case RemoteState.DELETED:
            return State.DELETED
        case RemoteState.UNKNOWN:
            raise ValueError("what is unknown has no value")
