"""One mailbox of the spool: what lies in it, and moving messages in it.

Only while :meth:`Memory.exclusive` is held. A look counts when nobody changed a folder during it or
shortly before: in the middle of a renumbering a description stands beside another message's recording.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from syncengine.errors import SyncError
from syncengine.voicemail.asterisk.holds import (
    Hold,
    Phase,
    Record,
    copy_links,
    free_number,
    new_hold,
    put,
    put_again,
    read_holds,
    take,
)
from syncengine.voicemail.asterisk.identity import Known
from syncengine.voicemail.asterisk.layout import (
    MAX_NUMBER,
    TEXT,
    Entry,
    read_folder,
    state_of,
)
from syncengine.voicemail.asterisk.locks import (
    LockMode,
    LockTimeout,
    folder_lock,
    release_leftovers,
    two_locks,
)
from syncengine.voicemail.asterisk.look import Cache, Look, Signature, digest_of, read_mailbox, signature_of
from syncengine.voicemail.asterisk.memory import STORE, read_id
from syncengine.voicemail.files import sync_folder, write_durably

_log = logging.getLogger(__name__)

_TICK = 12_000_000
"""Nanoseconds within which a folder may change twice under one time (Linux before 6.13 at 100 Hz)."""

AREA = ".syncengine"
"""The adapter's own folder in the spool and in every mailbox; Asterisk and FreePBX pass it by."""


@dataclass(frozen=True, slots=True)
class How:
    """How to deal with the spool; times in seconds."""

    lock_mode: LockMode = LockMode.LOCKFILE
    lock_timeout: float = 5.0
    maxmsg: int = 100
    limit: Callable[[str, str], int | None] | None = None
    """Context and mailbox -> how many messages a folder there takes; None where ``maxmsg`` holds."""
    settle: float = 0.06
    """A folder that was changed less than this ago may be in the middle of something."""
    patience: float = 2.0
    """How long to wait for a mailbox to stand still."""
    session: float = 600.0
    """How long a caller may be logged in: so long a number that was emptied is not given again."""


