"""Commands that change messages: STORE, APPEND, COPY, MOVE, EXPUNGE, each by number or by UID."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tests.support.simimap.commands.fetch import chosen, view_of
from tests.support.simimap.commands.folders import account_of
from tests.support.simimap.folder import Folder, View, set_flags
from tests.support.simimap.grammar import (
    Bad,
    No,
    Text,
    Value,
    compact,
    list_of,
    members,
    name_of,
    number_of,
    text_of,
    word,
)
from tests.support.simimap.profiles import Examine, Lie
from tests.support.simimap.session import Done, Session

SYSTEM = {f.lower(): f for f in ("\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "\\Draft")}
DATE = "%d-%b-%Y %H:%M:%S %z"


def store(session: Session, arguments: list[Value]) -> Done:
    """STORE."""
    return _store(session, arguments, by_uid=False)


def uid_store(session: Session, arguments: list[Value]) -> Done:
    """UID STORE."""
    return _store(session, arguments, by_uid=True)


def _store(session: Session, arguments: list[Value], *, by_uid: bool) -> Done:
    view = view_of(session)
    limit = _unchanged_since(session, arguments)
    operation = word(arguments[1])
    verb, _, silent = operation.partition(".")
    if verb not in ("FLAGS", "+FLAGS", "-FLAGS") or silent not in ("", "SILENT"):
        raise Bad("Unknown STORE operation")
    given = arguments[2] if isinstance(arguments[2], list) else arguments[2:]
    flags = frozenset(_flag(value) for value in given)
    uids = chosen(session, arguments[0], by_uid=by_uid)
    if view.readonly and session.profile.examine is Examine.REFUSED:
        raise No("Mailbox is read-only", code="READ-ONLY")
    refused = []
    for uid in uids:
        entry = view.entry(uid)
        if entry is None:
            continue
        if limit is not None and entry.modseq > limit:
            refused.append(uid if by_uid else view.number(uid))
            continue
        wanted = _combined(entry.flags, verb, flags)
        changed = False
        if not view.readonly and not session.lies(Lie.STORE_IGNORED):
            changed = set_flags(entry, wanted, by=(view.folder, view))
        if not silent or changed or limit is not None:
            session.tell_flags(entry, uid=by_uid, silent=bool(silent))
    if refused:
        return Done(f"[MODIFIED {compact(refused).decode()}] Conditional STORE failed")
    return Done("Store completed.")


def _unchanged_since(session: Session, arguments: list[Value]) -> int | None:
    if not isinstance(arguments[1], list):
        return None
    key, number = list_of(arguments.pop(1))
    if word(key) != "UNCHANGEDSINCE" or not session.profile.offers("CONDSTORE"):
        raise Bad("Unknown STORE modifier")
    session.condstore = True
    return number_of(number)


def _combined(before: frozenset[str], verb: str, flags: frozenset[str]) -> frozenset[str]:
    if verb == "FLAGS":
        return flags
    return before | flags if verb == "+FLAGS" else before - flags


def _flag(value: Value) -> str:
    text = text_of(value)
    if text.startswith("\\") and text.lower() not in SYSTEM:
        raise Bad("Invalid system flag")
    return SYSTEM.get(text.lower(), text)


def append(session: Session, arguments: list[Value]) -> Done:
    """APPEND (RFC 9051 section 6.3.12)."""
    account = account_of(session)
    folder = account.find(name_of(arguments[0]))
    if folder is None:
        raise No("Mailbox doesn't exist", code="TRYCREATE")
    rest = arguments[1:]
    flags = [_flag(value) for value in list_of(rest.pop(0))] if isinstance(rest[0], list) else []
    received = datetime.strptime(text_of(rest.pop(0)).strip(), DATE) if len(rest) > 1 else None
    if not isinstance(rest[0], Text):
        raise Bad("A literal was expected")
    if not rest[0]:
        raise No("Can't save a zero byte message")
    uid = account.add(folder.name, bytes(rest[0]), flags, received=received)
    if not session.profile.offers("UIDPLUS") or session.lies(Lie.NO_APPENDUID):
        return Done("Append completed.")
    return Done(f"[APPENDUID {folder.uidvalidity} {uid}] Append completed.")


def copy(session: Session, arguments: list[Value]) -> Done:
    """COPY."""
    return _transfer(session, arguments, by_uid=False, move=False)


def uid_copy(session: Session, arguments: list[Value]) -> Done:
    """UID COPY."""
    return _transfer(session, arguments, by_uid=True, move=False)


def move(session: Session, arguments: list[Value]) -> Done:
    """MOVE (RFC 6851)."""
    return _transfer(session, arguments, by_uid=False, move=True)


def uid_move(session: Session, arguments: list[Value]) -> Done:
    """UID MOVE."""
    return _transfer(session, arguments, by_uid=True, move=True)


def _transfer(session: Session, arguments: list[Value], *, by_uid: bool, move: bool) -> Done:
    view, account = view_of(session), account_of(session)
    uids = [uid for uid in chosen(session, arguments[0], by_uid=by_uid) if view.entry(uid)]
    target = account.find(name_of(arguments[1]))
    if target is None:
        raise No("Mailbox doesn't exist", code="TRYCREATE")
    if move and view.readonly:
        raise No("Mailbox is read-only", code="READ-ONLY")
    act = account.move if move else account.copy
    pairs = [(uid, act(view.folder.name, uid, target.name)) for uid in uids]
    code = _copyuid(session, target, pairs)
    if move and code:
        # RFC 6851 section 4.3: before the EXPUNGEs, in an untagged OK.
        session.say(f"OK {code} Moved UIDs.".encode())
        code = ""
    verb = "Move" if move else "Copy"
    return Done(f"{code} {verb} completed.".strip() if uids else "No messages found.")


def _copyuid(session: Session, target: Folder, pairs: Sequence[tuple[int, int]]) -> str:
    if not session.profile.offers("UIDPLUS") or session.lies(Lie.NO_COPYUID):
        return ""
    if session.lies(Lie.COPYUID_GARBLED):
        return f"[COPYUID {target.uidvalidity}  ]"
    if not pairs:
        return ""
    sides = [_in_order([pair[side] for pair in pairs]) for side in (0, 1)]
    if session.lies(Lie.COPYUID_DOUBLED) and len(pairs) > 1:
        sides = [f"{pairs[0][side]},{text}" for side, text in enumerate(sides)]
    return f"[COPYUID {target.uidvalidity} {sides[0]} {sides[1]}]"


def _in_order(numbers: list[int]) -> str:
    """Numbers as a set that keeps their order."""
    if numbers == sorted(numbers):
        return compact(numbers).decode()
    return ",".join(map(str, numbers))


def expunge(session: Session, arguments: list[Value]) -> Done:
    """EXPUNGE: all that carries ``\\Deleted``."""
    return _expunge(session, _writable(session), None)


def uid_expunge(session: Session, arguments: list[Value]) -> Done:
    """UID EXPUNGE (RFC 4315): of these UIDs, those that carry ``\\Deleted``."""
    view = _writable(session)
    named = set(members(arguments[0], list(view.folder.entries)))
    return _expunge(session, view, named)


def _writable(session: Session) -> View:
    view = view_of(session)
    if view.readonly:
        raise No("Mailbox is read-only", code="READ-ONLY")
    return view


def _expunge(session: Session, view: View, named: set[int] | None) -> Done:
    folder = view.folder
    doomed = [
        uid for uid, entry in folder.entries.items() if entry.deleted and (named is None or uid in named)
    ]
    account_of(session).expunge(folder.name, doomed)
    if doomed and session.qresync:
        return Done(f"[HIGHESTMODSEQ {folder.highestmodseq}] Expunge completed.")
    return Done("Expunge completed.")
