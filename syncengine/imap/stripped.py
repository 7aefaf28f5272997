"""Mails of ours whose header fields a gateway has taken off: known by their own line ``Ref: token``.

Only a mail from the account's own address can be one, and never a reply or a report.
"""

from __future__ import annotations

from syncengine.imap.commands import command
from syncengine.imap.found import found_in, headers
from syncengine.imap.session import Session
from syncengine.imap.texts import own_text
from syncengine.imap.uidset import UidSet
from syncengine.model import Found, Place, Token, Uid, UidValidity
from syncengine.rules.identity import body_ref, from_own, parse_header_block

_BEGINNING = 65_536


def may_be_ours(session: Session, found: Found) -> bool:
    """Whether a mail whose whole header fields were read may be one of ours that was stripped."""
    header = found.header
    ours = from_own(header, session.settings.own_addresses)
    marks = header.vm_uuid or header.vm_mailbox or header.vm_system
    return ours and not (marks or header.in_reply_to or header.report_type)


def reference(session: Session, uid: Uid) -> Token | None:
    """The token of the line ``Ref: token`` in the own text part of a message of the open folder."""
    reply = session.run([command(b"UID FETCH %d (UID BODY.PEEK[]<0.%d>)" % (uid, _BEGINNING))])
    for fetch in reply.untagged.fetches:
        beginning = fetch.sections.get("")
        if fetch.uid == uid and beginning is not None:
            return body_ref(own_text(beginning))
    return None


def tokens(session: Session, folder: str, uidvalidity: UidValidity, uids: list[Uid]) -> dict[Uid, Token]:
    """The tokens of those messages of the folder that are ours and were stripped."""
    if not uids:
        return {}
    reply = session.within(folder, uidvalidity, [headers(str(UidSet.of(uids)), modseq=False)])
    found = found_in(folder, uidvalidity, reply, 1, read=parse_header_block)
    asked = {Place(folder, uidvalidity, uid) for uid in uids}
    wanted = [item for item in found if item.place in asked and may_be_ours(session, item)]
    read = {item.place.uid: reference(session, item.place.uid) for item in wanted}
    return {uid: token for uid, token in read.items() if token is not None}