@dataclass(slots=True)
class Box:
    """One mailbox's folder."""

    folder: Path
    context: str
    mailbox: str
    how: How
    _trusted: Signature = field(default_factory=dict)
    """How folders were when we ourselves had just changed them."""
    _emptied: dict[str, dict[int, float]] = field(default_factory=dict)
    """Folder -> the numbers that we emptied, and when."""

    @property
    def maxmsg(self) -> int:
        """How many messages a folder takes."""
        limit = self.how.limit(self.context, self.mailbox) if self.how.limit else None
        return self.how.maxmsg if limit is None else limit

    @property
    def _area(self) -> Path:
        return self.folder / AREA

    @property
    def held(self) -> Path:
        """Where deleted messages wait."""
        return self._area / "held"

    @property
    def links(self) -> Path:
        """Where recordings keep a name while they are sent."""
        return self._area / "content"

    @property
    def _notes(self) -> Path:
        return self._area / "locks"

    @property
    def mark(self) -> str | None:
        """The store's id as it stands in this mailbox."""
        return read_id(self._area / STORE)

    def set_mark(self, store_id: str) -> None:
        """Make our own folder in the mailbox and put the store's id there."""
        for path in (self._area, self.held, self.links, self._notes):
            path.mkdir(exist_ok=True, mode=0o770)
        write_durably(self._area / STORE, store_id.encode("ascii"))

    # Looking

    def look(self, known: Iterable[Known]) -> Look:
        """Read the mailbox until it stood still meanwhile, or patience ends.

        ``known`` saves reading files again that did not change. Raises ``StoreUnproven`` for what
        cannot be read.
        """
        cache = Cache(known)
        before, still_since = signature_of(self.folder), time.monotonic()
        end = still_since + self.how.patience
        while True:
            look = read_mailbox(self.folder, cache)
            now, at = signature_of(self.folder), time.monotonic()
            if now != before:
                before, still_since = now, at
            elif not look.unsettled and (self._settled(now) or at - still_since >= self.how.settle):
                return look
            if at >= end:
                return Look(look.seen, look.entries, look.unsettled or "it is being changed all the time")
            time.sleep(self.how.settle / 3)

    def _settled(self, signature: Signature) -> bool:
        now = time.time_ns()
        settled, ticked = now - int(self.how.settle * 1e9), now - _TICK
        return all(
            one is None or one[1] < (ticked if self._trusted.get(folder) == one else settled)
            for folder, one in signature.items()
        )

    def distrust(self) -> None:
        """Let the next look wait until the mailbox has stood still."""
        self._trusted.clear()

    def _trust(self, *folders: str) -> None:
        signature = signature_of(self.folder)
        for folder in folders:
            self._trusted[folder] = signature[folder]

    # Holds

    def repair(self) -> dict[str, Hold]:
        """Finish what a killed process of ours began; returns the deleted messages by reference."""
        if not self._area.is_dir():
            return {}
        release_leftovers(self.folder, self._notes, self.how.lock_mode)
        held: dict[str, Hold] = {}
        for hold in read_holds(self.held):
            settled = hold if hold.record.phase is Phase.HELD and hold.begun else self._finish(hold)
            if settled is not None:
                held[settled.record.known.ref] = settled
        return held

    def _finish(self, hold: Hold) -> Hold | None:
        _log.info("%s: finishing what was begun with message %s", self.folder, hold.record.known.ref)
        record, origin = hold.record, self.folder / hold.record.origin
        if record.phase is Phase.ASKING and hold.begun:
            with self._lock(origin):
                there = any(e.files[TEXT][0] == record.files[TEXT] for e in read_folder(origin).entries)
            if not there:
                return hold.noted(Phase.HELD)
        elif record.phase is Phase.TAKING and hold.begun:
            with self._lock(origin):
                take(hold, origin)
            if not record.target:
                return hold.noted(Phase.HELD)
            self._put(hold, record.target, resumed=True)
        elif record.phase is Phase.PUTTING and hold.begun:
            self._put(hold, record.target, resumed=True)
        hold.drop()
        return None

    def _put(self, hold: Hold, target: str, *, resumed: bool) -> None:
        folder = self._made(target)
        with self._lock(folder):
            if resumed:
                put_again(hold, folder)
            else:
                put(hold, folder, max(free_number(folder, self.maxmsg), self._floor(target)))
        self._trust(target)
        sync_folder(folder)

    def _made(self, target: str) -> Path:
        folder = self.folder / target
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            self._hand_over(folder)
        return folder

    def _hand_over(self, path: Path) -> None:
        """What root makes here must still be Asterisk's."""
        if os.geteuid() == 0:
            owner = self.folder.stat()
            os.chown(path, owner.st_uid, owner.st_gid)

    def _lock(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        return folder_lock(folder, self._notes, self.how.lock_mode, self.how.lock_timeout)

    def _note_emptied(self, entry: Entry) -> None:
        self._emptied.setdefault(entry.folder, {})[entry.number] = time.monotonic()

    def _floor(self, folder: str) -> int:
        """The lowest number to put a message at: above those that we emptied a short while ago.

        A caller who is still logged in deletes by the numbers he heard, and a renumbering of FreePBX that
        is under way removes what stands where it wants to put a message.
        """
        oldest = time.monotonic() - self.how.session
        fresh = {n: at for n, at in self._emptied.get(folder, {}).items() if at > oldest}
        self._emptied[folder] = fresh
        floor = max(fresh, default=-1) + 1
        return floor if floor < min(self.maxmsg, MAX_NUMBER) else 0

    # Moving

    def move(self, known: Known, entry: Entry, target: str) -> bool:
        """Move a message to another folder, every file of it; False if it is not there any more.

        Raises ``FolderFull`` and ``LockTimeout``: then nothing was changed.
        """
        source, destination = self.folder / entry.folder, self._made(target)
        hold = new_hold(self.held, _record(known, entry, Phase.TAKING, target))
        try:
            with two_locks(source, destination, self._notes, self.how.lock_mode, self.how.lock_timeout):
                number = max(free_number(destination, self.maxmsg), self._floor(target))
                if taken := take(hold, source):
                    self._note_emptied(entry)
                    put(hold, destination, number)
            self._trust(entry.folder, target)
        except SyncError:
            if not hold.begun:
                hold.drop()
            raise
        if taken:
            sync_folder(destination)
            sync_folder(source)
        hold.drop()
        return taken

    def delete(self, known: Known, entry: Entry, now: float) -> bool:
        """Take a message out of Asterisk's folders so that it can be restored; leaves a gap."""
        source = self.folder / entry.folder
        hold = new_hold(self.held, _record(known, entry, Phase.TAKING, "", now))
        try:
            with self._lock(source):
                if taken := take(hold, source):
                    self._note_emptied(entry)
            self._trust(entry.folder)
        except LockTimeout:
            hold.drop()
            raise
        if not taken:
            hold.drop()
            return False
        sync_folder(hold.path)
        sync_folder(source)
        hold.noted(Phase.HELD)
        return True

    def keep(self, known: Known, entry: Entry, now: float) -> Hold | None:
        """Keep links to a message's files while Asterisk is asked to remove it; None if it changed."""
        hold = new_hold(self.held, _record(known, entry, Phase.ASKING, "", now))
        if copy_links(hold, self.folder / entry.folder):
            return hold
        hold.drop()
        return None

    def settle(self, hold: Hold) -> Hold | None:
        """See whether Asterisk did what it was asked; None if the message is still there."""
        return self._finish(hold)

    def put_back(self, hold: Hold, target: str) -> None:
        """Put a message in as Asterisk would: at the end of ``target``.

        Raises ``FolderFull`` and ``LockTimeout``: then it stays deleted.
        """
        before = hold.record
        hold = hold.noted(Phase.PUTTING, target)
        try:
            self._put(hold, target, resumed=False)
        except SyncError:
            hold.noted(before.phase, before.target)
            raise
        hold.drop()

    def put_new(self, hold: Hold) -> None:
        """Put a message in that is new to the spool; raises ``FolderFull`` and ``LockTimeout``."""
        try:
            for suffix in hold.record.files:
                self._hand_over(hold.file(suffix))
            self._put(hold, hold.record.target, resumed=False)
        finally:
            hold.drop()

    def room_in(self, target: str) -> None:
        """Raise ``FolderFull`` if a folder has no room for another message."""
        free_number(self._made(target), self.maxmsg)

    # Contents

    def linked(self, source: Path, name: str, digest: str) -> Path:
        """Give a recording a name that no renumbering takes away; raises ``SyncError`` if it changed."""
        path = self.links / name
        if not (path.exists() and digest_of(path) == digest):
            path.unlink(missing_ok=True)
            try:
                os.link(source, path, follow_symlinks=False)
            except OSError as error:
                raise SyncError(f"{source}: the recording cannot be kept for sending: {error}") from error
        if digest_of(path) != digest:
            path.unlink(missing_ok=True)
            raise SyncError(f"{source}: another recording has that name by now; it is looked for again")
        return path

    def sweep(self, older_than: float, now: float) -> int:
        """Remove the names of recordings that were sent long ago; how many."""
        count = 0
        for path in list(self.links.iterdir()) if self.links.is_dir() else ():
            if now - path.lstat().st_ctime > older_than:
                path.unlink(missing_ok=True)
                count += 1
        return count


def _record(known: Known, entry: Entry, phase: Phase, target: str, now: float = 0.0) -> Record:
    files = {suffix: status[0] for suffix, status in entry.files.items()}
    return Record(known, state_of(entry.folder), entry.folder, files, phase, target, now)
