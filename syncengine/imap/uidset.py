"""UID sets (RFC 9051 section 9, ``sequence-set``): ranges in, ranges out. Pure.

A set that comes from a server is never expanded: it is kept as ranges and asked about, so that
``1:4294967295`` costs as much memory as ``1``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from syncengine.imap.errors import WireError

LARGEST_UID = 4_294_967_295
"""UIDs are non-zero unsigned 32-bit numbers (RFC 9051 section 2.3.1.1)."""

_SET = re.compile(rb"(?:\d{1,10}(?::\d{1,10})?(?:,|\Z))*")
"""A number ends at a comma or at the end: else digits could be read in as many ways as they can be cut."""


@dataclass(frozen=True, slots=True)
class UidSet:
    """Sorted, disjoint, inclusive ranges."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, uids: Iterable[int]) -> UidSet:
        """The set of these UIDs."""
        return cls(_merged((uid, uid) for uid in uids))

    @classmethod
    def parse(cls, text: bytes) -> UidSet:
        """Read ``1:3,7``; order, doubles and overlaps do not matter (GreenMail sends ``1,1:3``).

        Raises ``WireError`` on anything that is not a set of numbers.
        """
        if not _SET.fullmatch(text):
            raise WireError(f"not a UID set: {text[:40]!r}")
        return cls(_merged(_bounds(item) for item in text.split(b",") if item))

    def __contains__(self, uid: int) -> bool:
        at = bisect_right(self.ranges, (uid, LARGEST_UID + 1)) - 1
        return at >= 0 and self.ranges[at][1] >= uid

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    @classmethod
    def union(cls, sets: Iterable[UidSet]) -> UidSet:
        """Everything that is in any of ``sets``."""
        return cls(_merged(pair for other in sets for pair in other.ranges))

    def among(self, uids: Iterable[int]) -> list[int]:
        """Those of ``uids`` that are in the set, in their own order."""
        return [uid for uid in uids if uid in self] if self.ranges else []

    def count_below(self, limit: int) -> int:
        """How many members are smaller than ``limit``."""
        return sum(min(high, limit - 1) - low + 1 for low, high in self.ranges if low < limit)

    def members(self, *, start: int = 1, limit: int) -> list[int]:
        """The members from ``start`` on, one by one; ``WireError`` when there are more than ``limit``."""
        kept = [(max(low, start), high) for low, high in self.ranges if high >= start]
        if sum(high - low + 1 for low, high in kept) > limit:
            raise WireError(f"a UID set of more than {limit} members")
        return [uid for low, high in kept for uid in range(low, high + 1)]

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in self.ranges)


def in_order(text: bytes, *, limit: int) -> list[int]:
    """Every number of a set in the order it is written, doubles kept: both sides of COPYUID are
    paired by position (RFC 4315 section 3). ``WireError`` beyond ``limit``.
    """
    if not _SET.fullmatch(text):
        raise WireError(f"not a UID set: {text[:40]!r}")
    found: list[int] = []
    for item in filter(None, text.split(b",")):
        first, _, last = item.partition(b":")
        low, high = int(first), int(last or first)
        if abs(high - low) + len(found) >= limit:
            raise WireError(f"a UID set of more than {limit} members")
        found.extend(range(low, high + 1) if low <= high else range(low, high - 1, -1))
    return found


def chunks(
    uids: Iterable[int], *, octets: int = 6_000, count: int = 1 << 30
) -> Iterator[tuple[str, list[int]]]:
    """Sets for command lines, with their members: each at most ``octets`` long and ``count`` members.

    Courier drops the connection at 16 kB, RFC 7162 section 4 advises 8,192 octets a line.
    """
    text: list[str] = []
    members: list[int] = []
    length = 0
    for low, high in _runs(uids):
        start = low
        while start <= high:
            end = min(high, start + count - len(members) - 1)
            item = str(start) if start == end else f"{start}:{end}"
            text.append(item)
            members.extend(range(start, end + 1))
            length += len(item) + 1
            start = end + 1
            if length > octets - 24 or len(members) >= count:
                yield ",".join(text), members
                text, members, length = [], [], 0
    if text:
        yield ",".join(text), members


def _bounds(item: bytes) -> tuple[int, int]:
    first, _, last = item.partition(b":")
    low, high = int(first), int(last or first)
    if not (0 < low <= LARGEST_UID and 0 < high <= LARGEST_UID):
        raise WireError(f"not a UID: {item!r}")
    return (low, high) if low <= high else (high, low)


def _runs(uids: Iterable[int]) -> Iterator[tuple[int, int]]:
    ordered = iter(sorted(uids))
    low = high = next(ordered, 0)
    for uid in ordered:
        if uid > high + 1:
            yield low, high
            low = uid
        high = uid
    if high:
        yield low, high


def _merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)
