"""What is due when: passes over mailboxes, their waits, and whose turn it is. Pure.

One mailbox's trouble is its own: it waits by itself, and only a server that fails for several
mailboxes in a row makes its mailboxes wait together. Knows no clock: every call is told the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from syncengine.service.agenda import Agenda

COALESCE = 0.25
"""Seconds from the first of several changes to the pass over them all."""
SURVIVAL = 60.0
"""Seconds of success until earlier failures are forgotten: a flapping server does not start over."""
REFUSALS = 3
"""Refused logins until nothing is tried before the options change: more of them lock accounts."""
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 900.0
_AFTER_REFUSAL = 60.0
_AFTER_BUSY = 2.0
_LATE = 5.0
"""Seconds after which what is overdue is not overtaken any more."""
_SERVER_SUSPECT = 3
"""Mailboxes whose connections failed, with no success of any other between, until a server counts as down."""


class Failure(StrEnum):
    """Why a pass could not go on."""

    CONNECTION = "connection"
    AUTHENTICATION = "authentication"
    THROTTLED = "throttled"
    LOCAL = "local"
    """The voice-mail store, the index or the options of the mailbox; no server's fault."""
    BUSY = "busy"
    """Another process holds the mailbox; it runs again for us."""


class Interest(IntEnum):
    """How much a mailbox has to watch."""

    NONE = 0
    QUIET = 1
    """Live pairs, nothing new: looked at by ``idle_poll_interval``."""
    LIVELY = 2
    """Something new, pending or restorable: looked at by ``poll_interval``."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a mailbox is looked at, in seconds."""

    lively: float = 30.0
    quiet: float = 300.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a pass ended, and what it leaves to do."""

    failure: Failure | None = None
    retry_after: float = 0.0
    """Seconds that the server asked to stay away."""
    interest: Interest = Interest.QUIET
    wake: float | None = None
    """When something of the mailbox's own is due (a deferred message)."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many passes may run at one server at a time."""

    sound: int = 8
    unproven: int = 4
    """While the server has not answered yet, or failed last."""
    doubtful: int = 2
    """Of mailboxes whose own last pass failed."""


@dataclass(slots=True, eq=False)
class _Server:
    proven: bool = False
    failing: set[str] = field(default_factory=set)
    rounds: int = 0
    """How often it failed since it counts as down."""
    blocked_until: float = 0.0
    lanes: dict[bool, _Lane] = field(default_factory=dict)
    mailboxes: int = 0

    @property
    def down(self) -> bool:
        return len(self.failing) >= _SERVER_SUSPECT


@dataclass(slots=True, eq=False)
class _Lane:
    """The mailboxes of one server that wait for their pass; doubtful ones wait in a lane of their own."""

    server: _Server
    doubtful: bool
    hurried: Agenda[str] = field(default_factory=Agenda)
    """Where something changed; they go before those whose time has come."""
    routine: Agenda[str] = field(default_factory=Agenda)
    running: int = 0

    def of(self, *, hurry: bool) -> Agenda[str]:
        """Those in a hurry, or the others."""
        return self.hurried if hurry else self.routine

    def drop(self, mailbox: str) -> None:
        """Take a mailbox out, whichever it waits among."""
        self.hurried.drop(mailbox)
        self.routine.drop(mailbox)


@dataclass(slots=True, eq=False)
class _Entry:
    server: str
    pace: Pace
    due: float | None = None
    hurry: bool = False
    """Whether it is due because something changed."""
    floor: float = 0.0
    """Nothing pulls the next try before this: the end of a wait."""
    wish: float | None = None
    """When it is to run again, wished for while it ran."""
    failures: int = 0
    well_since: float | None = None
    refusals: int = 0
    lane: _Lane | None = None

    @property
    def doubtful(self) -> bool:
        return self.failures > 0 and self.well_since is None

    @property
    def stopped(self) -> bool:
        return self.refusals >= REFUSALS


