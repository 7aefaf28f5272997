"""The played server: accounts, sessions, the lies it tells and the faults that befall it.

Deterministic: the same octets, clock readings, hook and seed give the same answers. One lock guards
all of it, so a test may act as second client while another thread carries octets.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from tests.support.simimap.account import SimAccount
from tests.support.simimap.commands import HANDLERS, SELECTED_ONLY, UNAUTHENTICATED
from tests.support.simimap.faults import Fault, Hook, Moment, Phase
from tests.support.simimap.grammar import Bad, No
from tests.support.simimap.profiles import QRESYNC, Lie, Profile
from tests.support.simimap.session import Effect, Handler, Session, moment_of

START = datetime(2026, 11, 23, 15, 15, tzinfo=UTC)
NEEDS = {
    "ENABLE": "ENABLE",
    "NAMESPACE": "NAMESPACE",
    "UNSELECT": "UNSELECT",
    "IDLE": "IDLE",
    "MOVE": "MOVE",
    "UID MOVE": "MOVE",
    "UID EXPUNGE": "UIDPLUS",
    "ID": "ID",
}
"""Commands that are known only where a capability is offered."""
EXPOSED_BEFORE_LOGIN = ("ENABLE", "CONDSTORE", "QRESYNC", "UIDPLUS", "MOVE", "ESEARCH", "LIST-STATUS")


class VirtualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass; a negative number sets the clock back."""
        self._now += timedelta(seconds=seconds)


class SimServer:
    """An IMAP server in memory."""

    def __init__(
        self,
        profile: Profile = QRESYNC,
        *,
        clock: Callable[[], datetime] | None = None,
        hook: Hook | None = None,
        shuffle: random.Random | None = None,
        trace: Callable[[int, Effect | bytes], None] | None = None,
    ) -> None:
        self.profile = profile
        self.clock = clock or VirtualClock()
        self.hook = hook
        """Asked before each command and before each answer; may be exchanged at any time."""
        self.shuffle = shuffle
        """Where the protocol leaves the order open, this decides; None = always the same order."""
        self.lies: set[Lie] = set(profile.lies)
        self.accounts: dict[str, SimAccount] = {}
        self.sessions: list[Session] = []
        self.commands = 0
        """How many commands came so far."""
        self.lock = threading.RLock()
        self.looks = 0
        """How many folders were looked at, for the lies that change at every look."""
        self._trace = trace
        self._numbers = 0
        self._paused_until: datetime | None = None
        self._recent: list[datetime] = []
        self._watchers: list[Callable[[], None]] = []

    def add_user(self, user: str, password: str = "secret") -> SimAccount:
        """Make an account."""
        account = SimAccount(
            user,
            password,
            profile=self.profile,
            clock=self.clock,
            lock=self.lock,
            changed=self._changed,
        )
        self.accounts[user] = account
        return account

    def connect(self) -> Session:
        """Begin a session; its greeting comes from ``greet``."""
        with self.lock:
            self._numbers += 1
            session = Session(self, self._numbers)
            self.sessions.append(session)
            return session

    def throttle(self, seconds: float) -> None:
        """Refuse every command for a while and say for how long (Exchange)."""
        self._paused_until = self.clock() + timedelta(seconds=seconds)

    @contextmanager
    def lying(self, *lies: Lie) -> Iterator[None]:
        """Tell these lies as long as the block lasts."""
        before = set(self.lies)
        self.lies |= set(lies)
        try:
            yield
        finally:
            self.lies.clear()
            self.lies |= before

    def watch(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called after every change, so that sessions in IDLE are polled."""
        self._watchers.append(wake)

    def cut_all(self) -> None:
        """End every session, as a restart does."""
        with self.lock:
            for session in list(self.sessions):
                session.end()
        self._changed()

    # what sessions ask

    def shown(self, session: Session) -> str:
        """Return the capabilities for this state of a session."""
        words = self.profile.capabilities
        if session.account is not None:
            words = tuple(word for word in words if not word.startswith("AUTH="))
        else:
            words = tuple(word for word in words if word not in EXPOSED_BEFORE_LOGIN)
        return " ".join(words)

    def handler(self, session: Session, name: str) -> Handler:
        """Return what carries a command out, or refuse it in this state."""
        handler = HANDLERS.get(name)
        needed = NEEDS.get(name)
        if handler is None or (needed and not self.profile.offers(needed)):
            unknown = No if self.profile.unknown == "NO" else Bad
            raise unknown("Error in IMAP command received by server.")
        if name not in UNAUTHENTICATED and session.account is None:
            raise Bad("Not logged in")
        if name in SELECTED_ONLY and session.view is None:
            raise Bad("No mailbox selected")
        return handler

    def moment(self, session: Session, name: str, line: bytes) -> Callable[[Phase], Moment]:
        """Count a command."""
        self.commands += 1
        return moment_of(session, self.commands, name, line)

    def ask(self, moment: Moment) -> Fault | None:
        """Ask the hook."""
        return self.hook(moment) if self.hook else None

    def over_budget(self) -> str:
        """Return what to refuse a command with, '' when there is nothing against it."""
        now = self.clock()
        if self.profile.budget:
            count, seconds = self.profile.budget
            self._recent = [when for when in self._recent if when > now - timedelta(seconds=seconds)]
            self._recent.append(now)
            if len(self._recent) > count:
                self._paused_until = now + timedelta(seconds=seconds)
                self._recent.clear()
        if self._paused_until is None or now >= self._paused_until:
            return ""
        left = int((self._paused_until - now).total_seconds() * 1000)
        return f"Request is throttled. Suggested Backoff Time: {left} milliseconds"

    def forget(self, session: Session) -> None:
        """Drop a session that ended."""
        if session in self.sessions:
            self.sessions.remove(session)

    def note(self, session: Session, effect: Effect | bytes) -> None:
        """Pass something that crossed the line to the trace."""
        if self._trace:
            self._trace(session.number, effect)

    def _changed(self) -> None:
        for wake in self._watchers:
            wake()
