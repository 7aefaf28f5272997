"""The folders of the account with their STATUS, in as few round trips as the server allows.

With LIST-STATUS (RFC 5819) one command shows everything; without it LIST and LSUB travel together,
then every STATUS in one flush. A folder whose STATUS is refused is listed without numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncengine.errors import MailboxError
from syncengine.imap.commands import Command, Reply, Untagged, command
from syncengine.imap.responses import Listed, StatusData
from syncengine.imap.session import Session
from syncengine.imap.wire import LARGEST_MODSEQ
from syncengine.model import Folder, ModSeq, Uid, UidValidity

MAX_FOLDERS = 100_000


def folders(session: Session) -> tuple[Folder, ...]:
    """Every folder; an empty list is an error, since every account has an INBOX."""
    reply = session.start(_first) or _afresh(session)
    if not reply.ok and session.offers("LIST-STATUS"):
        # Known from before, but no longer offered.
        session.connection.without("LIST-STATUS")
        reply = _afresh(session)
    return _read(session, reply)


def glance(session: Session) -> tuple[Folder, ...] | None:
    """The folders while one of them is open and IDLE goes on; None where something was told meanwhile,
    or the server does not take all that together.

    STATUS of the open folder may show what this connection was told of it: NOOP makes the server tell.
    """
    if not session.offers("LIST-STATUS"):
        return None
    asked = [command(b"NOOP"), *_first(session.connection.capabilities)]
    reply, told = session.connection.within_idle(asked)
    if told or not reply.ok:
        return None
    return _read(session, Reply(reply.results[1:], reply.untagged, reply.tags[1:]))


def _read(session: Session, reply: Reply) -> tuple[Folder, ...]:
    if not reply.results[0].ok:
        raise MailboxError(f"{session.settings.host}: LIST refused: {reply.refusal}")
    listed = [item for item in reply.untagged.listed if not item.lsub]
    if not listed:
        raise MailboxError(f"{session.settings.host}: the server lists no folder at all, not even INBOX")
    if len(listed) > MAX_FOLDERS:
        raise MailboxError(f"{session.settings.host}: more than {MAX_FOLDERS} folders")
    subscribed = _subscribed(reply.untagged)
    statuses = reply.untagged.statuses
    if len(reply.results) > 1:
        statuses = _ask(session, listed)
    return _folders(session, listed, subscribed, statuses)


def _afresh(session: Session) -> Reply:
    """The folders on a connection that may have one open.

    STATUS of the open folder shows what this connection has been told of it (Dovecot): it is left
    first, or the server made to tell, in the same flush.
    """
    catching_up = session.leaving()
    reply = session.connection.run([*catching_up, *_first(session.connection.capabilities)])
    skip = len(catching_up)
    return Reply(reply.results[skip:], reply.untagged, reply.tags[skip:])


def _first(capabilities: frozenset[str]) -> Sequence[Command]:
    if "LIST-STATUS" not in capabilities:
        return [command(b'LIST "" "*"'), command(b'LSUB "" "*"')]
    special = b" SPECIAL-USE" if "SPECIAL-USE" in capabilities else b""
    status = b"STATUS (%s)" % _items(capabilities)
    return [command(b'LIST "" "*" RETURN (SUBSCRIBED%s %s)' % (special, status))]


def _items(capabilities: frozenset[str]) -> bytes:
    """GreenMail knows these names in upper case only, and refuses HIGHESTMODSEQ."""
    modseq = b" HIGHESTMODSEQ" if "CONDSTORE" in capabilities else b""
    return b"MESSAGES UIDNEXT UIDVALIDITY" + modseq


def _ask(session: Session, listed: Iterable[Listed]) -> list[StatusData]:
    items = _items(session.connection.capabilities)
    commands = [
        command(b"STATUS %s (%s)" % (session.names.wire(session.names.learn(item.raw)), items))
        for item in listed
        if not item.attributes & {"\\noselect", "\\nonexistent"}
    ]
    return session.connection.run(commands).untagged.statuses if commands else []


def _subscribed(untagged: Untagged) -> set[bytes]:
    return {item.raw for item in untagged.listed if item.lsub or "\\subscribed" in item.attributes}


def _folders(
    session: Session, listed: Iterable[Listed], subscribed: set[bytes], statuses: Iterable[StatusData]
) -> tuple[Folder, ...]:
    learn = session.names.learn
    numbers = {learn(status.raw): status.items for status in statuses}
    wanted = {learn(raw) for raw in subscribed}
    found: dict[str, Folder] = {}
    for item in listed:
        name = learn(item.raw)
        values = numbers.get(name, {})
        uidvalidity, uidnext = values.get("UIDVALIDITY"), values.get("UIDNEXT")
        modseq = values.get("HIGHESTMODSEQ")
        found[name] = Folder(
            name,
            item.delimiter,
            item.attributes - {"\\subscribed"},
            subscribed=name in wanted,
            uidvalidity=UidValidity(uidvalidity) if uidvalidity else None,
            uidnext=Uid(uidnext) if uidnext else None,
            highestmodseq=ModSeq(modseq) if modseq and modseq <= LARGEST_MODSEQ else None,
            messages=values.get("MESSAGES"),
        )
    return tuple(found.values())
