"""Who is signed in, and how often signing in was tried in vain: both in memory, both bounded.

Invariant: a session is worth nothing once its user's password or role is another; memory does not grow
with what strangers send.
"""

from __future__ import annotations

import ipaddress
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

IDLE, WHOLE = 3600.0, 12 * 3600.0
"""Seconds without a request, and altogether, after which one has to sign in again."""
_MOST_SESSIONS, _MOST_OF_ONE = 4096, 16
_Clock = Callable[[], float]


@dataclass(slots=True)
class Session:
    """One browser that has signed in."""

    name: str
    mark: str
    """Of the user's password and role when he signed in."""
    begun: float
    last: float


class Sessions:
    """The sessions by the cookie's value."""

    def __init__(self, clock: _Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, name: str, mark: str) -> str:
        """Begin a session and return its cookie's value, which nobody had before."""
        cookie = secrets.token_hex(32)
        now = self._clock()
        with self._lock:
            own = [c for c, s in self._sessions.items() if s.name == name]
            for old in own[: max(0, len(own) - _MOST_OF_ONE + 1)]:
                del self._sessions[old]
            while len(self._sessions) >= _MOST_SESSIONS:
                self._sessions.popitem(last=False)
            self._sessions[cookie] = Session(name, mark, now, now)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie, None where there is none or it is over."""
        now = self._clock()
        with self._lock:
            session = self._sessions.get(cookie)
            if session is None:
                return None
            if now - session.last > IDLE or now - session.begun > WHOLE:
                del self._sessions[cookie]
                return None
            session.last = now
            self._sessions.move_to_end(cookie)
            return session

    def end(self, cookie: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(cookie, None)


class Attempts:
    """What was tried in vain by each of many, for a while; the one longest quiet is forgotten first."""

    def __init__(self, most: int, seconds: float, *, keys: int, clock: _Clock = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, key: str) -> bool:
        """Count a try; False, and not counted, where there were too many."""
        now = self._clock()
        with self._lock:
            times = self._times.setdefault(key, deque())
            self._times.move_to_end(key)
            while times and times[0] < now - self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return False
            times.append(now)
            while len(self._times) > self._keys:
                self._times.popitem(last=False)
            return True

    def forgive(self, key: str) -> None:
        """Take the newest try back: it was the right password."""
        with self._lock:
            times = self._times.get(key)
            if times:
                times.pop()
            if not times:
                self._times.pop(key, None)


def network(address: str) -> str:
    """Return what stands for an address: of IPv6 its /64, which is one household's."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "elsewhere"
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)
