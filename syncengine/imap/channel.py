"""Tagged commands over a transport: many out in one write, all that comes back in one place.

Answers are matched by tag alone, since servers may finish pipelined commands in another order
(RFC 9051 section 5.5; Dovecot does).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from syncengine.imap.bulk import SHAPE, fetches
from syncengine.imap.commands import Command, Reply, Untagged
from syncengine.imap.errors import WireError
from syncengine.imap.responses import Condition, ServerBye
from syncengine.imap.tokens import LITERAL
from syncengine.imap.transport import Transport
from syncengine.imap.wire import completion, parse, readable

log = logging.getLogger(__name__)

Trace = Callable[[str, bytes], None]
"""Called with ``C`` or ``S`` and one line; never sees a secret."""

MAX_LITERAL = 96 << 20
"""Octets of one literal: a message with its recording."""
MAX_HEADER = 64 << 10
"""Octets kept of a literal that is not a message; the rest is read past."""
MAX_EXCHANGE = 256 << 20
"""Octets one exchange may bring."""
MAX_WEIGHT = 2_000_000
"""Values one exchange may bring: messages, folders, ranges of UIDs."""
MAX_SILENCES = 10
"""Timeouts that one exchange may take, slowly as it may come."""
SLOWEST = 16 << 10
"""Octets a second that may come beyond that time."""
_WINDOW = 32 << 10
"""Octets written before answers are read: more could block both ends on full buffers."""
_WORDS = (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")


class Channel:
    """The command stream of one connection."""

    def __init__(self, transport: Transport, trace: Trace | None) -> None:
        self.transport = transport
        self.trace = trace
        self.literals = 0
        """The largest literal that needs no go-ahead (LITERAL+, LITERAL-; RFC 7888)."""
        self.forget_on_select = True
        self._count = 0
        self._ahead: list[tuple[bytes, Command]] = []
        self._early: dict[bytes, Condition] = {}

    def exchange(self, commands: Sequence[Command], untagged: Untagged, *, gate: bool = False) -> Reply:
        """Send all of ``commands`` in as few writes as is safe and wait for their completions.

        ``gate``: when the first is refused, the rest is not waited for.
        """
        self._forsake(untagged)
        limit = _Limit(self.transport.received, time.monotonic())
        results: dict[bytes, Condition] = {}
        tagged = [(self.next_tag(), item) for item in commands]
        window: list[tuple[bytes, Command]] = []
        for tag, item in tagged:
            stepwise = any(len(literal) > self.literals for literal in item.parts[1::2])
            if window and (stepwise or sum(_size(other) for _, other in window) + _size(item) > _WINDOW):
                self._flush(window, untagged, results, limit, gate=gate)
                window = []
            if stepwise:
                self._step(tag, item, untagged, results, limit)
            else:
                window.append((tag, item))
        if window:
            self._flush(window, untagged, results, limit, gate=gate)
        return Reply(
            tuple(results[tag] for tag, _ in tagged if tag in results), untagged, tuple(t for t, _ in tagged)
        )

    def answer(self, item: Command, then: Command | None, untagged: Untagged) -> Reply:
        """The reply to ``item``, with ``then`` sent before it is waited for: the server has work meanwhile.

        Ask for ``then`` next; any other exchange throws away what it brings. What came without a tag may
        be about either.
        """
        wanted = [item] if then is None else [item, then]
        if self._ahead and self._ahead[0][1] is not item:
            self._forsake(untagged)
        fresh = [(self.next_tag(), one) for one in wanted[len(self._ahead) :]]
        if fresh:
            self._announce(fresh)
            self.transport.send(b"".join(_rendered(tag, one) for tag, one in fresh))
        self._ahead += fresh
        tag = self._ahead.pop(0)[0]
        self._complete({tag: item, **dict(self._ahead)}, tag, untagged)
        return Reply((self._early.pop(tag),), untagged, (tag,))

    def _forsake(self, untagged: Untagged) -> None:
        """Read past the answer to what was sent ahead, so that nobody takes it for his."""
        past = Untagged(exists=untagged.exists)
        while self._ahead:
            tag, item = self._ahead.pop(0)
            self._complete({tag: item}, tag, past)
        self._early.clear()
        untagged.exists = past.exists

    def _complete(self, waiting: dict[bytes, Command], tag: bytes, untagged: Untagged) -> None:
        limit = _Limit(self.transport.received, time.monotonic())
        while tag not in self._early:
            done = self._until_done(waiting, untagged, limit)
            if done is None:
                raise WireError("the server asks for more although nothing is left to say")
            self._early[done.tag] = done

    def within(
        self, idle: bytes, commands: Sequence[Command], untagged: Untagged
    ) -> tuple[Reply, bytes, bool]:
        """The reply to ``commands`` between the end of one IDLE and the next, its tag, and whether
        anything was told that they had not asked for.
        """
        tagged = [(self.next_tag(), item) for item in commands]
        begun = self.next_tag()
        text = b"".join(_rendered(tag, item) for tag, item in tagged)
        self.write(b"DONE\r\n" + text + begun + b" IDLE\r\n")
        waiting = {idle, *(tag for tag, _ in tagged)}
        results: dict[bytes, Condition] = {}
        limit = _Limit(self.transport.received, time.monotonic())
        while (parts := self.response())[0][:1] != b"+" or waiting:
            if parts[0][:1] == b"*":
                limit.hold(self.transport, untagged)
                self.take(parts, untagged)
                continue
            done = completion(parts[0])
            if done is None or done.tag not in waiting:
                raise WireError(f"no answer to anything asked: {readable(parts[0])!r}")
            waiting.discard(done.tag)
            results[done.tag] = done
        told = bool(untagged.fetches or untagged.vanished or untagged.expunged)
        tags = tuple(tag for tag, _ in tagged)
        return Reply(tuple(results[tag] for tag in tags), untagged, tags), begun, told

    def next_tag(self) -> bytes:
        """A tag never used before on this connection."""
        self._count += 1
        return b"v%d" % self._count

    def write(self, data: bytes, *, shown: bytes | None = None) -> None:
        """Send octets; ``shown`` is what a trace sees instead of them."""
        if self.trace:
            for line in (data if shown is None else shown).rstrip(b"\r\n").split(b"\r\n"):
                self.trace("C", line)
        self.transport.send(data)

    def response(self, *, secret: bool = False) -> list[bytes]:
        """The next response, text and literals in turn, without its line end; empty lines are skipped."""
        line = b""
        while not line:
            line = self.transport.readline().rstrip(b"\r\n")
        parts = [line]
        kept = 0
        while line.endswith(b"}") and (mark := LITERAL.search(line)) and not _is_text(parts[0]):
            size = int(mark[1])
            keep = MAX_LITERAL if b"BODY[" in line and b"BODY[HEADER" not in line else MAX_HEADER
            if size > MAX_LITERAL or kept > MAX_LITERAL:
                raise WireError(f"a literal of {size} octets")
            parts.append(self.transport.read_part(size, keep))
            kept += len(parts[-1])
            line = self.transport.readline().rstrip(b"\r\n")
            parts.append(line)
        if self.trace:
            self.trace("S", b"***" if secret else b"".join(parts)[:4096])
        return parts

    def take(self, parts: Sequence[bytes], untagged: Untagged) -> None:
        """Route one untagged response; raises ``ServerBye``."""
        response = parse(parts)
        if isinstance(response, Condition):
            if response.status == "BYE":
                raise ServerBye(response)
            if response.code == "ALERT":
                log.warning("%s says: %s", self.transport.host, response.text)
        untagged.take(response)

    def _flush(
        self,
        window: Sequence[tuple[bytes, Command]],
        untagged: Untagged,
        results: dict[bytes, Condition],
        limit: _Limit,
        *,
        gate: bool,
    ) -> None:
        self._announce(window)
        self.transport.send(b"".join(_rendered(tag, item) for tag, item in window))
        waiting = dict(window)
        first = window[0][0]
        while waiting:
            done = self._until_done(waiting, untagged, limit)
            if done is None:
                raise WireError("the server asks for more although nothing is left to say")
            results[done.tag] = done
            if gate and done.tag == first and not done.ok:
                return

    def _step(
        self, tag: bytes, item: Command, untagged: Untagged, results: dict[bytes, Condition], limit: _Limit
    ) -> None:
        """One command whose literals each wait for the server's go-ahead (RFC 9051 section 4.3)."""
        self._announce([(tag, item)])
        data = tag + b" " + item.parts[0]
        for literal, text in zip(item.parts[1::2], item.parts[2::2], strict=True):
            self.transport.send(b"%s{%d}\r\n" % (data, len(literal)))
            done = self._until_done({tag: item}, untagged, limit)
            if done is not None:
                results[tag] = done
                return
            data = literal + text
        self.transport.send(data + b"\r\n")
        done = self._until_done({tag: item}, untagged, limit)
        if done is None:
            raise WireError("the server asks for more although nothing is left to say")
        results[tag] = done

    def _until_done(
        self, waiting: dict[bytes, Command], untagged: Untagged, limit: _Limit
    ) -> Condition | None:
        """Read until one of ``waiting`` is complete (and take it out), or None at a go-ahead."""
        transport = self.transport
        while True:
            if self.trace is None:
                self._bulk(untagged, limit)
            parts = self.response()
            lead = parts[0][:1]
            if lead == b"*":
                limit.hold(transport, untagged)
                self.take(parts, untagged)
            elif lead == b"+":
                return None
            else:
                done = completion(parts[0])
                item = waiting.pop(done.tag, None) if done else None
                if done is None or item is None:
                    raise WireError(f"no answer to anything asked: {readable(parts[0])!r}")
                if item.selects:
                    untagged.completed_select(forget=self.forget_on_select)
                if item.deflates and done.ok:
                    transport.start_deflate()
                return done

    def _bulk(self, untagged: Untagged, limit: _Limit) -> None:
        """Take FETCHes straight out of the buffer while they come; the rest of one that is cut off comes."""
        transport = self.transport
        while transport.begins_with(SHAPE):
            found, octets, cut = fetches(transport.peek())
            untagged.take_all(found)
            transport.skip(octets)
            if not found or (transport.has_line() and not cut):
                return
            limit.hold(transport, untagged)
            transport.more()

    def _announce(self, window: Sequence[tuple[bytes, Command]]) -> None:
        if self.trace:
            for tag, item in window:
                shown = item.parts[0].partition(b" ")[0] + b" ***" if item.secret else b"".join(item.parts)
                self.trace("C", tag + b" " + shown)


@dataclass(frozen=True, slots=True)
class _Limit:
    """What one exchange may bring, and how long it may go on: a server may speak forever."""

    received: int
    since: float

    def hold(self, transport: Transport, untagged: Untagged) -> None:
        """Raises ``WireError`` beyond the octets or values, ``TimeoutError`` beyond the time."""
        octets = transport.received - self.received
        if octets > MAX_EXCHANGE or untagged.weight > MAX_WEIGHT:
            raise WireError("an answer without end")
        if time.monotonic() - self.since > MAX_SILENCES * transport.patience + octets / SLOWEST:
            raise TimeoutError("an answer does not end in time")


def _rendered(tag: bytes, item: Command) -> bytes:
    out = [tag, b" "]
    for index, part in enumerate(item.parts):
        if index % 2:
            out.append(b"{%d+}\r\n" % len(part))
        out.append(part)
    out.append(b"\r\n")
    return b"".join(out)


def _size(item: Command) -> int:
    return sum(map(len, item.parts)) + 32


def _is_text(line: bytes) -> bool:
    """Whether the line ends in free text, where ``{5}`` is no literal."""
    words = line.split(b" ", 2)
    return len(words) > 1 and words[1].upper() in _WORDS
