"""Flags set and cleared, confirmed only by what the server shows: never by an OK, which Courier gives to
a STORE that it does not carry out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from syncengine.errors import FolderError
from syncengine.imap.commands import Command, Reply, command
from syncengine.imap.responses import Condition
from syncengine.imap.session import Session
from syncengine.imap.uidset import UidSet, chunks
from syncengine.model import SEEN, FlagChange, FlagState, ModSeq, Outcome, Place, Uid, UidValidity


def mark(session: Session, changes: Sequence[FlagChange]) -> tuple[Outcome, ...]:
    """Set or clear ``\\Seen``: one STORE per folder and direction, and the server's own FETCH."""
    outcomes: dict[Place, Outcome] = {}
    for (folder, uidvalidity), group in _by_folder(changes):
        try:
            opened = session.ensure(folder, uidvalidity)
            done = _mark_folder(session, group, condstore=opened.highestmodseq is not None)
        except FolderError as error:
            done = [Outcome(change.token, done=False, error=str(error)) for change in group]
        outcomes |= {change.place: outcome for change, outcome in zip(group, done, strict=True)}
    return tuple(outcomes[change.place] for change in changes)


def _by_folder(changes: Iterable[FlagChange]) -> Iterator[tuple[tuple[str, UidValidity], list[FlagChange]]]:
    def key(change: FlagChange) -> tuple[str, UidValidity]:
        return change.place.folder, change.place.uidvalidity

    for place, group in groupby(sorted(changes, key=key), key):
        yield place, list(group)


def _mark_folder(session: Session, changes: Sequence[FlagChange], *, condstore: bool) -> list[Outcome]:
    """STOREs of one folder and what confirms them, all in one flush.

    A conditional STORE shows the flags with the MODSEQ they have now (RFC 7162 section 3.1.3); behind
    any other travels a FETCH. What was changed by others meanwhile, or not shown, is read once more.
    """
    commands = []
    for sign, group, limit in _stores(changes, condstore=condstore):
        since, silent = (b"", b".SILENT") if limit is None else (b" (UNCHANGEDSINCE %d)" % limit, b"")
        for text, _ in chunks(change.place.uid for change in group):
            store = b"UID STORE %s%s %sFLAGS%s (\\Seen)" % (text.encode(), since, sign, silent)
            commands.append(command(store))
    stored = len(commands)
    commands += _flags_of((c.place.uid for c in changes if not _guarded(c, condstore)), condstore=condstore)
    reply = session.run(commands)
    shown, refused = _shown(reply, condstore=condstore), _modified(reply.results[:stored])
    doubtful = [uid for c in changes if (uid := c.place.uid) not in shown or uid in refused]
    refusal = reply.refusal
    if doubtful:
        again = session.run(_flags_of(doubtful, condstore=condstore))
        shown |= _shown(again, condstore=False)
        refusal = refusal or again.refusal
    return [_marked(change, shown.get(change.place.uid), refused, refusal) for change in changes]


def _flags_of(uids: Iterable[Uid], *, condstore: bool) -> list[Command]:
    items = b"(UID FLAGS MODSEQ)" if condstore else b"(UID FLAGS)"
    return [command(b"UID FETCH %s %s" % (text.encode(), items)) for text, _ in chunks(uids)]


def _shown(reply: Reply, *, condstore: bool) -> dict[int, FlagState]:
    """The flags that the server showed, the last ones of each message; ``condstore``: with a MODSEQ only."""
    return {
        fetch.uid: FlagState(Uid(fetch.uid), fetch.flags, ModSeq(fetch.modseq) if fetch.modseq else None)
        for fetch in reply.untagged.fetches
        if fetch.flags is not None and (fetch.modseq or not condstore)
    }


def _guarded(change: FlagChange, condstore: bool) -> bool:
    return condstore and change.unchanged_since is not None


def _stores(
    changes: Sequence[FlagChange], *, condstore: bool
) -> Iterator[tuple[bytes, list[FlagChange], int | None]]:
    """Sign, changes, and the MODSEQ above which they must not be made.

    All of a folder was observed up to the highest of the MODSEQs, so that one limit serves all.
    """
    for sign, seen in ((b"+", True), (b"-", False)):
        group = [change for change in changes if change.seen is seen]
        guarded = [change for change in group if _guarded(change, condstore)]
        if guarded:
            yield sign, guarded, max(change.unchanged_since or 0 for change in guarded)
        free = [change for change in group if not _guarded(change, condstore)]
        if free:
            yield sign, free, None


def _modified(results: Iterable[Condition]) -> UidSet:
    """UIDs that a conditional STORE left alone (RFC 7162 section 3.1.3)."""
    return UidSet.union(UidSet.parse(result.arguments) for result in results if result.code == "MODIFIED")


def _marked(change: FlagChange, shown: FlagState | None, refused: UidSet, refusal: str) -> Outcome:
    if shown is None:
        return Outcome(change.token, done=False, error=refusal or None, moved_on=not refusal)
    if (SEEN in shown.flags) is change.seen:
        return Outcome(change.token, done=True, place=change.place, flags=shown)
    # An OK that the FETCH contradicts is no failure: the change is not confirmed, and tried again.
    return Outcome(
        change.token,
        done=False,
        error=f"the server did not take the flag: {refusal}" if refusal else None,
        place=change.place,
        flags=shown,
        moved_on=change.place.uid in refused,
    )
