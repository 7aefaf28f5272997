"""One account of the played server, and the second client: what tests do to it and read from it.

Everything here takes effect at once and is told to open sessions by the rules of the protocol; an
account knows no session and no octet of the wire.
"""

from __future__ import annotations

import email
import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from tests.support.simimap.folder import DELETED, Entry, Folder, Mail, set_flags
from tests.support.simimap.grammar import No
from tests.support.simimap.profiles import Profile

P = ParamSpec("P")
R = TypeVar("R")
INBOX = "INBOX"
FINAL = frozenset({"\\Trash", "\\Junk"})
"""Special uses whose messages have no label besides (Gmail)."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One message of a snapshot."""

    uid: int
    flags: frozenset[str]
    message_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class FolderShot:
    """One folder of a snapshot."""

    name: str
    uidvalidity: int
    uidnext: int
    subscribed: bool
    messages: tuple[Shot, ...]


def _locked(
    act: Callable[Concatenate[SimAccount, P], R],
) -> Callable[Concatenate[SimAccount, P], R]:
    """Let one thread in at a time: the test's, or the one that carries octets."""

    @wraps(act)
    def alone(self: SimAccount, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return act(self, *args, **kwargs)

    return alone


class SimAccount:
    """The folders and messages of one user."""

    def __init__(
        self,
        user: str,
        password: str,
        *,
        profile: Profile,
        clock: Callable[[], datetime],
        lock: threading.RLock,
        changed: Callable[[], None],
    ) -> None:
        self.user = user
        self.password = password
        self.profile = profile
        self.clock = clock
        self.lock = lock
        self.folders: dict[str, Folder] = {}
        self.subscribed: set[str] = set()
        self.changed = changed
        """Called after every change; the server wakes its sessions by it."""
        self._serial = 0
        self._uidvalidity = 0
        self.create(INBOX)
        for name, special in profile.folders:
            self.create(profile.prefix + name, special=special)

    # folders

    @_locked
    def find(self, name: str) -> Folder | None:
        """Return a folder by its full name."""
        if name.upper() == INBOX:
            return self.folders.get(INBOX)
        if self.profile.caseless_names:
            return next((f for key, f in self.folders.items() if key.casefold() == name.casefold()), None)
        return self.folders.get(name)

    def folder(self, name: str) -> Folder:
        """Return a folder by its full name; ``No`` when there is none."""
        found = self.find(name)
        if found is None:
            raise No(f"Mailbox doesn't exist: {name}", code="NONEXISTENT")
        return found

    def special(self, use: str) -> Folder | None:
        """Return the folder of a special use such as ``\\Trash``."""
        return next((folder for folder in self.folders.values() if folder.special == use), None)

    @_locked
    def create(
        self, name: str, *, special: str = "", subscribe: bool = True, uidvalidity: int | None = None
    ) -> Folder:
        """Make a folder; ``No`` when it is there, or outside the personal namespace."""
        name = name.removesuffix(self.profile.delimiter)
        if self.find(name) is not None:
            raise No("Mailbox already exists", code="ALREADYEXISTS")
        if not name or (name != INBOX and not name.startswith(self.profile.prefix)):
            raise No("Invalid mailbox name", code="CANNOT")
        folder = Folder(
            name,
            uidvalidity or self._next_uidvalidity(),
            self.changed,
            special,
            counts_what_went=self.profile.offers("QRESYNC"),
        )
        self.folders[name] = folder
        if subscribe:
            self.subscribed.add(name)
        return folder

    @_locked
    def delete_folder(self, name: str) -> None:
        """Remove a folder with all that is in it; its name stays subscribed (RFC 9051 section 6.3.5)."""
        folder = self.folder(name)
        if folder.name == INBOX:
            raise No("INBOX cannot be deleted", code="CANNOT")
        del self.folders[folder.name]
        folder.alive = False
        for entry in folder.entries.values():
            entry.mail.homes.pop(folder, None)
        self.changed()

    @_locked
    def recreate(self, name: str, *, same_uidvalidity: bool = False) -> Folder:
        """Delete a folder and make an empty one of the same name; UIDs begin at 1 again."""
        old = self.folder(name)
        self.delete_folder(name)
        kept = old.uidvalidity if same_uidvalidity else None
        return self.create(name, special=old.special, subscribe=False, uidvalidity=kept)

    @_locked
    def rename(self, old: str, new: str) -> None:
        """Rename a folder and all below it; renaming INBOX moves its messages (RFC 9051 section 6.3.6)."""
        folder = self.folder(old)
        if folder.name == INBOX:
            target = self.create(new, subscribe=False)
            for entry in list(folder.entries.values()):
                folder.remove(entry.uid)
                target.add(entry.mail, deleted=entry.deleted)
            return
        if self.find(new) is not None:
            raise No("Target mailbox already exists", code="ALREADYEXISTS")
        if not new.startswith(self.profile.prefix):
            raise No("Invalid mailbox name", code="CANNOT")
        below = folder.name + self.profile.delimiter
        for name in [n for n in self.folders if n == folder.name or n.startswith(below)]:
            moved = self.folders.pop(name)
            moved.name = new + name[len(folder.name) :]
            self.folders[moved.name] = moved
            if not self.profile.rename_keeps_uidvalidity:
                moved.uidvalidity = self._next_uidvalidity()
        self.changed()

    @_locked
    def renumber(self, name: str, *, uidvalidity: int | None = None) -> None:
        """Give a folder a new UIDVALIDITY and its messages new UIDs from 1."""
        folder = self.folder(name)
        kept = list(folder.entries.values())
        for entry in kept:
            folder.remove(entry.uid)
        folder.uidvalidity = uidvalidity if uidvalidity is not None else self._next_uidvalidity()
        folder.uidnext, folder.expunged = 1, []
        for entry in kept:
            folder.add(entry.mail, deleted=entry.deleted)

    # messages

    @_locked
    def add(
        self, name: str, raw: bytes, flags: Iterable[str] = (), *, received: datetime | None = None
    ) -> int:
        """Put a message into a folder, as APPEND does, and return its UID there."""
        folder = self.folder(name)
        self._serial += 1
        mail = Mail(self._stored(raw), received or self.clock(), self._serial)
        mail.flags = set(flags) - {DELETED}
        entry = folder.add(mail, deleted=DELETED in set(flags))
        everything = self.special("\\All")
        if self.profile.labels and everything and everything is not folder and folder.special not in FINAL:
            everything.add(mail)
        return entry.uid

    @_locked
    def deliver(self, raw: bytes, *, folder: str = INBOX, copy_in_sent: bool = False) -> int | None:
        """Take in a message from outside; None when it is dropped as a duplicate.

        ``copy_in_sent``: the account sent it to itself, and the server keeps what is sent.
        """
        message_id = message_id_of(raw)
        if self.profile.suppresses_duplicates and message_id:
            known = (e.mail.raw for f in self.folders.values() for e in f.entries.values())
            if any(message_id_of(other) == message_id for other in known):
                return None
        uid = self.add(folder, raw)
        sent = self.special("\\Sent") or self.find(f"{self.profile.prefix}Sent")
        if copy_in_sent and sent:
            if self.profile.labels:
                sent.add(self.entry(folder, uid).mail)
            else:
                self.add(sent.name, raw, {"\\Seen"})
        return uid

    @_locked
    def entry(self, name: str, uid: int) -> Entry:
        """Return a message; ``KeyError`` when it is not there."""
        return self.folder(name).entries[uid]

    @_locked
    def uids(self, name: str = INBOX) -> list[int]:
        """Return the UIDs of a folder, ascending."""
        return list(self.folder(name).entries)

    @_locked
    def flags(self, name: str, uid: int) -> frozenset[str]:
        """Return a message's flags."""
        return self.entry(name, uid).flags

    @_locked
    def flag(self, name: str, uid: int, *flags: str) -> None:
        """Set flags."""
        entry = self.entry(name, uid)
        set_flags(entry, entry.flags | set(flags))

    @_locked
    def unflag(self, name: str, uid: int, *flags: str) -> None:
        """Take flags off."""
        entry = self.entry(name, uid)
        set_flags(entry, entry.flags - set(flags))

    @_locked
    def copy(self, name: str, uid: int, target: str) -> int:
        """Copy a message and return the UID of the copy; a label's copy is the message itself."""
        entry, into = self.entry(name, uid), self.folder(target)
        if self.profile.labels:
            return self._label(entry.mail, into)
        self._serial += 1
        copy = Mail(entry.mail.raw, entry.mail.received, self._serial, set(entry.mail.flags))
        return into.add(copy, deleted=entry.deleted).uid

    @_locked
    def move(self, name: str, uid: int, target: str) -> int:
        """Move a message and return its new UID."""
        folder, into, entry = self.folder(name), self.folder(target), self.entry(name, uid)
        if not self.profile.labels:
            folder.remove(uid)
            return into.add(entry.mail, deleted=entry.deleted).uid
        if folder is into:
            return uid
        new = self._label(entry.mail, into)
        if folder in entry.mail.homes and folder.special != "\\All":
            folder.remove(uid)
        return new

    @_locked
    def trash(self, name: str, uid: int) -> int:
        """Move a message to Trash and return its UID there."""
        trash = self.special("\\Trash") or self.find(f"{self.profile.prefix}Trash")
        trash = trash or self.find("Deleted Items") or self.create(f"{self.profile.prefix}Trash")
        return self.move(name, uid, trash.name)

    @_locked
    def expunge(self, name: str, uids: Iterable[int] | None = None) -> list[int]:
        """Remove these messages, or those that carry ``\\Deleted``; return what went.

        Where messages have labels this takes the label off; only in Trash and Spam a message is gone.
        """
        folder = self.folder(name)
        if uids is None:
            uids = [uid for uid, entry in folder.entries.items() if entry.deleted]
        doomed = [uid for uid in uids if uid in folder.entries]
        if folder.special == "\\All" and self.profile.labels:
            for uid in doomed:
                self.unflag(name, uid, DELETED)
            return []
        for uid in doomed:
            folder.remove(uid)
        return doomed

    # what is there

    @_locked
    def snapshot(self) -> tuple[FolderShot, ...]:
        """Return all that is there as a value that can be compared, folders by name."""
        return tuple(
            FolderShot(
                folder.name,
                folder.uidvalidity,
                folder.uidnext,
                name in self.subscribed,
                tuple(_shot(entry) for entry in folder.entries.values()),
            )
            for name, folder in sorted(self.folders.items())
        )

    # inside

    def _label(self, mail: Mail, into: Folder) -> int:
        if into in mail.homes:
            return mail.homes[into].uid
        everything = self.special("\\All")
        for folder, entry in list(mail.homes.items()):
            if into.special in FINAL or folder.special in FINAL:
                folder.remove(entry.uid)
        if everything and everything not in mail.homes | {into: None} and into.special not in FINAL:
            everything.add(mail)
        return into.add(mail).uid

    def _stored(self, raw: bytes) -> bytes:
        return _lower_names(raw) if self.profile.lower_headers else raw

    def _next_uidvalidity(self) -> int:
        now = int(self.clock().timestamp())
        if self.profile.reuses_uidvalidity:
            return now
        self._uidvalidity = max(self._uidvalidity + 1, now)
        return self._uidvalidity


def message_id_of(raw: bytes) -> str:
    """Return the Message-ID of a message, '' without one."""
    return str(email.message_from_bytes(raw[:65_536]).get("Message-ID", "")).strip()


def _shot(entry: Entry) -> Shot:
    raw = entry.mail.raw
    return Shot(entry.uid, entry.flags, message_id_of(raw), hashlib.sha256(raw).hexdigest()[:16])


def _lower_names(raw: bytes) -> bytes:
    head, mark, body = raw.partition(b"\r\n\r\n")
    return re.sub(rb"(?m)^[!-9;-~]+:", lambda name: name[0].lower(), head) + mark + body
