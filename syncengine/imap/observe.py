"""What one folder shows since a cursor: by QRESYNC, by CONDSTORE, or by plain flags; the same view.

A UID of ours is reported gone only by a VANISHED that fits EXISTS and UIDNEXT, or because it is
missing from a complete listing that has as many members as EXISTS says. The cursor's MODSEQ is the
one SELECT reported, so nothing that happened afterwards can be skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from syncengine.errors import FolderError
from syncengine.imap import envelopes
from syncengine.imap.commands import Command, Reply, Untagged, command
from syncengine.imap.errors import WireError
from syncengine.imap.found import found_in, headers
from syncengine.imap.responses import Fetch
from syncengine.imap.session import Opened, Session, agreeing, searched
from syncengine.imap.uidset import UidSet, chunks
from syncengine.model import (
    Cursor,
    FlagState,
    Folder,
    FolderDelta,
    Found,
    ModSeq,
    Uid,
    UidValidity,
)

_AT_ONCE = 500
"""New UIDs up to which their headers are asked for before it is known how many there are."""
_BATCH = 10_000
"""Messages a delta holds at most."""
_MOST = 10_000_000
_MUCH = 2_000
"""Messages from which a first listing is compressed: it shrinks to a thirteenth (RFC 4978)."""


Known = Callable[[], Sequence[Uid]]
"""The UIDs known so far; asked for only where something has changed: they may be a hundred thousand."""


class _Ask(Protocol):
    def __call__(self, uids: str, *, modseq: bool) -> Command: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of each message: what is asked of the server, and what is made of the answer."""

    ask: _Ask
    found: Callable[[str, UidValidity, Reply, int], tuple[Found, ...]]


TOKENS = Reading(headers, found_in)
"""What our messages are recognised by."""
EMAILS = Reading(envelopes.ask, envelopes.found)
"""What is listed of e-mails."""


@dataclass(frozen=True, slots=True)
class _Task:
    session: Session
    folder: Folder
    cursor: Cursor
    known: frozenset[Uid]
    reading: Reading


def observe(
    session: Session,
    folder: Folder,
    cursor: Cursor | None,
    known: Known,
    *,
    whole: bool = False,
    reading: Reading = TOKENS,
) -> Iterator[FolderDelta]:
    """See :meth:`syncengine.replica.Account.observe`.

    Nothing at all is yielded, and the folder not even opened, where its STATUS proves that nothing
    happened since the cursor. Raises ``FolderError``.
    """
    session.alive()
    if not folder.selectable:
        raise FolderError(f"folder {folder.name}: cannot hold messages")
    if cursor is None or whole:
        yield from _whole(session, folder, cursor, known, reading)
    elif not _unchanged(session, folder, cursor, known):
        yield from _since(_Task(session, folder, cursor, frozenset(known()), reading))


def _unchanged(session: Session, folder: Folder, cursor: Cursor, known: Known) -> bool:
    """Whether STATUS alone proves that nothing of interest happened.

    With QRESYNC every disappearance raises HIGHESTMODSEQ (RFC 7162 section 3.2.6); with CONDSTORE
    alone it need not, so the number of messages has to be the cursor's, too.
    """
    if (folder.uidvalidity, folder.uidnext) != (cursor.uidvalidity, cursor.uidnext):
        return False
    same = cursor.highestmodseq is not None and folder.highestmodseq == cursor.highestmodseq
    if (same and session.connection.qresync) or not known():
        return True
    return same and cursor.messages is not None and folder.messages == cursor.messages


# from the start


