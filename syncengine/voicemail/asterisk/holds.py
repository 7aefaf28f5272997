"""Messages on their way between folders, and deleted ones that can be restored.

One message, one folder below ``<mailbox>/.syncengine/held``, outside of Asterisk's folders and on the
same file system. Its record is on disk before the first file is touched and says what is to become
of the message, so that after a crash at any step the next look finishes it: nothing lost, nothing double.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import msgspec

from syncengine.errors import SyncError
from syncengine.model import State
from syncengine.voicemail.asterisk.identity import Known
from syncengine.voicemail.asterisk.layout import (
    FOLDERS,
    MAX_NUMBER,
    TEXT,
    file_name,
    inodes,
    is_suffix,
    number_of,
    read_numbers,
)
from syncengine.voicemail.files import read_bounded, sync_folder, write_durably

_log = logging.getLogger(__name__)

_RECORD = "record.json"
_MAX_RECORD = 1024 * 1024
_STEM = "m"
_SPARE = "spare"
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})


class FolderFull(SyncError):
    """The destination holds as many messages as Asterisk's ``maxmsg`` allows; nothing was changed."""


class Phase(StrEnum):
    """What a record waits for."""

    ASKING = "asking"
    """Copies are kept; Asterisk is asked to remove the message."""
    TAKING = "taking"
    """Its files are taken out of ``origin``, the ``.txt`` first."""
    HELD = "held"
    """Deleted; it can be restored."""
    PUTTING = "putting"
    """Its files are put into ``target``, the ``.txt`` last."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is to become of a message."""

    known: Known
    before: State
    origin: str
    files: Mapping[str, int]
    """Suffix -> inode of every file of the message."""
    phase: Phase
    target: str = ""
    """Folder it goes to; '' where it is deleted."""
    deleted_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """One message outside of Asterisk's folders."""

    path: Path
    record: Record

    def file(self, suffix: str) -> Path:
        """Path of one of its files."""
        return self.path / f"{_STEM}{suffix}"

    @property
    def begun(self) -> bool:
        """Whether its ``.txt`` is here."""
        return self.file(TEXT).exists()

    def noted(self, phase: Phase, target: str = "") -> Hold:
        """Return the hold after its new phase was written durably."""
        hold = replace(self, record=replace(self.record, phase=phase, target=target))
        write_durably(self.path / _RECORD, msgspec.json.encode(hold.record))
        return hold

    def drop(self) -> None:
        """Remove it from disk, the ``.txt`` first: what is left after a crash is seen to be debris."""
        self.file(TEXT).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def new_hold(folder: Path, record: Record) -> Hold:
    """Make a hold with its record on disk; no file is in it yet."""
    path = folder / secrets.token_hex(16)
    path.mkdir(mode=0o770)
    hold = Hold(path, record)
    write_durably(path / _RECORD, msgspec.json.encode(record))
    sync_folder(folder)
    return hold


