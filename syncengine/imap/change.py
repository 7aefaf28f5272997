"""Moves and deletes of messages. Confirmed only by what the server shows.

Nothing is removed but by UID (UID MOVE, UID EXPUNGE); plain EXPUNGE and CLOSE are never sent, since
they would remove what others have marked. Before a message is moved or deleted its token is read
again under the same SELECT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from syncengine.errors import FolderError
from syncengine.imap import stripped
from syncengine.imap.commands import Reply, command
from syncengine.imap.errors import WireError
from syncengine.imap.found import found_in, headers, marks
from syncengine.imap.session import Session
from syncengine.imap.uidset import UidSet, chunks
from syncengine.imap.wire import copied
from syncengine.model import (
    DELETED,
    Outcome,
    Place,
    Token,
    Uid,
    UidValidity,
)
from syncengine.replica import Recognise

NO_UIDPLUS = "the server cannot expunge single messages (no UIDPLUS): it stays there, marked as deleted"


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
        asked = headers(text, modseq=False) if any(ours.values()) else marks(text)
        reply = session.within(where.folder, where.uidvalidity, [asked])
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
