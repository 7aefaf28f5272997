"""Opening and leaving a folder, with what changed since last time (RFC 7162 section 3.2.5)."""

from __future__ import annotations

from tests.support.simimap.commands.folders import account_of, modseq_shown, uidvalidity_shown
from tests.support.simimap.folder import Folder, View
from tests.support.simimap.grammar import Bad, Value, compact, list_of, name_of, number_of, ranges, word
from tests.support.simimap.profiles import Lie
from tests.support.simimap.session import Done, Session

FLAGS = "\\Answered \\Flagged \\Deleted \\Seen \\Draft"


def select(session: Session, arguments: list[Value]) -> Done:
    """SELECT."""
    return _open(session, arguments, readonly=False)


def examine(session: Session, arguments: list[Value]) -> Done:
    """EXAMINE."""
    return _open(session, arguments, readonly=True)


def unselect(session: Session, arguments: list[Value]) -> Done:
    """UNSELECT (RFC 3691)."""
    session.deselect()
    return Done("Unselect completed.")


def close(session: Session, arguments: list[Value]) -> Done:
    """CLOSE: expunges without a word."""
    if session.view and not session.view.readonly:
        account_of(session).expunge(session.view.folder.name)
    session.deselect()
    return Done("Close completed.")


def _open(session: Session, arguments: list[Value], *, readonly: bool) -> Done:
    name = name_of(arguments[0])
    if session.view is not None:
        # Whatever becomes of it, the folder that was open is left (RFC 9051 section 6.3.2).
        session.deselect()
        if session.profile.offers("QRESYNC"):
            session.say(b"OK [CLOSED] Previous mailbox closed.")
    options = _options(session, arguments[1:])
    folder = account_of(session).folder(name)
    session.condstore |= bool(options)
    view = session.view = folder.open(readonly=readonly)
    _describe(session, folder, view)
    known = options.get("QRESYNC")
    if known is not None:
        _resynchronise(session, view, known)
    code = "READ-ONLY" if readonly else "READ-WRITE"
    return Done(f"[{code}] Select completed.", sync=False)


def _options(session: Session, arguments: list[Value]) -> dict[str, list[Value]]:
    if not arguments:
        return {}
    found: dict[str, list[Value]] = {}
    words = list_of(arguments[0])
    while words:
        key = word(words.pop(0))
        if key not in ("CONDSTORE", "QRESYNC") or not session.profile.offers(key):
            raise Bad("Unknown SELECT parameter")
        if key == "QRESYNC" and not session.qresync:
            raise Bad("QRESYNC not enabled")
        found[key] = list_of(words.pop(0)) if key == "QRESYNC" else []
    return found


def _describe(session: Session, folder: Folder, view: View) -> None:
    session.say(f"FLAGS ({FLAGS})".encode())
    permanent = "" if view.readonly else f"{FLAGS} \\*"
    session.say(f"OK [PERMANENTFLAGS ({permanent})] Flags permitted.".encode())
    session.say(b"%d EXISTS" % len(view.uids))
    session.say(b"0 RECENT")
    if not session.lies(Lie.UIDVALIDITY_MISSING):
        session.say(b"OK [UIDVALIDITY %d] UIDs valid" % uidvalidity_shown(session, folder))
    if session.profile.uidnext_in_select:
        session.say(b"OK [UIDNEXT %d] Predicted next UID" % folder.uidnext)
    if not session.profile.offers("CONDSTORE") and not session.lies(Lie.MODSEQ_UNOFFERED):
        return
    if session.lies(Lie.NOMODSEQ):
        session.say(b"OK [NOMODSEQ] No permanent mod-sequences")
    elif session.condstore or session.profile.modseq_unasked:
        session.say(b"OK [HIGHESTMODSEQ %d] Highest" % modseq_shown(session, folder))


def _resynchronise(session: Session, view: View, known: list[Value]) -> None:
    folder = view.folder
    uidvalidity, modseq = number_of(known[0]), number_of(known[1])
    if uidvalidity != folder.uidvalidity or session.lies(Lie.NOMODSEQ):
        return
    asked = ranges(known[2], folder.uidnext - 1) if len(known) > 2 else [(1, folder.uidnext - 1)]
    if session.lies(Lie.VANISHED_ALL):
        session.say(b"VANISHED (EARLIER) 1:%d" % max(1, folder.uidnext - 1))
    else:
        gone = [uid for uid in folder.gone_since(modseq) if any(low <= uid <= high for low, high in asked)]
        if gone:
            session.say(b"VANISHED (EARLIER) " + compact(gone))
    fresh = session.lies(Lie.CHANGEDSINCE_MISSES_NEW)
    for uid in view.uids:
        entry = folder.entries[uid]
        if entry.modseq > modseq and any(low <= uid <= high for low, high in asked) and not fresh:
            session.tell_flags(entry, uid=True)
