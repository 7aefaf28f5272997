"""Which message is which: what a spool shows now against what was known of it. Pure.

A message is known by its msg_id and, since those are missing, doubled and rewritten in practice, by a
second identity: origtime, caller id, duration and the recording's SHA-256. That one survives another
msg_id, another number and another folder. A reference once given stays with its message.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from syncengine.model import TOKEN
from syncengine.voicemail.asterisk.info import MessageInfo
from syncengine.voicemail.asterisk.layout import Stat


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as the spool shows it now."""

    folder: str
    number: int
    info: MessageInfo
    text: Stat
    """Its ``.txt`` on disk."""
    sound: Stat
    """Its recording on disk; zeros for a ghost, which has none."""
    suffix: str
    """Which file the recording is; '' for a ghost."""
    digest: str
    """SHA-256 of the recording in hex; '' for a ghost."""

    @property
    def second(self) -> str:
        """The second identity, as a digest."""
        parts = (self.info.origtime, self.info.callerid, self.info.duration, self.digest)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Known:
    """One message that was given a reference, as it was last seen."""

    ref: str
    seen: Seen
    token: str = ""
    """The token it was taken in again under; '' where it follows from the reference."""
    gone: float = 0.0
    """When it was first missed, seconds since the epoch; 0 while it is there."""


_Key = Callable[[Seen], Hashable | None]

_SURE: tuple[_Key, ...] = (
    lambda s: (s.info.msg_id, s.second, s.folder, s.number) if s.digest else None,
    lambda s: (s.info.msg_id, s.second, s.folder, s.sound) if s.digest else None,
    lambda s: (s.info.msg_id, s.second, s.folder) if s.digest else None,
    lambda s: (s.info.msg_id, s.second) if s.digest else None,
    lambda s: s.second if s.digest else None,
)
"""The same recording, surest first. The places in the first rungs only tell equal copies apart."""

_LIKELY: tuple[_Key, ...] = (
    lambda s: (s.info.msg_id, s.info.origtime) if s.info.msg_id else None,
    lambda s: (s.info, s.text[0]),
)
"""The same message although its recording is another or gone: only for what was there a moment ago."""


def recognise(
    there: Sequence[Known], seen: Iterable[Seen], prefix: str, *, away: Sequence[Known] = ()
) -> list[Known]:
    """Give every message of ``seen`` its reference; the result is in the order of (origtime, reference).

    ``there``: what was in the spool last time; ``away``: what was deleted or missing. New references
    begin with ``prefix``. A ghost that was never seen with its recording is nothing: it is left out.
    """
    remaining = sorted(seen, key=lambda s: (s.info.origtime, s.second, s.folder, s.number))
    waiting, found = [*there, *away], []
    for key in _SURE:
        remaining, waiting, matched = _match(remaining, waiting, key)
        found += matched
    refs_away = {k.ref for k in away}
    waiting = [k for k in waiting if k.ref not in refs_away]
    for key in _LIKELY:
        remaining, waiting, matched = _match(remaining, waiting, key)
        found += matched
    refs = {k.ref for k in (*there, *away)}
    tokens = {k.token for k in (*there, *away) if k.token}
    for one in remaining:
        if one.digest:
            new = _new(one, prefix, refs, tokens)
            refs.add(new.ref)
            tokens.add(new.token)
            found.append(new)
    return sorted(found, key=lambda k: (k.seen.info.origtime, k.ref))


def _match(seen: list[Seen], known: list[Known], key: _Key) -> tuple[list[Seen], list[Known], list[Known]]:
    waiting: dict[Hashable, list[Known]] = defaultdict(list)
    for one in reversed(known):
        if (value := key(one.seen)) is not None:
            waiting[value].append(one)
    left: list[Seen] = []
    matched: list[Known] = []
    taken: set[str] = set()
    for now in seen:
        value = key(now)
        if value is not None and waiting.get(value):
            before = waiting[value].pop()
            taken.add(before.ref)
            matched.append(replace(before, seen=_kept(now, before.seen), gone=0.0))
        else:
            left.append(now)
    return left, [k for k in known if k.ref not in taken], matched


def _kept(now: Seen, before: Seen) -> Seen:
    """A ghost keeps the identity it had while it could be heard: its recording may come back."""
    return now if now.digest else replace(now, digest=before.digest)


def _new(seen: Seen, prefix: str, refs: set[str], tokens: set[str]) -> Known:
    base = f"{prefix}{seen.info.msg_id}" if seen.info.msg_id else f"{prefix}={seen.second[:32]}"
    ref, count = base, 1
    if ref in refs:
        ref = base = f"{base}+{seen.second[:16]}"
    while ref in refs:
        count += 1
        ref = f"{base}+{count}"
    token, _, marked = seen.info.mark.partition(" ")
    # A copy carries the mark verbatim: it counts only beside the reference that it was written for.
    valid = TOKEN.fullmatch(token) and marked == ref and token not in tokens
    return Known(ref, seen, token if valid else "")
