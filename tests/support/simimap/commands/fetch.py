"""FETCH and UID FETCH."""

from __future__ import annotations

import re

from tests.support.simimap import mime
from tests.support.simimap.folder import Entry, Mail, View, set_flags
from tests.support.simimap.grammar import (
    Bad,
    No,
    Value,
    compact,
    is_set,
    list_of,
    literal,
    members,
    number_of,
    ranges,
    text_of,
    values,
    word,
)
from tests.support.simimap.profiles import Lie
from tests.support.simimap.session import Done, Session

MACROS = {
    "ALL": ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"],
    "FAST": ["FLAGS", "INTERNALDATE", "RFC822.SIZE"],
    "FULL": ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"],
}
_BODY = re.compile(r"BODY(\.PEEK)?\[(.*)\](?:<(\d+)\.(\d+)>)?\Z", re.IGNORECASE | re.DOTALL)
_SPEC = re.compile(
    r"(\d+(?:\.\d+)*)?\.?(HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME)?\s*(.*)\Z", re.I
)
MADE_UP = (
    b"From: System Administrator <postmaster@localhost>\r\nSubject: message unavailable\r\n\r\n"
    b"This message is no longer available on the server.\r\n"
)


def fetch(session: Session, arguments: list[Value]) -> Done:
    """FETCH: messages by sequence number."""
    return _fetch(session, arguments, by_uid=False)


def uid_fetch(session: Session, arguments: list[Value]) -> Done:
    """UID FETCH."""
    return _fetch(session, arguments, by_uid=True)


def view_of(session: Session) -> View:
    """Return what the session has open."""
    if session.view is None:
        raise Bad("No mailbox selected")
    return session.view


def chosen(session: Session, value: Value, *, by_uid: bool) -> list[int]:
    """Return the UIDs that a set names, of those the client knows."""
    view = view_of(session)
    if session.lies(Lie.OPEN_RANGE_BYE) and is_set(value) and b"*" in text_of(value).encode():
        session.say(b"BYE Invalid message set")
        session.end()
        return []
    if by_uid:
        if not session.profile.past_the_end and view.uids and ranges(value, 0)[-1][1] > view.uids[-1]:
            return members(value, view.uids, largest=1 << 32)
        return members(value, view.uids)
    numbers = list(range(1, len(view.uids) + 1))
    if ranges(value, len(numbers))[-1][1] > len(numbers):
        raise Bad("Invalid messageset")
    return [view.uids[number - 1] for number in members(value, numbers)]


def _fetch(session: Session, arguments: list[Value], *, by_uid: bool) -> Done:
    items, since, vanished = _asked(session, arguments[1:], by_uid=by_uid)
    session.condstore |= since is not None or "MODSEQ" in items
    view = view_of(session)
    uids = chosen(session, arguments[0], by_uid=by_uid)
    if session.lies(Lie.FETCH_WITHOUT_UID):
        for entry in (view.entry(uid) for uid in view.uids):
            if entry:
                session.say(b"%d FETCH (FLAGS (%s))" % (view.number(entry.uid), _flags(entry)))
    if vanished and since is not None:
        _vanished(session, view, arguments[0], since)
    if session.lies(Lie.PARTIAL_FETCH) and len(uids) > 1:
        uids = [uid for index, uid in enumerate(uids) if index % 3 != 1]
    if session.server.shuffle:
        session.server.shuffle.shuffle(uids)
    poisoned = session.lies(Lie.FETCH_POISONED) and any("[" in item for item in items)
    stale = False
    for number, uid in enumerate(uids):
        if poisoned and uid == view.uids[0]:
            continue
        dropped = session.lies(Lie.FETCH_DROPS_UID) and number % 3 == 1
        shown = [item for item in items if item != "UID"] if dropped else items
        stale |= _one(session, view, uid, shown, since)
    if poisoned and view.uids and view.uids[0] in uids:
        raise No("Some messages could not be FETCHed")
    return Done("[EXPUNGEISSUED] Some messages were already expunged." if stale else "Fetch completed.")


def _one(session: Session, view: View, uid: int, items: list[str], since: int | None) -> bool:
    """Answer for one message; whether it had gone already."""
    entry = view.entry(uid)
    if entry is None:
        if session.lies(Lie.MADE_UP) and uid in view.ghosts:
            made_up = Entry(uid, Mail(MADE_UP, view.ghosts[uid].mail.received, 0), 0)
            _say(session, view, made_up, items)
        return not session.lies(Lie.MADE_UP)
    if since is not None and entry.modseq <= since:
        return False
    if since is not None and session.lies(Lie.CHANGEDSINCE_MISSES_NEW):
        return False
    reads = any(item.upper().startswith("BODY[") for item in items)
    if reads and not view.readonly and set_flags(entry, entry.flags | {"\\Seen"}, by=(view.folder, view)):
        items = items if "FLAGS" in items else [*items, "FLAGS"]
    _say(session, view, entry, items)
    return False


