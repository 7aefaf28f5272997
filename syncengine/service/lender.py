"""Connections kept warm between passes, watching while they wait; each is used by one thread at a time.

Whoever takes a mailbox's connection owns it until it is given back: a pass, the reading of what the
server told, the renewal of IDLE. One that failed is closed, never given back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from socket import SHUT_RDWR, socket

from syncengine.engine.binding import Binding
from syncengine.engine.outlook import Outlook
from syncengine.errors import FolderError, SyncError
from syncengine.imap.channel import Trace
from syncengine.imap.replica import ImapAccount
from syncengine.imap.session import Opened
from syncengine.index import Index
from syncengine.model import Traffic
from syncengine.service.ears import Ears

_log = logging.getLogger(__name__)

RENEW = 28 * 60.0
"""Seconds until IDLE is renewed: a server may end it after 29 minutes (RFC 2177)."""
_SHORTEST = 30.0
_FOLLOW_UPS = 2
"""Passes in a row that are made at once because SELECT showed more than the one before had read: our own
STORE is such news, too. Further ones wait twice as long each, for servers that show more for ever.
"""
_LONGEST_FOLLOW_UP = 600.0


Tracing = Callable[[str], Trace | None]
"""Where the lines of a mailbox's connection go, None where they are not written."""


def no_trace(_: str) -> None:
    """Trace nothing."""


class Heard(StrEnum):
    """What became of listening to a connection."""

    NOTHING = "nothing"
    TOLD = "told"
    """The server told of a change."""
    LOST = "lost"
    """The connection has ended."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections may be open. Gmail allows 15 for an account, and other programs want some."""

    total: int = 20_000
    per_server: int = 20_000
    per_account: int = 5


@dataclass(slots=True, eq=False)
class _Kept:
    number: str
    terms: object
    """The options it was opened with; under others it is not used again."""
    server: str
    login: tuple[str, str]
    account: ImapAccount = field(init=False)
    line: socket | None = None
    folder: str | None = None
    """The folder it watches; None while it only waits."""
    opened: Opened | None = None
    """How that folder stood when it was opened."""
    since: float = 0.0
    followed: int = 0
    """Passes in a row that left more to be read."""
    """Its socket, for whoever has to end a wait."""


