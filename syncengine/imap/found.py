"""Messages by the header fields they are recognised by: what is asked, and what came. Pure."""

from __future__ import annotations

from collections.abc import Callable

from syncengine.imap.commands import Command, Reply, command
from syncengine.imap.responses import Fetch
from syncengine.imap.uidset import UidSet
from syncengine.model import Found, HeaderFields, ModSeq, Place, Uid, UidValidity
from syncengine.rules.identity import HEADER_NAMES, parse_header_block

HEADER_SECTION = f"BODY.PEEK[HEADER.FIELDS ({' '.join(HEADER_NAMES).upper()})]".encode()
"""What is asked of the server to recognise a message by."""

_MARKS = b"BODY.PEEK[HEADER.FIELDS (X-VM-MESSAGE-UUID MESSAGE-ID)]"
_NO_TOKEN = HeaderFields()


def headers(uids: str, *, modseq: bool) -> Command:
    """The command that reads what a message is recognised by, with its flags."""
    return command(
        b"UID FETCH %s (UID FLAGS %s%s)" % (uids.encode(), b"MODSEQ " if modseq else b"", HEADER_SECTION)
    )


def marks(uids: str) -> Command:
    """The command that reads no more than shows whether a message carries a token."""
    return command(b"UID FETCH %s (UID FLAGS %s)" % (uids.encode(), _MARKS))


def token_fields(block: bytes) -> HeaderFields:
    """The fields of a header block, none at all where nothing in it can be a token or a report of ours."""
    if b"vm-" in block or b"=?" in block or b"multipart/report" in block.lower():
        return parse_header_block(block)
    return _NO_TOKEN


def found_in(
    folder: str,
    uidvalidity: UidValidity,
    reply: Reply,
    start: int,
    *,
    read: Callable[[bytes], HeaderFields] = token_fields,
) -> tuple[Found, ...]:
    """The messages from UID ``start`` on whose headers were read.

    ``n:*`` always brings the last one, whatever its UID (RFC 9051 section 9).
    """
    latest: dict[int, Fetch] = {}
    blocks: dict[int, bytes] = {}
    for fetch in reply.untagged.fetches:
        if fetch.flags is not None and fetch.uid >= start:
            latest[fetch.uid] = fetch
            block = fetch.sections.get("HEADER.FIELDS")
            if block is not None:
                blocks[fetch.uid] = block
    gone = UidSet.union(reply.untagged.vanished)
    return tuple(
        Found(
            Place(folder, uidvalidity, Uid(uid)),
            latest[uid].flags or frozenset(),
            read(blocks[uid]),
            ModSeq(modseq) if (modseq := latest[uid].modseq) else None,
        )
        for uid in sorted(blocks)
        if uid not in gone
    )
