"""What the engine does to messages: flags, moves, deletes. Confirmed only by what the server shows.

Nothing is removed but by UID (UID MOVE, UID EXPUNGE); plain EXPUNGE and CLOSE are never sent, since
they would remove what others have marked. Before a message is moved or deleted its token is read
again under the same SELECT.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from syncengine.errors import FolderError
from syncengine.imap import stripped
from syncengine.imap.commands import Reply, command
from syncengine.imap.errors import WireError
from syncengine.imap.found import found_in, headers
from syncengine.imap.responses import Condition
from syncengine.imap.session import Session
from syncengine.imap.uidset import UidSet, chunks
from syncengine.imap.wire import copied
from syncengine.model import (
    DELETED,
    SEEN,
    FlagChange,
    FlagState,
    ModSeq,
    Outcome,
    Place,
    Token,
    Uid,
    UidValidity,
)
from syncengine.replica import Recognise

NO_UIDPLUS = "the server cannot expunge single messages (no UIDPLUS): it stays there, marked as deleted"


def mark(session: Session, changes: Sequence[FlagChange]) -> tuple[Outcome, ...]:
    """Set or clear ``\\Seen``: one STORE per folder and direction, then the server's own FETCH."""
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
    """STOREs of one folder and the FETCH that confirms them, all in one flush."""
    commands = []
    for sign, group, limit in _stores(changes, condstore=condstore):
        since = b" (UNCHANGEDSINCE %d)" % limit if limit is not None else b""
        for text, _ in chunks(change.place.uid for change in group):
            commands.append(command(b"UID STORE %s%s %sFLAGS.SILENT (\\Seen)" % (text.encode(), since, sign)))
    stored = len(commands)
    items = b"(UID FLAGS MODSEQ)" if condstore else b"(UID FLAGS)"
    for text, _ in chunks(change.place.uid for change in changes):
        commands.append(command(b"UID FETCH %s %s" % (text.encode(), items)))
    reply = session.run(commands)
    shown = {
        fetch.uid: FlagState(Uid(fetch.uid), fetch.flags, ModSeq(fetch.modseq) if fetch.modseq else None)
        for fetch in reply.untagged.fetches
        if fetch.flags is not None
    }
    refused = _modified(reply.results[:stored])
    return [_marked(change, shown.get(change.place.uid), refused, reply) for change in changes]


def _stores(
    changes: Sequence[FlagChange], *, condstore: bool
) -> Iterator[tuple[bytes, list[FlagChange], int | None]]:
    """Sign, changes, and the MODSEQ above which they must not be made.

    All of a folder was observed up to the highest of the MODSEQs, so that one limit serves all.
    """
    for sign, seen in ((b"+", True), (b"-", False)):
        group = [change for change in changes if change.seen is seen]
        guarded = [change for change in group if condstore and change.unchanged_since is not None]
        if guarded:
            yield sign, guarded, max(change.unchanged_since or 0 for change in guarded)
        free = [change for change in group if change not in guarded]
        if free:
            yield sign, free, None


def _modified(results: Iterable[Condition]) -> UidSet:
    """UIDs that a conditional STORE left alone (RFC 7162 section 3.1.3)."""
    return UidSet.union(UidSet.parse(result.arguments) for result in results if result.code == "MODIFIED")


def _marked(change: FlagChange, shown: FlagState | None, refused: UidSet, reply: Reply) -> Outcome:
    if shown is None:
        return Outcome(change.token, done=False, error=reply.refusal or None, moved_on=not reply.refusal)
    if (SEEN in shown.flags) is change.seen:
        return Outcome(change.token, done=True, place=change.place, flags=shown)
    # An OK that the FETCH contradicts is no failure: the change is not confirmed, and tried again.
    return Outcome(
        change.token,
        done=False,
        error=f"the server did not take the flag: {reply.refusal}" if reply.refusal else None,
        place=change.place,
        flags=shown,
        moved_on=change.place.uid in refused,
    )


def move(
    session: Session, recognise: Recognise, targets: Mapping[Place, Token], target: str | None
) -> tuple[Outcome, ...]:
    """Move to the folder ``target``, None: expunge by UID. One outcome a place.

    An empty token stands for an e-mail: the place must hold a message that is none of ours.
    """
    outcomes: dict[Place, Outcome] = {}
    by_folder: dict[tuple[str, UidValidity], dict[Uid, Token]] = {}
    for place, token in targets.items():
        by_folder.setdefault((place.folder, place.uidvalidity), {})[place.uid] = token
    for (folder, uidvalidity), wanted in by_folder.items():
        try:
            done = _move_folder(session, recognise, Place(folder, uidvalidity, Uid(0)), wanted, target)
        except FolderError as error:
            done = {uid: Outcome(token, done=False, error=str(error)) for uid, token in wanted.items()}
        outcomes |= {Place(folder, uidvalidity, uid): outcome for uid, outcome in done.items()}
    return tuple(outcomes[place] for place in targets)


