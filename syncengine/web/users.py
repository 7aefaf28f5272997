"""The users of the pages: a file in the state directory with their roles and the hashes of their passwords.

Invariant: a password is kept as its Argon2id hash alone (RFC 9106), the file is its owner's alone and is
replaced as a whole, and a file that cannot be read lets nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from syncengine.errors import OptionsError, UsageError
from syncengine.options import atomic
from syncengine.options.plainfile import read
from syncengine.web.who import Role, Who

FILE = "web-users.json"
LEAST_PASSWORD, MOST_PASSWORD = 8, 1024
_MOST_BYTES = 4 << 20
_MOST_USERS = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_MOST_KNOWN = 256
# OWASP's parameters for little memory: 19 MiB a time, so that a few sign-ins at once hurt nobody.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One user as the file has him."""

    role: Role
    hash: str
    mailbox: str | None = None


_NO_USERS: Mapping[str, User] = MappingProxyType({})


class Users:
    """The users as the file says now; safe to be asked by several threads."""

    def __init__(self, state_dir: Path) -> None:
        self.file = state_dir / FILE
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._users: Mapping[str, User] = _NO_USERS
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, str] = {}
        self._nobody = ""

    def all(self) -> Mapping[str, User]:
        """Return the users by name; raises ``OptionsError`` for a file that cannot be used."""
        with self._lock:
            stamp = self._stamped()
            if stamp != self._stamp:
                self._users = self._read()
                self._stamp = stamp
                self._known.clear()
            return self._users

    def who(self, name: str) -> tuple[Who, str] | None:
        """Return a user and a mark that changes with his password or role, None where there is none."""
        user = self.all().get(name)
        return None if user is None else (_who(name, user), _mark(user))

    def knows(self, name: str, password: str) -> Who | None:
        """Return who this is, None for a wrong name or password; both take as long."""
        user = self.all().get(name)
        digest = hmac.digest(self._key, f"{name}\0{password}".encode("utf-8", "surrogatepass"), "sha256")
        # What was right a moment ago need not be worked out again for each request of a program.
        if user is not None and self._known.get(digest) == user.hash:
            return _who(name, user)
        if len(password) > MOST_PASSWORD or not self._verified(user, password) or user is None:
            return None
        with self._lock:
            while len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[digest] = user.hash
        return _who(name, user)

    def add(self, name: str, role: Role, password: str, mailbox: str | None) -> None:
        """Add a user; raises ``UsageError`` for what does not hold."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"web user {name[:64]}: a name has letters, digits and . _ @ + - (64 at most)")
        if (role is Role.SUBSCRIBER) != (mailbox is not None):
            raise UsageError(f"web user {name}: --mailbox NUMBER belongs to a subscriber, and only to him")
        with self._editing() as users:
            if name in users:
                raise UsageError(f"web user {name}: there is such a user; passwd changes his password")
            if len(users) >= _MOST_USERS:
                raise UsageError(f"web user {name}: there are {_MOST_USERS} users already")
            users[name] = User(role, hashed(name, password), mailbox)

    def remove(self, name: str) -> None:
        """Take a user out; his sessions end."""
        with self._editing() as users:
            if users.pop(name, None) is None:
                raise _missing(name)

    def passwd(self, name: str, password: str) -> None:
        """Give a user a new password; his sessions end."""
        with self._editing() as users:
            if (user := users.get(name)) is None:
                raise _missing(name)
            users[name] = User(user.role, hashed(name, password), user.mailbox)

    def _verified(self, user: User | None, password: str) -> bool:
        if user is None and not self._nobody:
            self._nobody = _HASHER.hash(secrets.token_hex())
        try:
            return _HASHER.verify(user.hash if user else self._nobody, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    @contextmanager
    def _editing(self) -> Iterator[dict[str, User]]:
        with atomic.locked(self.file.parent):
            users = dict(self.all())
            yield users
            text = msgspec.json.format(msgspec.json.encode(users), indent=2).decode() + "\n"
            atomic.write(self.file, text)
            atomic.give_to_owner_of(self.file.parent, self.file)

    def _stamped(self) -> tuple[int, ...]:
        try:
            found = self.file.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise OptionsError(f"{self.file}: cannot be read: {error.strerror}") from None
        return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode

    def _read(self) -> Mapping[str, User]:
        try:
            content, mode = read(self.file, _MOST_BYTES)
        except FileNotFoundError:
            return _NO_USERS
        except OSError as error:
            raise OptionsError(f"{self.file}: cannot be read: {error.strerror}") from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise OptionsError(f"{self.file}: others may read or write it: chmod 600 it")
        try:
            return MappingProxyType(msgspec.json.decode(content, type=dict[str, User]))
        except (msgspec.DecodeError, RecursionError):
            raise OptionsError(f"{self.file}: this is no list of users: mend it or take it away") from None


def hashed(name: str, password: str) -> str:
    """Return a password's hash; raises ``UsageError`` for one that is too short or too long."""
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise UsageError(f"web user {name}: a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters")
    return _HASHER.hash(password)


def _who(name: str, user: User) -> Who:
    return Who(name, user.role, user.mailbox if user.role is Role.SUBSCRIBER else None)


def _mark(user: User) -> str:
    return hashlib.sha256(f"{user.role}\0{user.mailbox}\0{user.hash}".encode()).hexdigest()


def _missing(name: str) -> UsageError:
    return UsageError(f"web user {name[:64]}: there is no such user")
