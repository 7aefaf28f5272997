"""One mailbox of the spool: what lies in it, and moving messages in it.

Only while :meth:`Memory.exclusive` is held. A look counts when nobody changed a folder during it or
shortly before: in the middle of a renumbering a description stands beside another message's recording.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from syncengine.errors import StoreUnproven, SyncError
from syncengine.voicemail.asterisk.holds import (
    Hold,
    Phase,
    Record,
    copy_links,
    new_hold,
    put,
    read_holds,
    room_in,
    take,
)
from syncengine.voicemail.asterisk.identity import Known, Seen
from syncengine.voicemail.asterisk.info import MAX_OCTETS, parse_info
from syncengine.voicemail.asterisk.layout import FOLDERS, TEXT, Entry, file_name, read_folder, state_of
from syncengine.voicemail.asterisk.locks import (
    LockMode,
    LockTimeout,
    folder_lock,
    locked_by_others,
    release_leftovers,
    two_locks,
)
from syncengine.voicemail.asterisk.memory import STORE, read_id
from syncengine.voicemail.files import read_bounded, sync_folder, write_durably

_log = logging.getLogger(__name__)

AREA = ".syncengine"
"""The adapter's own folder in the spool and in every mailbox; Asterisk and FreePBX pass it by."""

_LOCK_IN_USE = 30.0
_NO_SOUND = (0, 0, 0)

