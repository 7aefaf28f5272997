"""A folder of the played server: messages, what is remembered of those that went, and who is looking.

Every change raises HIGHESTMODSEQ by one (RFC 7162 section 3.1) and is noted for each open view, which
tells its client at the next allowed moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

DELETED = "\\Deleted"


@dataclass(eq=False, slots=True)
class Mail:
    """One stored message; where a server has labels, several folders hold the same one."""

    raw: bytes
    received: datetime
    serial: int
    """Counts all messages of an account: identity across folders (X-GM-MSGID)."""
    flags: set[str] = field(default_factory=set)
    homes: dict[Folder, Entry] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Entry:
    """A message in a folder. ``\\Deleted`` belongs to the place, all other flags to the message."""

    uid: int
    mail: Mail
    modseq: int
    deleted: bool = False

    @property
    def flags(self) -> frozenset[str]:
        """All flags as FETCH shows them."""
        return frozenset(self.mail.flags | ({DELETED} if self.deleted else set()))


@dataclass(eq=False, slots=True)
class View:
    """What one session has open: the sequence numbers it knows, and what it has not been told yet."""

    folder: Folder
    readonly: bool
    uids: list[int]
    gone: list[int] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)
    changed: dict[int, None] = field(default_factory=dict)
    ghosts: dict[int, Entry] = field(default_factory=dict)
    """Messages that went and whose going was not told: FETCH may still ask for them."""

    def entry(self, uid: int) -> Entry | None:
        """The message of a UID, None when it is gone."""
        return self.folder.entries.get(uid)

    def number(self, uid: int) -> int:
        """The sequence number of a UID that the client knows."""
        return self.uids.index(uid) + 1


@dataclass(eq=False, slots=True)
class Folder:
    """One IMAP folder."""

    name: str
    uidvalidity: int
    changed: Callable[[], None]
    """Called after every change, so that sessions in IDLE can be told."""
    special: str = ""
    counts_what_went: bool = True
    """HIGHESTMODSEQ rises when a message goes: only QRESYNC asks for that (RFC 7162 section 3.2.6)."""
    uidnext: int = 1
    highestmodseq: int = 1
    entries: dict[int, Entry] = field(default_factory=dict)
    """By UID, ascending."""
    expunged: list[tuple[int, int]] = field(default_factory=list)
    """(MODSEQ, UID) of those that went."""
    forgotten: int = 0
    """What went at or before this MODSEQ is no longer remembered."""
    views: list[View] = field(default_factory=list)
    alive: bool = True

    def open(self, *, readonly: bool) -> View:
        """Begin to look at the folder."""
        view = View(self, readonly, list(self.entries))
        self.views.append(view)
        return view

    def close(self, view: View) -> None:
        """End looking."""
        self.views.remove(view)

    def add(self, mail: Mail, *, deleted: bool = False) -> Entry:
        """Put a message in under the next UID."""
        self.highestmodseq += 1
        entry = Entry(self.uidnext, mail, self.highestmodseq, deleted)
        self.uidnext += 1
        self.entries[entry.uid] = entry
        mail.homes[self] = entry
        for view in self.views:
            view.arrived.append(entry.uid)
        self.changed()
        return entry

    def remove(self, uid: int) -> None:
        """Take a message out."""
        entry = self.entries.pop(uid)
        entry.mail.homes.pop(self, None)
        self.highestmodseq += self.counts_what_went
        self.expunged.append((self.highestmodseq, uid))
        for view in self.views:
            view.changed.pop(uid, None)
            if uid in view.arrived:
                view.arrived.remove(uid)
            else:
                view.gone.append(uid)
                view.ghosts[uid] = entry
        self.changed()

    def touch(self, entry: Entry, by: View | None) -> None:
        """Note that flags changed; ``by`` need not be told."""
        self.highestmodseq += 1
        entry.modseq = self.highestmodseq
        for view in self.views:
            if view is not by and entry.uid not in view.arrived:
                view.changed[entry.uid] = None
        self.changed()

    def gone_since(self, modseq: int) -> list[int]:
        """UIDs that went after ``modseq``; all that are not there when it is not remembered that far back."""
        if modseq < self.forgotten:
            return [uid for uid in range(1, self.uidnext) if uid not in self.entries]
        return [uid for when, uid in self.expunged if when > modseq]

    def forget_expunged(self) -> None:
        """Remember no disappearance any longer, as servers do after a while (RFC 7162 section 5.3)."""
        self.expunged.clear()
        self.forgotten = self.highestmodseq


def set_flags(entry: Entry, flags: frozenset[str], *, by: tuple[Folder, View] | None = None) -> bool:
    """Give a message exactly these flags, in every folder that holds it; False when it had them already."""
    if entry.flags == flags:
        return False
    shared = flags - {DELETED} != entry.mail.flags
    entry.mail.flags = set(flags - {DELETED})
    entry.deleted = DELETED in flags
    for folder, other in list(entry.mail.homes.items()):
        if other is entry or shared:
            folder.touch(other, by[1] if by and by[0] is folder and other is entry else None)
    return True
