"""FETCHes in bulk: the two shapes that come by the hundred thousand, straight out of the buffer. Pure.

An optimisation and nothing else: whatever is not exactly one of these shapes is left where it is, and
``wire.parse`` reads it to the same values.
"""

from __future__ import annotations

import re

from syncengine.imap.responses import Fetch
from syncengine.imap.uidset import LARGEST_UID
from syncengine.imap.wire import flag_set

_FLAGS = rb"FLAGS \(([^()\"\[\r\n]*)\)"
SHAPE = re.compile(
    rb"\* \d{1,10} FETCH \((?:UID (\d{1,10})(?: MODSEQ \((\d{1,18})\))? "
    + _FLAGS
    + rb"|"
    + _FLAGS
    + rb" UID (\d{1,10}))"
    rb"(?: MODSEQ \((\d{1,18})\))?"
    rb"(?: INTERNALDATE \"([^\"\\\r\n]{0,40})\")?(?: RFC822\.SIZE (\d{1,18}))?"
    rb"(?:\)| BODY\[HEADER\.FIELDS \([^()\"\r\n]*\)\] \{(\d{1,5})\})\r\n"
)
"""Flags and MODSEQ, alone or with one header literal, date and size."""


def fetches(data: bytes) -> tuple[list[Fetch], int, bool]:
    """The FETCHes at the beginning of ``data``, how many octets they are, and whether the next one's
    literal is cut off; a part of one is left.
    """
    found: list[Fetch] = []
    at = 0
    cut = False
    while match := SHAPE.match(data, at):
        uid_before, early, flags_after, flags_before, uid_after, late, date, octets, size = match.groups()
        uid = int(uid_before or uid_after)
        end = match.end()
        if not 0 < uid <= LARGEST_UID:
            break
        flags = flag_set(flags_after if uid_before else flags_before)
        number = int(modseq) if (modseq := late or early) else None
        whole = int(octets) if octets else None
        if size is None:
            found.append(Fetch(uid, flags, number, size=whole, arrived=date or b""))
        else:
            start, end = end, end + int(size)
            if data[end : end + 3] != b")\r\n":
                cut = end + 3 > len(data)
                break
            found.append(Fetch(uid, flags, number, {"HEADER.FIELDS": data[start:end]}, whole, date or b""))
            end += 3
        at = end
    return found, at, cut
