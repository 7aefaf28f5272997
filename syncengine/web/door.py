"""Finds out who asks: by the session of his browser, or by name and password with each request (RFC 7617).

Invariant: without users and without a password the pages are open on loopback alone, and once they were
not open they stay so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from syncengine.web.sessions import Attempts, Sessions, network
from syncengine.web.users import Users
from syncengine.web.who import LOCAL, Role, Who

_log = logging.getLogger(__name__)

_OF_ADDRESS, _OF_USER = (20, 60.0), (10, 300.0)
"""So many wrong passwords in so many seconds, and none is looked at any more."""
_MOST_MET = 4096
_EVERYBODY = Who("password", Role.OPERATOR)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in: under which names the pages are reached, and with which password."""

    names: frozenset[str] = frozenset()
    """Host names beside this host's addresses and localhost."""
    password: str | None = field(default=None, repr=False)
    """One password for an operator of whatever name, beside the users' own."""
    local: bool = True
    """Whether only this host can come."""

    def knows(self, host: str) -> bool:
        """Whether a Host field names us. An address needs no list: rebinding takes a name."""
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        if name == "localhost" or name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


@dataclass(slots=True)
class Visit:
    """One request's visitor."""

    cookie: str
    who: Who | None = None
    signed_in: bool = False
    """By a session, which can be ended."""
    fresh: bool = False
    """Whether the cookie is to be set."""


class Refused(Exception):
    """Nobody is let in by this; ``later``: nor would the right password be, for a while."""

    def __init__(self, *, later: bool) -> None:
        super().__init__("Too many wrong passwords; try again later." if later else "Wrong name or password.")
        self.later = later


class Door:
    """Lets in who is known."""

    def __init__(self, access: Access, users: Users) -> None:
        self.access = access
        self.users = users
        self.sessions = Sessions()
        self._addresses = Attempts(*_OF_ADDRESS, keys=4096)
        self._names = Attempts(*_OF_USER, keys=4096)
        self._met: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = access.password is not None or not access.local

    @property
    def password_only(self) -> bool:
        """Whether there is no sign-in page, since there are no users to sign in."""
        return self.access.password is not None and not self.users.all()

    def visitor(self, cookie: str) -> tuple[Who | None, bool]:
        """Return who has this cookie, and whether it is by a session."""
        if not self._closed:
            self._closed = bool(self.users.all())
        if not self._closed:
            return LOCAL, False
        session = self.sessions.find(cookie)
        if session is None:
            return None, False
        found = self.users.who(session.name)
        if found is None or not hmac.compare_digest(found[1], session.mark):
            self.sessions.end(cookie)
            return None, False
        return found[0], True

    def sign_in(self, visit: Visit, name: str, password: str, address: str) -> Who:
        """Begin a session under a new cookie; raises ``Refused``. Takes a while: not for the event loop."""
        who = self._known(name, password, address, shared=False)
        found = self.users.who(name)
        if found is None:
            raise Refused(later=False)
        self.sessions.end(visit.cookie)
        visit.cookie, visit.fresh = self.sessions.begin(name, found[1]), True
        visit.who, visit.signed_in = who, True
        return who

    def sign_out(self, visit: Visit) -> None:
        """End the visitor's session."""
        self.sessions.end(visit.cookie)
        visit.who, visit.signed_in = None, False

    def by_header(self, authorization: str, address: str) -> Who:
        """Return who an Authorization field names; raises ``Refused``. Not for the event loop."""
        scheme, _, rest = authorization.partition(" ")
        try:
            name, colon, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except ValueError:
            name = colon = password = ""
        if scheme.lower() != "basic" or not colon:
            name, password = "", ""
        return self._known(name, password, address, shared=True)

    def _known(self, name: str, password: str, address: str, *, shared: bool) -> Who:
        one = network(address)
        met = f"{name}\0{one}"
        tried = [(self._addresses, one)]
        if self.users.all():
            # Any name is counted, a user's or not: nobody learns which is one. Where a user came from
            # before he is counted apart, so that others who try his name do not keep him out.
            tried.append((self._names, f"met {met}" if met in self._met else f"name {name[:64]}"))
        if not all(attempts.begin(key) for attempts, key in tried):
            raise Refused(later=True)
        who = self.users.knows(name, password)
        if who is None and shared and self.access.password is not None:
            who = _EVERYBODY if _same(password, self.access.password) else None
        if who is None:
            _log.warning("%s: wrong name or password for %.70r", address, name)
            raise Refused(later=False)
        for attempts, key in tried:
            attempts.forgive(key)
        self._meet(met)
        return who

    def _meet(self, met: str) -> None:
        with self._lock:
            self._met[met] = None
            self._met.move_to_end(met)
            while len(self._met) > _MOST_MET:
                self._met.popitem(last=False)


def _same(given: str, password: str) -> bool:
    """Compared by digest, so that neither length nor place of a difference shows in the time it takes."""
    digests = (hashlib.sha256(text.encode()).digest() for text in (given, password))
    return hmac.compare_digest(*digests)