def _asked(session: Session, arguments: list[Value], *, by_uid: bool) -> tuple[list[str], int | None, bool]:
    first = arguments[0]
    items = [_item(value) for value in (first if isinstance(first, list) else [first])]
    if len(items) == 1 and items[0] in MACROS:
        items = MACROS[items[0]]
    since, vanished = None, False
    if len(arguments) > 1:
        modifiers = list_of(arguments[1])
        if word(modifiers[0]) != "CHANGEDSINCE" or not session.profile.offers("CONDSTORE"):
            raise Bad("Unknown FETCH modifier")
        since = number_of(modifiers[1])
        if not since:
            raise Bad("CHANGEDSINCE 0")  # RFC 7162 section 7: mod-sequence-value is at least 1
        vanished = len(modifiers) > 2 and word(modifiers[2]) == "VANISHED"
        if vanished and not (session.qresync and by_uid):
            raise Bad("VANISHED without QRESYNC or UID FETCH")
        asked = "MODSEQ" in items or session.lies(Lie.MODSEQ_LEFT_OUT)
        items = items if asked else [*items, "MODSEQ"]
    if by_uid and "UID" not in items:
        items = ["UID", *items]
    known = {"MODSEQ"} if session.profile.offers("CONDSTORE") else set()
    known |= {"X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"} if session.profile.offers("X-GM-EXT-1") else set()
    for item in items:
        if item not in _SIMPLE and item not in known and not _BODY.match(item):
            raise Bad(f"Unknown FETCH item {item[:30]}")
    return items, since, vanished


def _item(value: Value) -> str:
    text = text_of(value)
    return text if "[" in text else text.upper()


_SIMPLE = {"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY"}


def _vanished(session: Session, view: View, asked: Value, since: int) -> None:
    if session.lies(Lie.VANISHED_LOST) and b"*" in text_of(asked).encode():
        return
    spans = ranges(asked, view.folder.uidnext - 1)
    gone = [u for u in view.folder.gone_since(since) if any(low <= u <= high for low, high in spans)]
    if session.lies(Lie.VANISHED_ALL):
        gone = list(range(1, view.folder.uidnext))
    # What the client has not been told yet comes as VANISHED without EARLIER.
    gone = [uid for uid in gone if uid not in view.gone]
    if gone:
        session.say(b"VANISHED (EARLIER) " + compact(gone))


def _say(session: Session, view: View, entry: Entry, items: list[str]) -> None:
    shown = [value for item in items if (value := _value(entry, item)) is not None]
    session.say(b"%d FETCH (%s)" % (view.number(entry.uid), b" ".join(shown)))


def _flags(entry: Entry) -> bytes:
    return " ".join(sorted(entry.flags)).encode()


def _value(entry: Entry, item: str) -> bytes | None:
    mail = entry.mail
    match item:
        case "UID":
            return b"UID %d" % entry.uid
        case "FLAGS":
            return b"FLAGS (%s)" % _flags(entry)
        case "MODSEQ":
            return b"MODSEQ (%d)" % entry.modseq
        case "INTERNALDATE":
            return b'INTERNALDATE "%s"' % f"{mail.received:%d-%b-%Y %H:%M:%S %z}".encode()
        case "RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(mail.raw)
        case "ENVELOPE":
            return b"ENVELOPE " + mime.envelope(mime.parsed(mail.raw))
        case "BODYSTRUCTURE" | "BODY":
            return item.encode() + b" " + mime.structure(mime.parsed(mail.raw))
        case "X-GM-MSGID" | "X-GM-THRID":
            return f"{item} {mail.serial + 1_000_000}".encode()
        case "X-GM-LABELS":
            return b"X-GM-LABELS (%s)" % b" ".join(b'"%s"' % f.name.encode() for f in mail.homes)
        case _:
            return _section(entry, item)


def _section(entry: Entry, item: str) -> bytes:
    match = _BODY.match(item)
    if match is None:
        raise Bad("Unknown FETCH item")
    spec = match[2]
    data = _content(entry.mail.raw, spec)
    label = f"BODY[{spec}]"
    if match[3] is not None and data is not None:
        start, size = int(match[3]), int(match[4])
        data, label = data[start : start + size], f"{label}<{start}>"
    return label.encode() + b" " + (b"NIL" if data is None else literal(data))


def _content(raw: bytes, spec: str) -> bytes | None:
    if not spec:
        return raw
    found = _SPEC.match(spec)
    if found is None:
        raise Bad("Unknown section")
    whole = mime.parsed(raw)
    part = mime.section(whole, found[1]) if found[1] else whole
    what = (found[2] or "").upper()
    if part is None:
        return None
    if found[1] and what not in ("", "MIME"):
        if part.type != "message/rfc822":
            return None
        part = part.parts[0]
    names = frozenset(_names(found[3])) if what.startswith("HEADER.FIELDS") else frozenset()
    match what:
        case "HEADER" | "MIME":
            return part.header
        case "HEADER.FIELDS":
            return mime.chosen_fields(part.header, names)
        case "HEADER.FIELDS.NOT":
            return mime.chosen_fields(part.header, names, others=True)
        case _:
            return part.body


def _names(text: str) -> list[str]:
    listed = values([text.encode()])
    return [word(name) for name in list_of(listed[0])]