class Lender:
    """Lends each mailbox's connection. ``random`` gives numbers from 0 to 1, for the jitter of renewals."""

    def __init__(
        self, ears: Ears, limits: Limits, random: Callable[[], float], trace: Tracing = no_trace
    ) -> None:
        self._ears = ears
        self._limits = limits
        self._random = random
        self._trace = trace
        self._lock = threading.Lock()
        self._open: set[_Kept] = set()
        self._counts: Counter[object] = Counter()
        self._watched: Counter[object] = Counter()
        self._waiting: OrderedDict[str, _Kept] = OrderedDict()
        self._habits: dict[str, float] = {}
        self._interrupted = False

    # For passes

    @contextmanager
    def connect(self, binding: Binding, index: Index) -> Iterator[ImapAccount]:
        """The mailbox's account for one pass: kept from before where it still lives, else a new one."""
        kept = self._revived(binding) or self._opened(binding, index)
        try:
            yield kept.account
            binding.note_server(index, kept.account)
        except BaseException:
            self._close(kept)
            raise
        if kept.account.alive:
            self._keep(kept)
        else:
            self._close(kept)

    def glance(self, binding: Binding) -> tuple[int, Traffic] | None:
        """Have the account's folders listed on the connection that is kept, watching or not: what they
        show as a hash, and what it cost; None where a pass has to look for itself.
        """
        kept = self._take(binding.number)
        if kept is None:
            return None
        if kept.terms != self._terms(binding) or not kept.account.alive:
            self._close(kept)
            return None
        before = kept.account.traffic
        try:
            shown = kept.account.glance()
        except SyncError as error:
            _log.debug("mailbox %s: connected anew: %s", binding.number, error)
            self._close(kept)
            return None
        kept.since = time.monotonic()
        self._keep(kept)
        return None if shown is None else (hash(shown), kept.account.traffic.since(before))

    def watch(self, binding: Binding, outlook: Outlook) -> float | None:
        """After a pass: let the connection watch the folder with most live pairs, or wait, or go.

        Where the folder already shows more than the pass has read: in how many seconds another is due.
        """
        kept = self._take(binding.number)
        if kept is None:
            return None
        if outlook.folder is None:
            self._close(kept)
            return None
        watching = kept.folder is not None
        if watching or not binding.mailbox.sync.idle or not self._reserve(kept, outlook.folder):
            self._keep(kept)
            return None
        try:
            news = self._start(kept, outlook, outlook.folder)
        except FolderError as error:
            _log.debug("mailbox %s: not watched: %s", binding.number, error)
            self._release(kept)
            self._keep(kept)
            return None
        except SyncError as error:
            _log.info("mailbox %s: %s", binding.number, error)
            self._close(kept)
            return None
        self._keep(kept)
        return news

    # For what the ears heard

    def listen(self, number: str) -> Heard:
        """Read what the server told, without waiting for more."""
        kept = self._take(number)
        if kept is None:
            return Heard.NOTHING
        if kept.folder is None:
            # Nothing is told to a connection that only waits, but that it is over.
            self._close(kept)
            return Heard.NOTHING
        try:
            told = kept.account.told(0.0)
        except SyncError as error:
            return self._lost(kept, error)
        self._keep(kept, listen=not told)
        return Heard.TOLD if told else Heard.NOTHING

    def renew(self, number: str) -> Heard:
        """End IDLE and begin it anew."""
        kept = self._take(number)
        if kept is None or kept.folder is None:
            if kept is not None:
                self._keep(kept)
            return Heard.NOTHING
        folder, before = kept.folder, kept.opened
        try:
            told = kept.account.unwatch()
            kept.opened = kept.account.watch(folder)
        except SyncError as error:
            return self._lost(kept, error)
        self._habits[kept.server] = min(RENEW, self._habits.get(kept.server, RENEW) * 1.1)
        kept.since = time.monotonic()
        self._keep(kept)
        # What came between the two is not told, but the folder shows it when it is opened.
        return Heard.TOLD if told or kept.opened != before else Heard.NOTHING

    # For options and the end

    def drop(self, number: str) -> None:
        """Close a mailbox's connection unless it is in use: a changed one is not used again."""
        kept = self._take(number)
        if kept is not None:
            self._close(kept)

    def interrupt(self, *, ungreeted: bool = False) -> None:
        """End every wait for a server: shut the sockets of all connections, whoever uses them.

        ``ungreeted``: only where the server has not said a word yet, so that nothing is under way.
        """
        with self._lock:
            self._interrupted = True
            lines = [
                one.line
                for one in self._open
                if one.line is not None and not (ungreeted and one.account.alive)
            ]
        for line in lines:
            _shut(line)

    def close(self, until: float) -> None:
        """Log out everywhere, to a moment of the monotonic clock; whoever is left is cut off."""
        with self._lock:
            kept = tuple(self._waiting.values())
            self._waiting.clear()
        for one in kept:
            if time.monotonic() >= until:
                self.interrupt()
            self._close(one)

    @property
    def open(self) -> int:
        """Connections open now, in use or not."""
        return len(self._open)

    @property
    def watching(self) -> int:
        """Connections that watch a folder."""
        return self._watched[None]

    # Inside

    def _revived(self, binding: Binding) -> _Kept | None:
        kept = self._take(binding.number)
        if kept is None:
            return None
        if kept.terms == self._terms(binding) and kept.account.alive:
            try:
                if kept.folder is not None:
                    self._release(kept)
                    kept.account.unwatch()
            except SyncError as error:
                _log.debug("mailbox %s: connected anew: %s", binding.number, error)
            else:
                return kept
        self._close(kept)
        return None

    def _opened(self, binding: Binding, index: Index) -> _Kept:
        imap = binding.mailbox.imap4
        server = f"{imap.server}:{imap.port}".lower()
        kept = _Kept(binding.number, self._terms(binding), server, (server, imap.account))
        hold = partial(self._hold, kept)
        kept.account = binding.open_account(index, trace=self._trace(binding.number), on_socket=hold)
        while (oldest := self._too_many(kept)) is not None:
            self._close(oldest)
        with self._lock:
            self._open.add(kept)
            self._counts.update(_keys(kept))
        return kept

    def _hold(self, kept: _Kept, line: socket) -> None:
        """Remember a socket that has just been opened; after an interruption nobody waits for a greeting."""
        with self._lock:
            kept.line = line
            late = self._interrupted
        if late:
            _shut(line)

    def _too_many(self, wanted: _Kept) -> _Kept | None:
        """The connection that has to go for this one: the longest unused, one that watches last."""
        limits = zip(
            _keys(wanted),
            (self._limits.total, self._limits.per_server, self._limits.per_account),
            strict=True,
        )
        with self._lock:
            for key, limit in limits:
                if self._counts[key] >= limit:
                    found = [one for one in self._waiting.values() if key in _keys(one)]
                    found.sort(key=lambda one: one.folder is not None)
                    if found:
                        del self._waiting[found[0].number]
                        self._ears.forget(found[0].number)
                        return found[0]
        return None

    def _reserve(self, kept: _Kept, folder: str) -> bool:
        """Count a connection as watching a folder, where it may.

        Three quarters of the connections may watch; the rest serves those that are polled, in turn.
        """
        limits = self._limits.total, self._limits.per_server, self._limits.per_account
        with self._lock:
            for key, limit in zip(_keys(kept), limits, strict=True):
                if self._watched[key] >= max(1, limit * 3 // 4):
                    return False
            self._watched.update(_keys(kept))
            kept.folder = folder
        return True

    def _release(self, kept: _Kept) -> None:
        with self._lock:
            self._watched.subtract(_keys(kept))
            kept.folder = None

    def _terms(self, binding: Binding) -> object:
        """What a connection depends on; as long as it is equal the connection serves."""
        return (
            binding.mailbox.imap4,
            binding.mailbox.sync.command_timeout,
            binding.settings.system.domain,
            binding.post.own_addresses(),
            binding.mask,
            self._trace(binding.number) is None,
        )

    def _start(self, kept: _Kept, outlook: Outlook, folder: str) -> float | None:
        opened = kept.opened = kept.account.watch(folder)
        kept.since = time.monotonic()
        if not (_beyond(opened.uidnext, outlook.uidnext) or _beyond(opened.highestmodseq, outlook.modseq)):
            kept.followed = 0
            return None
        kept.followed += 1
        if kept.followed <= _FOLLOW_UPS:
            return 0.0
        return min(_LONGEST_FOLLOW_UP, 2.0 ** min(kept.followed - _FOLLOW_UPS, 16))

    def _lost(self, kept: _Kept, error: SyncError) -> Heard:
        age = time.monotonic() - kept.since
        _log.info("mailbox %s: the watching connection ended after %.0f s: %s", kept.number, age, error)
        if age >= _SHORTEST:
            self._habits[kept.server] = max(_SHORTEST, age * 0.8)
        self._close(kept)
        return Heard.LOST

    def _take(self, number: str) -> _Kept | None:
        with self._lock:
            self._ears.forget(number)
            return self._waiting.pop(number, None)

    def _keep(self, kept: _Kept, *, listen: bool = True) -> None:
        with self._lock:
            spare = kept.number in self._waiting
            if not spare:
                self._waiting[kept.number] = kept
                if listen:
                    self._listen(kept)
        if spare:
            self._close(kept)

    def _listen(self, kept: _Kept) -> None:
        if kept.account.has_buffered():
            self._ears.hear(kept.number)
            return
        renew = None
        if kept.folder is not None:
            habit = self._habits.get(kept.server, RENEW)
            renew = habit * (0.9 + 0.1 * self._random()) - (time.monotonic() - kept.since)
        self._ears.add(kept.number, kept.account.fileno(), renew_after=renew)

    def _close(self, kept: _Kept) -> None:
        with self._lock:
            if kept in self._open:
                self._open.discard(kept)
                self._counts.subtract(_keys(kept))
                if kept.folder is not None:
                    self._watched.subtract(_keys(kept))
        kept.account.close()


def _keys(kept: _Kept) -> tuple[object, object, object]:
    """What its connection counts for: all, the server, the account."""
    return None, kept.server, kept.login


def _shut(line: socket) -> None:
    """Past the TLS layer, which another thread may be using; an error says that it has ended."""
    with suppress(OSError):
        socket.shutdown(line, SHUT_RDWR)


def _beyond(shown: int | None, read: int | None) -> bool:
    return shown is not None and read is not None and shown > read