def new_message(folder: Path, record: Record, contents: Mapping[str, bytes]) -> Hold:
    """Make a hold with a message that is new to the spool; the ``.txt`` is there last."""
    path = folder / secrets.token_hex(16)
    path.mkdir(mode=0o770)
    files: dict[str, int] = {}
    for suffix, data in contents.items():
        descriptor = os.open(path / f"{suffix[1:]}.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            files[suffix] = os.fstat(descriptor).st_ino
    hold = Hold(path, replace(record, files=files))
    write_durably(path / _RECORD, msgspec.json.encode(hold.record))
    sync_folder(folder)
    for suffix in sorted(contents, key=lambda s: s == TEXT):
        (path / f"{suffix[1:]}.new").rename(hold.file(suffix))
    return hold


def read_holds(folder: Path) -> Iterator[Hold]:
    """Every hold of a mailbox; debris is removed.

    Raises ``SyncError`` for what cannot be read: a message on its way would look like a deleted one.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            yield Hold(path, _decoded(read_bounded(path / _RECORD, _MAX_RECORD)))
        except (OSError, ValueError) as error:
            # Killed before the record was written, or after it was removed: then there is no .txt.
            if isinstance(error, FileNotFoundError) and not (path / f"{_STEM}{TEXT}").exists():
                shutil.rmtree(path, ignore_errors=True)
                continue
            raise SyncError(
                f"{path}: a message whose record cannot be read ({error}); put its files back by hand"
            ) from error


def _decoded(data: bytes) -> Record:
    record = msgspec.json.decode(data, type=Record)
    if record.origin not in FOLDERS or record.target not in ("", *FOLDERS) or TEXT not in record.files:
        raise ValueError("it names no folder of Asterisk's")
    if not all(is_suffix(suffix) for suffix in record.files):
        raise ValueError("it names no files of a message")
    return record


def take(hold: Hold, folder: Path) -> bool:
    """Take a message's files out of ``folder``, which is locked; False if they are others by now.

    By rename, which destroys nothing whatever a writer without locks (FreePBX) does meanwhile; every
    file is known by its inode, so one that was renumbered in between is found under its new name. The
    recordings have a second name here first: FreePBX removes what stands under a number without ``.txt``.
    """
    if not hold.begun:
        expected = hold.record.files[TEXT]
        source = folder / file_name(hold.record.known.seen.number, TEXT)
        if _inode(source) != expected:
            return False
        _link_recordings(hold, folder)
        source.rename(hold.file(TEXT))
        if _inode(hold.file(TEXT)) != expected:
            _give_back(hold.file(TEXT), source)
            return False
    for suffix, inode in hold.record.files.items():
        if suffix == TEXT:
            continue
        if _inode(hold.file(suffix)) == inode:
            spare = hold.path / f"{_SPARE}{suffix}"
            _fetch(hold, suffix, folder, spare)
            spare.unlink(missing_ok=True)
        elif not _fetch(hold, suffix, folder, hold.file(suffix)):
            _log.warning("%s: a %s file went away while its message was moved", folder, suffix)
    return True


def _link_recordings(hold: Hold, folder: Path) -> None:
    """Give every recording a second name in the hold, where the file system can."""
    for suffix, inode in hold.record.files.items():
        if suffix != TEXT:
            second = hold.file(suffix)
            with suppress(OSError):  # gone, or no links here: then it is taken by rename alone
                os.link(
                    folder / file_name(hold.record.known.seen.number, suffix), second, follow_symlinks=False
                )
            if _inode(second) != inode:
                second.unlink(missing_ok=True)


def copy_links(hold: Hold, folder: Path) -> bool:
    """Keep a second link to every file of a message; False if they are others by now."""
    for suffix, inode in hold.record.files.items():
        source = folder / file_name(hold.record.known.seen.number, suffix)
        try:
            os.link(source, hold.file(suffix), follow_symlinks=False)
        except OSError:
            return False
        if _inode(hold.file(suffix)) != inode:
            return False
    sync_folder(hold.path)
    return True


def put(hold: Hold, folder: Path, number: int) -> None:
    """Put a message's files into ``folder``, which is locked, at ``number`` or the next free one.

    Nothing there is ever replaced.
    """
    suffixes = sorted((s for s in hold.record.files if hold.file(s).exists()), key=lambda s: s == TEXT)
    for _ in range(20):
        if _place_all(hold, suffixes, folder, number):
            return
        number = max(free_number(folder), number + 1)
    raise SyncError(f"{folder}: somebody takes every number; the message waits in {hold.path}")


def put_again(hold: Hold, folder: Path) -> None:
    """Put in what a crash left out: what was put there before stays where it is."""
    there = inodes(folder)
    if hold.record.files[TEXT] in there:
        return
    placed = [number_of(there[i]) for i in hold.record.files.values() if i in there]
    number = placed[0] if placed else None
    put(hold, folder, free_number(folder) if number is None else number)


def _place_all(hold: Hold, suffixes: Sequence[str], folder: Path, number: int) -> bool:
    """Give every file its name in the folder; False, and none has it, if somebody else has one of them."""
    done = False
    try:
        done = all(_place(hold.file(suffix), folder / file_name(number, suffix)) for suffix in suffixes)
    finally:
        if not done:
            for suffix in suffixes:
                _take_back(hold.file(suffix), folder / file_name(number, suffix))
    return done


def free_number(folder: Path, limit: int | None = None) -> int:
    """The number at the end of a folder; raises :class:`FolderFull` if ``limit`` messages are in it."""
    taken, messages = read_numbers(folder)
    if limit is not None and messages >= limit:
        raise FolderFull(
            f"{folder}: full ({messages} messages, maxmsg is {limit}); "
            "delete some there, or raise maxmsg in voicemail.conf"
        )
    number = max(taken, default=-1) + 1
    if number <= MAX_NUMBER:
        return number
    free = next((n for n in range(MAX_NUMBER + 1) if n not in taken), None)
    if free is None:
        raise FolderFull(f"{folder}: every number up to {MAX_NUMBER} is taken; delete some messages there")
    return free


def _place(source: Path, destination: Path) -> bool:
    """Give a file its name in a folder without replacing anything; False if the name is taken."""
    try:
        os.link(source, destination, follow_symlinks=False)
    except FileExistsError:
        return _inode(source) == _inode(destination)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if destination.exists():
            return False
        source.rename(destination)
    return True


def _take_back(source: Path, destination: Path) -> None:
    if source.exists() and _inode(source) == _inode(destination):
        destination.unlink(missing_ok=True)


def _fetch(hold: Hold, suffix: str, folder: Path, destination: Path) -> bool:
    """Take a file out of the folder to ``destination``, under whatever name it has by now."""
    inode = hold.record.files[suffix]
    name: str | None = file_name(hold.record.known.seen.number, suffix)
    for _ in range(20):
        if name is not None and _inode(folder / name) == inode:
            try:
                (folder / name).rename(destination)
            except FileNotFoundError:
                continue
            if _inode(destination) == inode:
                return True
            _give_back(destination, folder / name)
        name = inodes(folder).get(inode)
        if name is None:
            time.sleep(0.001)
    return False


def _give_back(wrong: Path, name: Path) -> None:
    """Another message's file had just got that name: give it back, replacing nothing."""
    if not _place(wrong, name):
        suffix = name.name[len("msgNNNN") :]
        while not _place(wrong, name.with_name(file_name(free_number(name.parent), suffix))):
            pass
    wrong.unlink(missing_ok=True)


def _inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return None