class Scheduler:
    """Decides whose pass comes next. ``random`` gives numbers from 0 to 1, for the jitter."""

    def __init__(self, random: Callable[[], float], shares: Shares | None = None) -> None:
        self._random = random
        self._shares = shares or Shares()
        self._entries: dict[str, _Entry] = {}
        self._servers: dict[str, _Server] = {}
        self._running: dict[str, _Lane] = {}
        self._aside: set[str] = set()
        self._ready: dict[tuple[bool, bool], Agenda[_Lane]] = {
            (doubtful, hurry): Agenda() for doubtful in (False, True) for hurry in (False, True)
        }
        """Lanes whose turn it may be: doubtful or not, by those in a hurry or by the others."""

    # Mailboxes come, change and go

    def add(self, mailbox: str, server: str, pace: Pace, now: float) -> None:
        """Take in a mailbox, or its changed options: due at once, earlier failures forgotten."""
        self.remove(mailbox)
        entry = self._entries[mailbox] = _Entry(server, pace)
        self._server(server).mailboxes += 1
        self._want(mailbox, entry, now)

    def remove(self, mailbox: str) -> None:
        """Forget a mailbox; a pass that runs over it ends by itself."""
        entry = self._entries.pop(mailbox, None)
        if entry is None:
            return
        self._unqueue(mailbox, entry)
        server = self._servers[entry.server]
        server.mailboxes -= 1
        if not server.mailboxes:
            del self._servers[entry.server]

    # What happens

    def changed(self, mailbox: str, now: float) -> None:
        """Something changed at the phone, or the server told of a change: due within 250 ms.

        A mailbox that waits after a failure keeps waiting.
        """
        entry = self._entries.get(mailbox)
        if entry is not None:
            self._want(mailbox, entry, now + COALESCE, hurry=True)

    def dropped(self, mailbox: str, now: float) -> None:
        """The connection that watched a mailbox has ended: tried again after a wait."""
        entry = self._entries.get(mailbox)
        if entry is not None and mailbox not in self._running:
            self._failed(mailbox, entry, Ended(Failure.CONNECTION), now)
            self._queue(mailbox, entry, entry.floor)

    def aside(self, mailbox: str) -> None:
        """A pass is done with its server and waits for another: it takes no share of the first any more."""
        lane = self._running.get(mailbox)
        if lane is not None and mailbox not in self._aside:
            self._aside.add(mailbox)
            lane.running -= 1
            self._refresh(lane)

    def finished(self, mailbox: str, ended: Ended, now: float) -> None:
        """A pass that :meth:`take` started has ended."""
        lane = self._running.pop(mailbox)
        lane.running -= mailbox not in self._aside
        self._aside.discard(mailbox)
        entry = self._entries.get(mailbox)
        if entry is not None:
            due = self._after(mailbox, entry, ended, now)
            wish, entry.wish = entry.wish, None
            if entry.stopped:
                due = None
            elif wish is not None:
                due = max(entry.floor, wish if due is None else min(due, wish))
            self._queue(mailbox, entry, due, hurry=wish is not None)
        self._refresh(lane)

    # Whose turn it is

    def take(self, now: float, *, doubtful: bool) -> str | None:
        """The next mailbox to pass over, None if none is due; it is running from now on.

        ``doubtful``: of the mailboxes that failed last and of servers that have not answered yet. They
        are asked for apart, so that waiting for the dead never keeps the living waiting.
        """
        hurried, routine = (self._ready[doubtful, hurry].first() for hurry in (True, False))
        hurry = hurried is not None and hurried[0] <= now
        if hurry and routine is not None and routine[0] < now - _LATE:
            hurry = hurried is not None and hurried[0] <= routine[0]
        first = hurried if hurry else routine
        if first is None or first[0] > now:
            return None
        lane = first[1]
        waiting = lane.of(hurry=hurry).first()
        if waiting is None:
            raise AssertionError("a lane that is ready has nobody waiting")
        mailbox = waiting[1]
        lane.drop(mailbox)
        entry = self._entries[mailbox]
        entry.due, entry.hurry, entry.lane = None, False, None
        self._running[mailbox] = lane
        lane.running += 1
        self._refresh(lane)
        return mailbox

    def next_time(self, *, doubtful: bool) -> float | None:
        """When :meth:`take` will have somebody, None if only an event can change that."""
        firsts = [self._ready[doubtful, hurry].first() for hurry in (False, True)]
        return min((first[0] for first in firsts if first), default=None)

    def due(self, mailbox: str) -> float | None:
        """When a mailbox is passed over next, None if it is not planned (or runs now)."""
        entry = self._entries.get(mailbox)
        return entry.due if entry else None

    def runs(self, mailbox: str) -> bool:
        """Whether a pass that was taken from here is under way; may be asked from any thread."""
        return mailbox in self._running

    def stopped(self, mailbox: str) -> bool:
        """Whether it is not tried any more because its logins were refused."""
        entry = self._entries.get(mailbox)
        return entry is not None and entry.stopped

    @property
    def waiting(self) -> int:
        """How many mailboxes have a pass planned."""
        lanes = [lane for server in self._servers.values() for lane in server.lanes.values()]
        return sum(len(lane.hurried) + len(lane.routine) for lane in lanes)

    @property
    def mailboxes(self) -> tuple[str, ...]:
        """All that are known."""
        return tuple(self._entries)

    # Inside

    def _after(self, mailbox: str, entry: _Entry, ended: Ended, now: float) -> float | None:
        match ended.failure:
            case None:
                self._succeeded(entry, now)
            case Failure.BUSY:
                # The mark that was left for the other process must not bring us back at once.
                entry.floor = now + _AFTER_BUSY
                return now + entry.pace.lively
            case _:
                self._failed(mailbox, entry, ended, now)
                return entry.floor
        match ended.interest:
            case Interest.NONE:
                return ended.wake
            case Interest.LIVELY:
                interval = entry.pace.lively
            case Interest.QUIET:
                interval = entry.pace.quiet
        # A little less than asked for, each time another, so that mailboxes do not march in step.
        due = now + interval * (0.9 + 0.1 * self._random())
        return due if ended.wake is None else max(now, min(due, ended.wake))

    def _succeeded(self, entry: _Entry, now: float) -> None:
        entry.refusals = 0
        entry.floor = 0.0
        if entry.failures:
            entry.well_since = now if entry.well_since is None else entry.well_since
            self._forgive(entry, now)
        server = self._servers[entry.server]
        if not server.proven or server.failing:
            server.proven, server.rounds, server.blocked_until = True, 0, 0.0
            server.failing.clear()
            self._refresh_server(server)

    def _failed(self, mailbox: str, entry: _Entry, ended: Ended, now: float) -> None:
        self._forgive(entry, now)
        entry.failures += 1
        entry.well_since = None
        wait = self._wait(entry.failures)
        if ended.failure is Failure.AUTHENTICATION:
            entry.refusals += 1
            wait = max(wait, _AFTER_REFUSAL)
        entry.floor = now + max(wait, ended.retry_after)
        if ended.failure is Failure.CONNECTION:
            server = self._servers[entry.server]
            server.proven = False
            server.failing.add(mailbox)
            if server.down:
                server.rounds += 1
                server.blocked_until = now + self._wait(server.rounds)
            self._refresh_server(server)

    def _forgive(self, entry: _Entry, now: float) -> None:
        if entry.well_since is not None and now - entry.well_since >= SURVIVAL:
            entry.failures, entry.well_since = 0, None

    def _wait(self, failures: int) -> float:
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(failures - 1, 16))
        return longest * (0.5 + 0.5 * self._random())

    def _want(self, mailbox: str, entry: _Entry, when: float, *, hurry: bool = False) -> None:
        if entry.stopped:
            return
        if mailbox in self._running:
            entry.wish = when if entry.wish is None else min(entry.wish, when)
            return
        when = max(when, entry.floor)
        if entry.due is None or when < entry.due:
            self._queue(mailbox, entry, when, hurry=hurry)
        elif hurry and not entry.hurry:
            self._queue(mailbox, entry, entry.due, hurry=True)

    def _queue(self, mailbox: str, entry: _Entry, due: float | None, *, hurry: bool = False) -> None:
        self._unqueue(mailbox, entry)
        entry.due, entry.hurry = due, hurry
        if due is not None:
            entry.lane = self._lane(entry)
            entry.lane.of(hurry=hurry).put(mailbox, due)
            self._refresh(entry.lane)

    def _unqueue(self, mailbox: str, entry: _Entry) -> None:
        if entry.lane is not None:
            entry.lane.drop(mailbox)
            self._refresh(entry.lane)
            entry.lane = None
        entry.due, entry.hurry = None, False

    def _server(self, name: str) -> _Server:
        return self._servers.setdefault(name, _Server())

    def _lane(self, entry: _Entry) -> _Lane:
        server = self._servers[entry.server]
        if entry.doubtful not in server.lanes:
            server.lanes[entry.doubtful] = _Lane(server, entry.doubtful)
        return server.lanes[entry.doubtful]

    def _refresh_server(self, server: _Server) -> None:
        for lane in server.lanes.values():
            self._refresh(lane)

    def _refresh(self, lane: _Lane) -> None:
        """Put a lane where it belongs: by its first mailboxes, its server's wait, and its share."""
        server = lane.server
        doubtful = lane.doubtful or not server.proven
        for hurry in (False, True):
            first = lane.of(hurry=hurry).first()
            self._ready[not doubtful, hurry].drop(lane)
            if first is None or lane.running >= self._share(lane):
                self._ready[doubtful, hurry].drop(lane)
            else:
                self._ready[doubtful, hurry].put(lane, max(first[0], server.blocked_until))

    def _share(self, lane: _Lane) -> int:
        if lane.server.down:
            return 1
        if lane.doubtful:
            return self._shares.doubtful
        return self._shares.sound if lane.server.proven else self._shares.unproven