def _whole(
    session: Session, folder: Folder, cursor: Cursor | None, known: Known, reading: Reading
) -> Iterator[FolderDelta]:
    if folder.messages == 0 and cursor is None and folder.uidvalidity and folder.uidnext:
        yield FolderDelta(Cursor(folder.name, folder.uidvalidity, folder.uidnext, folder.highestmodseq, 0))
        return
    small = folder.messages is not None and 0 < folder.messages <= _AT_ONCE
    modseq = folder.highestmodseq is not None
    then = [session.search_all(), *([reading.ask("1:*", modseq=modseq)] if small else [])]
    if folder.messages is not None and folder.messages >= _MUCH:
        then += session.compressing()
    opened, reply = session.open(folder.name, then=then)
    yield from _read_all(session, folder, opened, reply, cursor, known, reading, blind=small)


def _read_all(
    session: Session,
    folder: Folder,
    opened: Opened,
    reply: Reply,
    cursor: Cursor | None,
    known: Known,
    reading: Reading,
    *,
    blind: bool = False,
) -> Iterator[FolderDelta]:
    """Everything, after a SELECT and a complete listing whose answers are in ``reply``.

    ``blind``: whether all was read already behind the listing.
    """
    reset = cursor is not None and _replaced(folder, opened, cursor)
    if not reply.results[0].ok:
        raise FolderError(f"folder {folder.name}: cannot be listed: {reply.refusal}")
    complete = agreeing(reply.untagged) or session.listing()
    listed = complete if complete is not None else searched(reply.untagged)
    gone: tuple[Uid, ...] = ()
    if cursor is not None and not reset and complete is not None:
        gone = tuple(uid for uid in known() if uid not in complete)
    held = None if reset else cursor
    end = _Mark(folder, opened, held, complete is not None)
    if blind and reply.ok:
        batches: Iterable[tuple[Found, ...]] = [reading.found(folder.name, opened.uidvalidity, reply, 1)]
    else:
        batches = _batches(session, opened, _members(folder, listed, 1), reading)
    yield from _deltas(end, batches, reset=reset, vanished=gone, forward=held is None)


# since a cursor


def _since(task: _Task) -> Iterator[FolderDelta]:
    session, folder, cursor = task.session, task.folder, task.cursor
    since = (cursor.uidvalidity, cursor.highestmodseq) if cursor.highestmodseq is not None else None
    quick = since is not None and session.offers("QRESYNC") and session.connection.qresync
    asked = [] if quick else _flag_commands(task)
    new = _new_commands(task)
    opened, reply = session.open(folder.name, since=since if quick else None, then=[*asked, *new])
    if _replaced(folder, opened, cursor):
        listing = session.run([session.search_all()])
        yield from _read_all(session, folder, opened, listing, cursor, tuple, task.reading)
        return
    shown = reply if all(result.ok for result in reply.results[: len(asked)]) else _again(task)
    gone, sure = _gone(task, opened, shown, quick=quick)
    end = _Mark(folder, opened, cursor, sure)
    flags = _flags(shown, task.known)
    found, batches = _new(task, opened, reply, asked=bool(new))
    yield from _deltas(end, batches, found=found, flags=flags, vanished=gone, forward=True)


def _flag_commands(task: _Task) -> list[Command]:
    """The flags of what is known, and with CHANGEDSINCE, which shows no disappearance, its presence."""
    session, modseq = task.session, task.cursor.highestmodseq
    condstore = session.offers("CONDSTORE") and task.cursor.highestmodseq is not None
    items = b"(UID FLAGS MODSEQ) (CHANGEDSINCE %d)" % (modseq or 0) if condstore else b"(UID FLAGS)"
    returning = b"RETURN (ALL) " if session.offers("ESEARCH") else b""
    commands = []
    for text, _ in chunks(task.known):
        commands.append(command(b"UID FETCH %s %s" % (text.encode(), items)))
        if condstore:
            commands.append(command(b"UID SEARCH %sUID %s" % (returning, text.encode())))
    return commands


def _new_commands(task: _Task) -> list[Command]:
    """Headers of what came since, asked for blindly; nothing when STATUS shows that nothing came."""
    expected, start = task.folder.uidnext, task.cursor.uidnext
    if expected is None or 0 < expected - start <= _AT_ONCE:
        return [task.reading.ask(f"{start}:*", modseq=task.cursor.highestmodseq is not None)]
    return []


