"""Putting messages and folders into the account, and reading a whole message.

The octets of a message go out exactly as given; where it lies afterwards is what APPENDUID says, or
where its token is found among the UIDs that came since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from syncengine.errors import FolderError
from syncengine.imap.commands import command
from syncengine.imap.found import found_in, headers
from syncengine.imap.session import Session
from syncengine.imap.tokens import Value
from syncengine.imap.wire import appended
from syncengine.model import FlagState, Outcome, Place, Token, Uid, UidValidity
from syncengine.replica import Recognise

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def append(
    session: Session,
    recognise: Recognise,
    folder: str,
    token: Token,
    message: bytes,
    *,
    flags: frozenset[str],
    received: datetime,
) -> Outcome:
    """See :meth:`syncengine.replica.Account.append`; ``received`` becomes the INTERNALDATE."""
    limit = _limit(session)
    if limit is not None and len(message) > limit:
        return Outcome(
            token, done=False, error=f"{len(message)} octets, and the server takes {limit} at most"
        )
    name = session.names.wire(folder)
    start = 1 if session.offers("UIDPLUS") else _uidnext(session, folder)
    head = b"APPEND %s (%s) %s " % (name, " ".join(sorted(flags)).encode("ascii"), internal_date(received))
    reply = session.run([command(head, message, b"")])
    result = reply.results[0]
    if not result.ok:
        return Outcome(token, done=False, error=f"folder {folder}: not taken: {reply.refusal}")
    told = appended(result.arguments) if result.code == "APPENDUID" else None
    if told is None:
        return _look(session, recognise, folder, token, start)
    place = Place(folder, UidValidity(told[0]), Uid(told[1]))
    return Outcome(token, done=True, place=place, flags=FlagState(place.uid, flags))


def _look(session: Session, recognise: Recognise, folder: str, token: Token, start: int) -> Outcome:
    """Find what was just appended by its token, from UID ``start`` on."""
    opened, reply = session.open(folder, then=[headers(f"{start}:*", modseq=False)])
    for found in reversed(found_in(folder, opened.uidvalidity, reply, start)):
        if recognise(found.header) == token:
            return Outcome(token, done=True, place=found.place, flags=FlagState(found.place.uid, found.flags))
    return Outcome(token, done=False, error=f"folder {folder}: accepted, but not found there afterwards")


def _uidnext(session: Session, folder: str) -> int:
    """UIDNEXT before an APPEND whose answer will not name the UID."""
    reply = session.run([command(b"STATUS %s (UIDNEXT)" % session.names.wire(folder))])
    return next((status.items.get("UIDNEXT", 1) for status in reply.untagged.statuses), 1)


def _limit(session: Session) -> int | None:
    """APPENDLIMIT (RFC 7889), None where the server names none."""
    session.offers()
    for word in session.connection.capabilities:
        name, _, value = word.partition("=")
        if name == "APPENDLIMIT" and value.isdigit():
            return int(value)
    return None


def internal_date(moment: datetime) -> bytes:
    """``moment`` as APPEND wants it: English month names whatever the locale, with its zone."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a date without zone")
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
    return (
        f'"{moment.day:02d}-{_MONTHS[moment.month - 1]}-{moment.year:04d} {moment:%H:%M:%S} {zone}"'.encode()
    )


def create(session: Session, folder: str, *, special_use: str | None = None) -> str:
    """Create and subscribe ``folder`` and return its full name; one that exists already is fine.

    Where the personal namespace has a prefix (Courier's ``INBOX.``) the name is put under it.
    ``special_use`` (``\\Trash``) is asked for where CREATE-SPECIAL-USE is offered (RFC 6154 section
    3), and done without where refused. Raises ``FolderError``.
    """
    name = personal(session, folder)
    wire = session.names.wire(name)
    subscribe = command(b"SUBSCRIBE " + wire)
    plain = [command(b"CREATE " + wire), subscribe]
    if special_use and session.offers("CREATE-SPECIAL-USE"):
        use = b"CREATE %s (USE (%s))" % (wire, special_use.encode("ascii"))
        if session.run([command(use), subscribe]).results[0].ok:
            return name
    reply = session.run(plain)
    created, subscribed = reply.results
    if not created.ok and not subscribed.ok:
        raise FolderError(f"folder {name}: cannot be created: {reply.refusal}")
    if not created.ok and created.code != "ALREADYEXISTS" and not _there(session, wire):
        raise FolderError(f"folder {name}: cannot be created: {reply.refusal}")
    return name


def _there(session: Session, wire: bytes) -> bool:
    """SUBSCRIBE may succeed for what does not exist; STATUS does not."""
    return session.run([command(b"STATUS %s (UIDVALIDITY)" % wire)]).ok


def personal(session: Session, folder: str) -> str:
    """``folder`` under the prefix of the personal namespace (RFC 2342), if there is one."""
    if not session.offers("NAMESPACE") or folder == "INBOX":
        return folder
    spaces = session.run([command(b"NAMESPACE")]).untagged.namespaces
    prefix = session.names.learn(spaces.prefix) if spaces else ""
    return folder if folder.startswith(prefix) else prefix + folder


def fetch(session: Session, place: Place) -> bytes | None:
    """The whole message, None when it is not there any more; ``\\Seen`` is not touched.

    The NOOP lets the server drop what others have expunged: Courier would make a message up for it
    ("message unavailable"), Dovecot would answer NIL.
    """
    session.ensure(place.folder, place.uidvalidity)
    reply = session.run([command(b"NOOP"), command(b"UID FETCH %d (UID BODY.PEEK[])" % place.uid)])
    for item in reply.untagged.fetches:
        content = item.sections.get("")
        if item.uid == place.uid and content is not None:
            return content
    return None


def structure(session: Session, place: Place) -> Value:
    """What a message is made of (BODYSTRUCTURE); None when it is not there any more."""
    asked = [command(b"NOOP"), command(b"UID FETCH %d (UID BODYSTRUCTURE)" % place.uid)]
    reply = session.within(place.folder, place.uidvalidity, asked)
    return next((f.structure for f in reply.untagged.fetches if f.uid == place.uid and f.structure), None)


def parts(session: Session, place: Place, sections: Sequence[str], *, octets: int) -> Mapping[str, bytes]:
    """The first ``octets`` of the parts of a message, by section number; ``\\Seen`` is not touched.

    A part that the server does not give is left out.
    """
    items = " ".join(f"BODY.PEEK[{section}]<0.{octets}>" for section in sections)
    session.ensure(place.folder, place.uidvalidity)
    reply = session.run([command(b"UID FETCH %d (UID %s)" % (place.uid, items.encode("ascii")))])
    return {
        name: data[:octets]
        for fetch in reply.untagged.fetches
        if fetch.uid == place.uid
        for name, data in fetch.sections.items()
        if data is not None
    }