def _move_folder(
    session: Session, recognise: Recognise, where: Place, wanted: Mapping[Uid, Token], target: str | None
) -> dict[Uid, Outcome]:
    outcomes: dict[Uid, Outcome] = {}
    for text, uids in chunks(wanted):
        ours = {Uid(uid): wanted[Uid(uid)] for uid in uids}
        reply = session.within(where.folder, where.uidvalidity, [headers(text, modseq=False)])
        there = {
            found.place.uid: recognise(found.header) or Token("")
            for found in found_in(where.folder, where.uidvalidity, reply, 1)
        }
        bare = [uid for uid, token in ours.items() if token and there.get(uid) == ""]
        there |= stripped.tokens(session, where.folder, where.uidvalidity, bare)
        sure = [uid for uid, token in ours.items() if there.get(uid) == token]
        for uid, token in ours.items():
            if uid not in there:
                outcomes[uid] = Outcome(
                    token, done=False, error=reply.refusal or None, moved_on=not reply.refusal
                )
            elif there[uid] != token:
                outcomes[uid] = Outcome(token, done=False, moved_on=True)
        if sure:
            outcomes |= _remove(session, sure, ours, target)
    return outcomes


def _remove(
    session: Session, uids: Sequence[Uid], tokens: Mapping[Uid, Token], target: str | None
) -> dict[Uid, Outcome]:
    if target is None:
        return _expunge(session, tokens, dict.fromkeys(uids))
    if session.offers("MOVE"):
        return _by_move(session, uids, tokens, target)
    return _by_copy(session, uids, tokens, target)


def _by_move(
    session: Session, uids: Sequence[Uid], tokens: Mapping[Uid, Token], target: str
) -> dict[Uid, Outcome]:
    """UID MOVE (RFC 6851); COPYUID or VANISHED name what has gone."""
    reply = session.run([command(b"UID MOVE %s %s" % (_set(uids), session.names.wire(target)))])
    places = _places(target, reply)
    return _outcomes(session, tokens, reply, {uid: places.get(uid) for uid in uids}, told=UidSet.of(places))


def _by_copy(
    session: Session, uids: Sequence[Uid], tokens: Mapping[Uid, Token], target: str
) -> dict[Uid, Outcome]:
    """COPY first, and only what was copied is then marked and expunged."""
    reply = session.run([command(b"UID COPY %s %s" % (_set(uids), session.names.wire(target)))])
    if not reply.ok:
        error = f"cannot be copied: {reply.refusal}"
        return {uid: Outcome(tokens[uid], done=False, error=error) for uid in uids}
    places = _places(target, reply)
    lost = [uid for uid in uids if places and uid not in places]
    outcomes = {uid: Outcome(tokens[uid], done=False, moved_on=True) for uid in lost}
    copies = {uid: places.get(uid) for uid in uids if uid not in lost}
    return outcomes | (_expunge(session, tokens, copies) if copies else {})


def _expunge(
    session: Session, tokens: Mapping[Uid, Token], copies: Mapping[Uid, Place | None]
) -> dict[Uid, Outcome]:
    """``\\Deleted`` and UID EXPUNGE (RFC 4315) of the UIDs that ``copies`` names."""
    commands = [command(b"UID STORE %s +FLAGS.SILENT (\\Deleted)" % _set(copies))]
    if session.offers("UIDPLUS"):
        commands.append(command(b"UID EXPUNGE %s" % _set(copies)))
    return _outcomes(session, tokens, session.run(commands), copies, told=UidSet())


def _outcomes(
    session: Session,
    tokens: Mapping[Uid, Token],
    reply: Reply,
    copies: Mapping[Uid, Place | None],
    *,
    told: UidSet,
) -> dict[Uid, Outcome]:
    """Done is what was carried out and is gone: told so by name, or not shown by a later FETCH.

    The FETCH has to be later: pipelined behind a MOVE, Dovecot still shows what it has just moved.
    """
    gone = UidSet.union([told, *reply.untagged.vanished]) if reply.ok else UidSet()
    doubtful = [uid for uid in copies if uid not in gone]
    left: dict[int, frozenset[str]] = {}
    closing = reply
    if doubtful:
        closing = session.run([command(b"UID FETCH %s (UID FLAGS)" % _set(doubtful))])
        left = {fetch.uid: fetch.flags or frozenset() for fetch in closing.untagged.fetches}
    refusal = reply.refusal or closing.refusal
    outcomes: dict[Uid, Outcome] = {}
    for uid, place in copies.items():
        if not refusal and uid not in left:
            outcomes[uid] = Outcome(tokens[uid], done=True, place=place)
        elif not refusal and DELETED in left[uid]:
            outcomes[uid] = Outcome(tokens[uid], done=True, error=NO_UIDPLUS, place=place)
        else:
            outcomes[uid] = Outcome(tokens[uid], done=False, error=refusal or None)
    return outcomes


def _set(uids: Iterable[Uid]) -> bytes:
    """A set that is known to fit into one line."""
    return str(UidSet.of(uids)).encode()


def _places(target: str, reply: Reply) -> dict[Uid, Place]:
    """Where COPYUID says the messages are now; it may come tagged (COPY) or untagged (MOVE)."""
    arguments = reply.untagged.codes.get("COPYUID")
    for result in reply.results:
        if result.code == "COPYUID":
            arguments = result.arguments
    if arguments is None:
        return {}
    try:
        uidvalidity, pairs = copied(arguments)
    except WireError:
        return {}
    return {Uid(old): Place(target, UidValidity(uidvalidity), Uid(new)) for old, new in pairs.items()}