def _again(task: _Task) -> Reply:
    """The flags once more in the plainest way, for servers that refuse what they offered."""
    commands = [command(b"UID FETCH %s (UID FLAGS)" % text.encode()) for text, _ in chunks(task.known)]
    reply = task.session.run(commands)
    if not reply.ok:
        raise FolderError(f"folder {task.folder.name}: flags cannot be read: {reply.refusal}")
    return reply


def _gone(task: _Task, opened: Opened, reply: Reply, *, quick: bool) -> tuple[tuple[Uid, ...], bool]:
    """Which known UIDs are gone, and whether that is certain; if not, MODSEQ must not move on."""
    untagged = reply.untagged
    if quick:
        told = UidSet.union([*untagged.earlier, *untagged.vanished])
        gone = told.among(task.known)
        exists = _exists(task, opened)
        fits = (
            believable(told, uidnext=opened.uidnext, exists=exists) and len(task.known) - len(gone) <= exists
        )
        if fits and not any(fetch.uid in told for fetch in untagged.fetches):
            return tuple(Uid(uid) for uid in sorted(gone)), True
    else:
        present = searched(untagged)
        seen = {fetch.uid for fetch in untagged.fetches}
        if all(uid in seen or uid in present for uid in task.known):
            return (), True
    complete = task.session.listing()
    if complete is None:
        return (), False
    return tuple(sorted(uid for uid in task.known if uid not in complete)), True


def believable(told: UidSet, *, uidnext: int | None, exists: int) -> bool:
    """Whether a VANISHED fits: at least EXISTS UIDs below UIDNEXT must not have vanished.

    Apache James answered ``VANISHED (EARLIER) 1:26183`` for a folder with 5,393 messages.
    """
    if not told:
        return True
    return uidnext is not None and uidnext - 1 - told.count_below(uidnext) >= exists


def _exists(task: _Task, opened: Opened) -> int:
    now = task.session.connection.exists
    return opened.exists if now is None else min(now, opened.exists)


def _new(
    task: _Task, opened: Opened, reply: Reply, *, asked: bool
) -> tuple[tuple[Found, ...], Iterable[tuple[Found, ...]]]:
    """What came since: found already by the blind FETCH, or still to be read in batches."""
    session, start = task.session, task.cursor.uidnext
    if asked and reply.results and reply.results[-1].ok:
        return task.reading.found(task.folder.name, opened.uidvalidity, reply, start), ()
    uidnext = opened.uidnext or task.folder.uidnext
    if uidnext is not None and uidnext <= start:
        return (), ()
    returning = b"RETURN (ALL) " if session.offers("ESEARCH") else b""
    listing = session.run([command(b"UID SEARCH %sUID %d:*" % (returning, start))])
    if not listing.ok:
        raise FolderError(f"folder {task.folder.name}: new messages cannot be listed: {listing.refusal}")
    uids = _members(task.folder, searched(listing.untagged), start)
    return (), _batches(session, opened, uids, task.reading)


def _members(folder: Folder, uids: UidSet, start: int) -> list[int]:
    """UIDs one by one; a set that names billions in a few octets is no listing."""
    try:
        return uids.members(start=start, limit=_MOST)
    except WireError as error:
        raise FolderError(f"folder {folder.name}: the server lists {error}") from error


