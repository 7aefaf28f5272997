"""Looking into one mailbox: its messages with their identities, and whether anybody is at work there.

Descriptions and recordings that did not change on disk are not read again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from syncengine.errors import StoreUnproven
from syncengine.voicemail.asterisk.identity import Known, Seen
from syncengine.voicemail.asterisk.info import MAX_OCTETS, parse_info
from syncengine.voicemail.asterisk.layout import FOLDERS, TEXT, Entry, Stat, file_name, read_folder
from syncengine.voicemail.asterisk.locks import locked_by_others

_LOCK_IN_USE = 30.0
"""A lock older than this was left by a crash: Asterisk itself waits five seconds for one."""

_NO_SOUND = (0, 0, 0)

Signature = dict[str, tuple[int, int] | None]
"""Folder -> its inode and time, which every file that comes, goes or is renamed changes."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a mailbox showed. ``unsettled`` says why it proves nothing, '' if it does."""

    seen: tuple[Seen, ...]
    entries: Mapping[tuple[str, int], Entry]
    unsettled: str = ""


class Cache:
    """Descriptions and digests by what the files are on disk, so that unchanged ones are not read."""

    def __init__(self, known: Iterable[Known]) -> None:
        seen = [k.seen for k in known]
        self._infos = {s.text: s.info for s in seen}
        self._digests = {s.sound: s.digest for s in seen if s.sound != _NO_SOUND}

    def seen(self, folder: Path, entry: Entry) -> Seen:
        """What a message is; raises ``OSError`` for files that cannot be read or are gone."""
        text, suffix = entry.files[TEXT], entry.sound
        if text not in self._infos:
            with _listed(folder / file_name(entry.number, TEXT), text) as file:
                data = file.read(MAX_OCTETS)
            self._infos[text] = parse_info(data)
        sound = entry.files[suffix] if suffix else _NO_SOUND
        if suffix and sound not in self._digests:
            with _listed(folder / file_name(entry.number, suffix), sound) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._digests[sound] = digest
        digest = self._digests[sound] if suffix else ""
        return Seen(entry.folder, entry.number, self._infos[text], text, sound, suffix or "", digest)


def read_mailbox(folder: Path, cache: Cache) -> Look:
    """Read a mailbox once; raises ``StoreUnproven`` for what cannot be read."""
    try:
        return _read(folder, cache)
    except FileNotFoundError:
        return Look((), {}, "its files are being renamed")
    except OSError as error:
        raise StoreUnproven(f"{folder}: cannot be read ({error.strerror}); run as Asterisk's user") from error


def signature_of(mailbox: Path) -> Signature:
    """What the folders' times are; raises ``StoreUnproven`` for what cannot be read."""
    signature: Signature = {}
    for folder in FOLDERS:
        try:
            status = (mailbox / folder).stat()
        except FileNotFoundError:
            signature[folder] = None
        except OSError as error:
            raise StoreUnproven(f"{mailbox}: cannot be read ({error.strerror})") from error
        else:
            signature[folder] = (status.st_ino, status.st_mtime_ns)
    return signature


def _read(mailbox: Path, cache: Cache) -> Look:
    seen: list[Seen] = []
    entries: dict[tuple[str, int], Entry] = {}
    unsettled = ""
    for folder in FOLDERS:
        path = mailbox / folder
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


def digest_of(path: Path) -> str:
    """SHA-256 of a recording in hex; raises ``OSError``."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _listed(path: Path, expected: Stat) -> Iterator[BufferedReader]:
    """Open a file that was listed as ``expected``; raises ``FileNotFoundError`` if it is another by the end.

    A renumbering may give its name to another message's file between the listing and the reading.
    """
    with _opened(path) as file:
        yield file
        status = os.fstat(file.fileno())
        if (status.st_ino, status.st_size, status.st_mtime_ns) != expected:
            raise FileNotFoundError(errno.ENOENT, "another file has its name by now", str(path))


def _opened(path: Path) -> BufferedReader:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
