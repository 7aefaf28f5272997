"""The stored view of one mailbox put together for the rules, and what is pending in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from syncengine.index import Index, Notice, QueueState
from syncengine.model import Kind, LocalMessage, Role, Side, State, Token, Verb
from syncengine.rules.compare import Memory, RemoteView, Where, remote_view
from syncengine.rules.plan import Action, Case, Plan

INBOX = "INBOX"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_WAITING = (QueueState.DUE, QueueState.CLAIMED, QueueState.IN_DOUBT, QueueState.BLOCKED)


def cases(index: Index, account: int, local: Iterable[LocalMessage], now: float) -> tuple[Case, ...]:
    """Every message that the store, the account or the memory knows of, in a stable order."""
    memories = index.pairs.memories(account)
    sightings = index.views.sightings(account, now)
    messages = {message.token: message for message in local}
    mailboxes = {message.mailbox for message in messages.values()}
    queued = {row.token for number in mailboxes for row in index.queue.rows(number) if row.state in _WAITING}
    tokens = sorted(memories.keys() | sightings.keys() | messages.keys())
    return tuple(
        Case(
            replace(memories.get(token, Memory(token)), queued=token in queued),
            messages.get(token) or _tombstone(memories.get(token)),
            tuple(sightings.get(token, ())),
        )
        for token in tokens
    )


def _tombstone(memory: Memory | None) -> LocalMessage | None:
    """What is left of a message that the store's own proven listing does not show any more."""
    if memory is None or memory.local is not State.DELETED:
        return None
    return LocalMessage("", memory.token, "", Kind.VOICE, State.DELETED, _LONG_AGO, content=False)


def views(of: Iterable[Case]) -> dict[Token, RemoteView]:
    """The account's side of every message."""
    return {case.memory.token: remote_view(case.memory, case.sightings) for case in of}


_NO_SIGHTING = frozenset({Role.SENT, Role.DRAFTS})
"""A copy there says nothing of the message: its flags count for nothing, it keeps nothing alive."""


def to_look_for(of: Iterable[Case]) -> tuple[Token, ...]:
    """Messages whose place is not known any more and that no look has been made for since."""
    wanted = []
    for case in of:
        memory = case.memory
        if memory.base not in (State.NEW, State.HEARD) or not memory.sighted or memory.absent:
            continue
        telling = {s.role for s in case.sightings} - _NO_SIGHTING
        if case.local is not None and (not telling or (memory.spare and telling == {Role.TRASH})):
            wanted.append(memory.token)
    return tuple(wanted)


def is_unlinked(memory: Memory, view: RemoteView) -> bool:
    """Whether it is found only where it does not count, or nowhere since its folder changed."""
    if view.where in (Where.OUT_OF_SCOPE, Where.JUNK):
        return True
    return view.where is Where.NOWHERE and memory.sighted and not memory.linked


def notices(of: Iterable[Case], *, filed: bool) -> dict[Token, tuple[Notice, str]]:
    """What is to be said once of messages at the phone, and their folder.

    ``filed``: whether the subscriber's own rule is to file what arrives in INBOX.
    """
    found: dict[Token, tuple[Notice, str]] = {}
    for case in of:
        if case.local is None or case.local.state is State.DELETED:
            continue
        view = remote_view(case.memory, case.sightings)
        if is_unlinked(case.memory, view):
            found[case.memory.token] = (Notice.UNLINKED, last_folder(case, view) or "")
        elif filed and view.where is Where.IN_SCOPE and view.folder == INBOX:
            found[case.memory.token] = (Notice.UNFILED, INBOX)
    return found


def last_folder(case: Case, view: RemoteView) -> str | None:
    """Where the message was last sighted."""
    aside = (s.place.folder for s in case.sightings if s.role not in _NO_SIGHTING)
    return view.folder or next(aside, None) or case.memory.home or None


_WORDS: Mapping[tuple[Side, Verb], str] = {
    (Side.REMOTE, Verb.MARK_HEARD): "mark-heard",
    (Side.REMOTE, Verb.MARK_NEW): "mark-new",
    (Side.REMOTE, Verb.DELETE): "delete",
    (Side.REMOTE, Verb.RESTORE): "restore",
    (Side.REMOTE, Verb.APPEND): "restore",
}


def pending(of: Iterable[Case], plan: Plan) -> dict[Token, str]:
    """What is done on one side and not confirmed by the other: token -> the word for it."""
    found: dict[Token, str] = {}
    for case in of:
        if case.memory.in_flight and case.local is not None:
            found[case.memory.token] = "send"
    for case in of:
        token = case.memory.token
        if token in plan.waiting and token not in found:
            found[token] = "delete" if case.local and case.local.state is State.DELETED else "mark"
    for action in plan.actions:
        if (word := _word(action)) is not None:
            found[action.token] = word
    return found


def _word(action: Action) -> str | None:
    return _WORDS.get((action.side, action.verb)) if action.base is not None else None