# shared


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where the cursor may go."""

    folder: Folder
    opened: Opened
    before: Cursor | None
    sure: bool

    def cursor(self, read: int = 0) -> Cursor:
        """The cursor after everything below ``read`` was read, and with 0 after the whole folder."""
        before, opened = self.before, self.opened
        uidnext = max(read, before.uidnext if before else 1)
        modseq = opened.highestmodseq if self.sure or before is None else before.highestmodseq
        # What SELECT showed: whatever went after it makes STATUS differ, and the folder is looked at again.
        messages = opened.exists if self.sure and uidnext >= self.uidnext else None
        return Cursor(self.folder.name, opened.uidvalidity, Uid(uidnext), modseq, messages)

    @property
    def uidnext(self) -> int:
        """UIDNEXT as SELECT showed it, or STATUS before it."""
        return self.opened.uidnext or self.folder.uidnext or 1


def _deltas(
    end: _Mark,
    batches: Iterable[tuple[Found, ...]],
    *,
    forward: bool,
    reset: bool = False,
    found: tuple[Found, ...] = (),
    flags: tuple[FlagState, ...] = (),
    vanished: tuple[Uid, ...] = (),
) -> Iterator[FolderDelta]:
    """One delta a batch; what is not new goes with the first, the final cursor with the last.

    ``forward``: whether the cursor may move with every batch. A second reading from the start must
    not move it before its end, or changes to messages not yet reached would be skipped.
    """
    highest = 0
    for batch in batches:
        if found:
            yield FolderDelta(_moved(end, highest, forward=forward), reset, found, flags, vanished)
            reset, flags, vanished = False, (), ()
        found = batch
        highest = max([highest, *(item.place.uid for item in batch)])
    highest = max([highest, *(item.place.uid for item in found)])
    yield FolderDelta(end.cursor(max(end.uidnext, highest + 1)), reset, found, flags, vanished)


def _moved(end: _Mark, highest: int, *, forward: bool) -> Cursor:
    return end.cursor(highest + 1) if forward or end.before is None else end.before


def _batches(
    session: Session, opened: Opened, uids: Sequence[int], reading: Reading
) -> Iterator[tuple[Found, ...]]:
    """What ``reading`` makes of ``uids``, in batches; the next one is on its way while one is worked on."""
    asked = (
        (reading.ask(text, modseq=opened.highestmodseq is not None), members[-1])
        for text, members in chunks(uids, count=_BATCH)
    )
    early: list[Fetch] = []
    vanished: list[UidSet] = []
    now = next(asked, None)
    while now is not None:
        session.ensure(opened.folder, opened.uidvalidity)
        then = next(asked, None)
        reply = session.connection.run_ahead(now[0], then[0] if then else None)
        if not reply.ok:
            raise FolderError(f"folder {opened.folder}: messages cannot be read: {reply.refusal}")
        vanished += reply.untagged.vanished
        early = _divided(reply.untagged, early, vanished, now[1])
        yield reading.found(opened.folder, opened.uidvalidity, reply, 1)
        now = then


def _divided(untagged: Untagged, early: list[Fetch], vanished: list[UidSet], last: int) -> list[Fetch]:
    """Leave in ``untagged`` what is about UIDs up to ``last``; what is about later ones is returned."""
    fetches = [*early, *untagged.fetches]
    untagged.fetches = [fetch for fetch in fetches if fetch.uid <= last]
    untagged.vanished = list(vanished)
    return [fetch for fetch in fetches if fetch.uid > last]


def _flags(reply: Reply, known: frozenset[Uid]) -> tuple[FlagState, ...]:
    states = {
        fetch.uid: FlagState(Uid(fetch.uid), fetch.flags, ModSeq(fetch.modseq) if fetch.modseq else None)
        for fetch in reply.untagged.fetches
        if fetch.flags is not None and fetch.uid in known
    }
    return tuple(states[uid] for uid in sorted(states))


def _replaced(folder: Folder, opened: Opened, cursor: Cursor) -> bool:
    """Whether this is another folder than the cursor's, or an older copy of it brought back."""
    if opened.uidvalidity != cursor.uidvalidity:
        return True
    uidnext = opened.uidnext or folder.uidnext
    if uidnext is not None and uidnext < cursor.uidnext:
        return True
    both = opened.highestmodseq is not None and cursor.highestmodseq is not None
    return both and (opened.highestmodseq or 0) < (cursor.highestmodseq or 0)