_Signature = dict[str, tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class How:
    """How to deal with the spool; times in seconds."""

    lock_mode: LockMode = LockMode.LOCKFILE
    lock_timeout: float = 5.0
    maxmsg: int = 100
    settle: float = 0.06
    """A folder that was changed less than this ago may be in the middle of something."""
    patience: float = 2.0
    """How long to wait for a mailbox to stand still."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a mailbox showed. ``unsettled`` says why it proves nothing, '' if it does."""

    seen: tuple[Seen, ...]
    entries: Mapping[tuple[str, int], Entry]
    unsettled: str = ""


@dataclass(slots=True)
class Box:
    """One mailbox's folder."""

    folder: Path
    context: str
    mailbox: str
    how: How
    _trusted: _Signature = field(default_factory=dict)
    """How folders were when we ourselves had just changed them."""

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
        cache = _Cache(known)
        before, still_since = self._signature(), time.monotonic()
        end = still_since + self.how.patience
        while True:
            look = self._try_to_read(cache)
            now, at = self._signature(), time.monotonic()
            if now != before:
                before, still_since = now, at
            elif not look.unsettled and (self._settled(now) or at - still_since >= self.how.settle):
                return look
            if at >= end:
                return Look(look.seen, look.entries, look.unsettled or "it is being changed all the time")
            time.sleep(self.how.settle / 3)

    def _try_to_read(self, cache: _Cache) -> Look:
        try:
            return self._read(cache)
        except FileNotFoundError:
            return Look((), {}, "its files are being renamed")
        except OSError as error:
            raise StoreUnproven(
                f"{self.folder}: cannot be read ({error.strerror}); run as Asterisk's user"
            ) from error

    def _read(self, cache: _Cache) -> Look:
        seen: list[Seen] = []
        entries: dict[tuple[str, int], Entry] = {}
        unsettled = ""
        for folder in FOLDERS:
            path = self.folder / folder
            try:
                listing = read_folder(path)
            except FileNotFoundError:
                continue
            if listing.renumbering:
                unsettled = f"FreePBX has left msgTMP files in {folder}, which stand for messages"
            elif locked_by_others(path, _LOCK_IN_USE, time.time()):
                unsettled = f"{folder} is locked by somebody"
            for entry in listing.entries:
                entries[folder, entry.number] = entry
                seen.append(cache.seen(path, entry))
        return Look(tuple(seen), entries, unsettled)

    def _signature(self) -> _Signature:
        signature: _Signature = {}
        for folder in FOLDERS:
            try:
                status = (self.folder / folder).stat()
            except FileNotFoundError:
                signature[folder] = None
            except OSError as error:
                raise StoreUnproven(f"{self.folder}: cannot be read ({error.strerror})") from error
            else:
                signature[folder] = (status.st_ino, status.st_mtime_ns)
        return signature

    def _settled(self, signature: _Signature) -> bool:
        limit = time.time_ns() - int(self.how.settle * 1e9)
        return all(
            one is None or one[1] < limit or self._trusted.get(folder) == one
            for folder, one in signature.items()
        )

    def distrust(self) -> None:
        """Let the next look wait until the mailbox has stood still."""
        self._trusted.clear()

    def _trust(self, *folders: str) -> None:
        signature = self._signature()
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
        folder = self.folder / target
        folder.mkdir(exist_ok=True)
        with self._lock(folder):
            put(hold, folder, None if resumed else self.how.maxmsg, resumed=resumed)
        self._trust(target)
        sync_folder(folder)

    def _lock(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        return folder_lock(folder, self._notes, self.how.lock_mode, self.how.lock_timeout)

    # Moving

    def move(self, known: Known, entry: Entry, target: str) -> bool:
        """Move a message to another folder, every file of it; False if it is not there any more.

        Raises ``FolderFull`` and ``LockTimeout``: then nothing was changed.
        """
        source, destination = self.folder / entry.folder, self.folder / target
        destination.mkdir(exist_ok=True)
        hold = new_hold(self.held, _record(known, entry, Phase.TAKING, target))
        try:
            with two_locks(source, destination, self._notes, self.how.lock_mode, self.how.lock_timeout):
                room_in(destination, self.how.maxmsg)
                if taken := take(hold, source):
                    put(hold, destination, None)
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
                taken = take(hold, source)
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
            if os.geteuid() == 0:  # then what is made here must still be Asterisk's
                owner = self.folder.stat()
                for suffix in hold.record.files:
                    os.chown(hold.file(suffix), owner.st_uid, owner.st_gid)
            self._put(hold, hold.record.target, resumed=False)
        finally:
            hold.drop()

    def room_in(self, target: str) -> None:
        """Raise ``FolderFull`` if a folder has no room for another message."""
        (self.folder / target).mkdir(exist_ok=True)
        room_in(self.folder / target, self.how.maxmsg)

    # Contents

    def linked(self, source: Path, name: str, digest: str) -> Path:
        """Give a recording a name that no renumbering takes away; raises ``SyncError`` if it changed."""
        path = self.links / name
        if not (path.exists() and _digest(path) == digest):
            path.unlink(missing_ok=True)
            try:
                os.link(source, path, follow_symlinks=False)
            except OSError as error:
                raise SyncError(f"{source}: the recording cannot be kept for sending: {error}") from error
        if _digest(path) != digest:
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


class _Cache:
    """Descriptions and digests by what the files are on disk, so that unchanged ones are not read."""

    def __init__(self, known: Iterable[Known]) -> None:
        seen = [k.seen for k in known]
        self._infos = {s.text: s.info for s in seen}
        self._digests = {s.sound: s.digest for s in seen if s.sound != _NO_SOUND}

    def seen(self, folder: Path, entry: Entry) -> Seen:
        text, suffix = entry.files[TEXT], entry.sound
        if text not in self._infos:
            self._infos[text] = parse_info(read_bounded(folder / file_name(entry.number, TEXT), MAX_OCTETS))
        sound = entry.files[suffix] if suffix else _NO_SOUND
        if suffix and sound not in self._digests:
            self._digests[sound] = _digest(folder / file_name(entry.number, suffix))
        digest = self._digests[sound] if suffix else ""
        return Seen(entry.folder, entry.number, self._infos[text], text, sound, suffix or "", digest)


def _record(known: Known, entry: Entry, phase: Phase, target: str, now: float = 0.0) -> Record:
    files = {suffix: status[0] for suffix, status in entry.files.items()}
    return Record(known, state_of(entry.folder), entry.folder, files, phase, target, now)


def _digest(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
