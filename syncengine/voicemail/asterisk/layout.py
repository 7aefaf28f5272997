"""How messages lie in Asterisk's spool: folders, file names, and what belongs to one message.

``<spool>/<context>/<mailbox>/<folder>/msgNNNN.<ext>``: one ``.txt``, which is written last and so
commits the message, and one recording per format. ``.wav`` (PCM) and ``.WAV`` (GSM) are two files.
A place is never an identity: every number may change at any time.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from syncengine.errors import UsageError
from syncengine.model import State

INBOX = "INBOX"
URGENT = "Urgent"
OLD = "Old"
SAVED = ("Work", "Family", "Friends", "Cust1", "Cust2", "Cust3", "Cust4", "Cust5")
FOLDERS = (INBOX, URGENT, OLD, *SAVED)
"""Asterisk's folders by exact name, without ``Deleted``: what lies there was deleted at the phone."""

MAX_NUMBER = 9998
"""The highest number Asterisk gives (MAXMSGLIMIT 9999)."""

TEXT = ".txt"

Stat = tuple[int, int, int]
"""What a file is on disk: inode, size in octets, modification time in nanoseconds."""

_FILE = re.compile(r"msg([0-9]{4})((?:intro|_[A-Za-z0-9_-]{1,64})?\.[A-Za-z0-9_]{1,16})")
_NAME = re.compile(r"(?!\.)[A-Za-z0-9_.+@-]{1,80}")

_SOUNDS = {
    ".wav": ("audio/wav", 44),
    ".wav16": ("audio/wav", 44),
    ".WAV": ("audio/wav", 60),
    ".ulaw": ("audio/basic", 0),
    ".ul": ("audio/basic", 0),
    ".mu": ("audio/basic", 0),
    ".pcm": ("audio/basic", 0),
    ".gsm": ("audio/gsm", 0),
    ".alaw": ("audio/x-alaw", 0),
    ".al": ("audio/x-alaw", 0),
    ".sln": ("audio/x-sln", 0),
    ".slin": ("audio/x-sln", 0),
    ".raw": ("audio/x-sln", 0),
    ".mp3": ("audio/mpeg", 0),
    ".ogg": ("audio/ogg", 0),
    ".opus": ("audio/ogg", 0),
    ".g722": ("audio/G722", 0),
    ".g729": ("audio/G729", 0),
}
"""Extension -> content type and the octets of its header, best for sending first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The files of one message in a folder: what follows ``msgNNNN`` in their names -> what they are."""

    folder: str
    number: int
    files: Mapping[str, Stat]

    @property
    def sound(self) -> str | None:
        """Suffix of the recording to send; None where there is none with any sound in it."""
        for suffix, (_, header) in _SOUNDS.items():
            if suffix in self.files and self.files[suffix][1] > header:
                return suffix
        return None


@dataclass(frozen=True, slots=True)
class FolderListing:
    """What one folder held when it was read."""

    entries: tuple[Entry, ...]
    """Messages with a ``.txt``, by number; a recording without one is not committed, or an orphan."""
    renumbering: bool
    """FreePBX is at it, or died at it: its ``msgTMP`` files stand for messages."""


def state_of(folder: str) -> State:
    """What lying in a folder means: Asterisk has no other mark of what was heard."""
    return State.NEW if folder in (INBOX, URGENT) else State.HEARD


def media_type(suffix: str) -> str:
    """Content type of a recording."""
    return _SOUNDS.get(suffix, ("application/octet-stream", 0))[0]


def file_name(number: int, suffix: str) -> str:
    """Name of a file of the message with this number."""
    return f"msg{number:04d}{suffix}"


def safe_name(kind: str, name: str) -> str:
    """Return a context's or mailbox's name if it can be a folder's name; raises ``UsageError``."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{kind} {name[:80]!r}: not a name that a voice-mail folder can have")
    return name


def read_folder(path: Path) -> FolderListing:
    """Read a folder; raises ``OSError``. Only regular files count, and only names of messages."""
    stems: dict[int, dict[str, Stat]] = {}
    renumbering = False
    with os.scandir(path) as entries:
        for entry in entries:
            match = _FILE.fullmatch(entry.name)
            if match is None:
                renumbering = renumbering or entry.name.startswith("msgTMP")
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # renamed meanwhile; the folder's time says so too
                continue
            if stat.S_ISREG(status.st_mode):
                stem = stems.setdefault(int(match[1]), {})
                stem[match[2]] = (status.st_ino, status.st_size, status.st_mtime_ns)
    listed = tuple(Entry(path.name, n, stems[n]) for n in sorted(stems) if TEXT in stems[n])
    return FolderListing(listed, renumbering)


def read_numbers(path: Path) -> tuple[set[int], int]:
    """Return every number that any file in a folder has, and how many have a ``.txt``.

    By the names alone, since it is asked while the folder is locked; raises ``OSError``.
    """
    taken: set[int] = set()
    messages = 0
    for name in os.listdir(path):  # noqa: PTH208 - names, not paths: twenty thousand at most
        if name.startswith("msg") and name[3:7].isdecimal() and name[3:7].isascii():
            taken.add(int(name[3:7]))
            messages += name[7:] == TEXT
    return taken, messages


def inodes(path: Path) -> dict[int, str]:
    """Inode -> name of everything in a folder; raises ``OSError``."""
    with os.scandir(path) as entries:
        return {entry.inode(): entry.name for entry in entries}


def is_suffix(text: str) -> bool:
    """Whether ``text`` can follow ``msgNNNN`` in the name of a message's file."""
    return _FILE.fullmatch(f"msg0000{text}") is not None


def number_of(name: str) -> int | None:
    """The number in the name of a message's file, None for any other name."""
    match = _FILE.fullmatch(name)
    return int(match[1]) if match else None
