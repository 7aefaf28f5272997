"""The built-in voice store: rows in the index, recordings and their descriptions as files.

A recording and its description are on disk before the row that names them; the description gets its
lasting name after it. So a lasting description without a row is that of a message which the index has
forgotten: an older copy of it was put back. A marker file proves that the files are those the index
belongs to: without it nothing missing counts, because a spool that is not mounted looks like a mailbox
that was emptied.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from syncengine.errors import EngineError, StoreUnproven, SyncError
from syncengine.model import Kind, LocalListing, LocalMessage, State, id_of, token_of
from syncengine.voicemail.files import write_durably

_log = logging.getLogger(__name__)

MARKER = "store-id"
_STORE = "voice store"
_HALF_WRITTEN_SECONDS = 24 * 3600.0
_DESCRIPTION = ".json"
_BEGUN = ".json.begun"
"""A description whose row may not be there yet."""
_DELETED = ".deleted"
"""Empty, beside the recording of a deleted message that can be restored: what a lost index would forget."""

_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
_SUFFIX = {
    "audio/wav": ".wav",
    "audio/gsm": ".gsm",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "audio/aiff": ".aiff",
    "audio/basic": ".ulaw",
    "audio/x-alaw-basic": ".alaw",
    "image/tiff": ".tif",
    "application/pdf": ".pdf",
}


class _Rows(Protocol):
    """What the store needs of the index: one row a message."""

    def of(self, mailbox: str) -> tuple[LocalMessage, ...]: ...
    def get(self, message_id: str) -> LocalMessage | None: ...
    def content(self, message_id: str) -> str | None: ...
    def kept(self) -> dict[str, bool]: ...
    def add(self, message: LocalMessage, content: str, now: float) -> bool: ...
    def add_again(self, message: LocalMessage, content: str, now: float) -> bool: ...
    def change(self, message_id: str, expected: State, wanted: State, now: float) -> bool: ...
    def before_delete(self, message_id: str) -> State: ...
    def purge(self, message_id: str) -> str | None: ...


class _Facts(Protocol):
    """_Facts about the index itself."""

    def meta(self, name: str) -> str | None: ...
    def set_meta(self, name: str, value: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Incoming:
    """A voice or fax message as the voice-mail server hands it in."""

    mailbox: str
    kind: Kind
    media_type: str
    received: datetime
    extension: str = ""
    """Of the recording's file, without a dot: a headerless recording is known by nothing else."""
    caller_number: str = ""
    caller_name: str = ""
    duration: float | None = None
    pages: int | None = None
    urgent: bool = False
    private: bool = False


class BuiltinStore:
    """A voice store in the engine's own state directory."""

    def __init__(
        self, folder: Path, rows: _Rows, facts: _Facts, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._marker_file = str(folder / MARKER)
        self._rows = rows
        self._facts = facts
        self._clock = clock

    def prepare(self) -> None:
        """Make the store on first use; take in again what a lost or older index does not know."""
        known = self._facts.meta(_STORE)
        marker = self._marker()
        if known is None and marker is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            marker = secrets.token_hex(16)
            write_durably(self._folder / MARKER, marker.encode())
        if known is None and marker is not None:
            for path in sorted([*self._folder.glob("*" + _DESCRIPTION), *self._folder.glob("*" + _BEGUN)]):
                self._take_in_again(path)
            self._facts.set_meta(_STORE, marker)
        elif marker == known:
            self._mend()

    def listing(self, mailbox: str) -> LocalListing:
        """List one mailbox, with the marker read before and after."""
        known, before = self._facts.meta(_STORE), self._marker()
        messages = self._rows.of(mailbox)
        proven = known is not None and known == before == self._marker()
        return LocalListing(known or "", proven, messages)

    def take_in(self, incoming: Incoming, content: bytes) -> LocalMessage:
        """Store a new message durably; returns it under its new token. Call ``taken`` after the commit."""
        if self._marker() != self._facts.meta(_STORE):
            raise StoreUnproven(
                f"{self._folder}: the recordings' folder is not the one the index belongs to; is it mounted?"
            )
        message_id = secrets.token_hex(16)
        message = LocalMessage(
            ref=message_id,
            token=token_of(message_id),
            mailbox=incoming.mailbox,
            kind=incoming.kind,
            state=State.NEW,
            received=incoming.received,
            caller_number=incoming.caller_number,
            caller_name=incoming.caller_name,
            duration=incoming.duration,
            pages=incoming.pages,
            urgent=incoming.urgent,
            private=incoming.private,
            media_type=incoming.media_type,
        )
        suffix = f".{incoming.extension}" if _EXTENSION.fullmatch(incoming.extension) else ""
        return self._store(message, content, suffix or _suffix(message))

    def content(self, message: LocalMessage) -> Path:
        """Path of the recording."""
        name = self._rows.content(message.ref)
        path = self._folder / name if name else None
        if path is None or not path.is_file():
            raise SyncError(f"message {message.ref}: its recording is not there any more")
        return path

    def change(self, message: LocalMessage, wanted: State) -> bool:
        """Compare-and-set the state; a delete is remembered beside the recording as well."""
        mark = self._folder / (message.ref + _DELETED)
        with suppress(OSError):
            if wanted is not State.DELETED:
                mark.unlink(missing_ok=True)
        if not self._rows.change(message.ref, message.state, wanted, self._clock()):
            return False
        with suppress(OSError):  # a full disk: only a lost index would miss it
            if wanted is State.DELETED:
                mark.touch(mode=0o600)
        return True

    def restored_state(self, message: LocalMessage) -> State:
        """What a deleted message was before it was deleted."""
        return self._rows.before_delete(message.ref)

    def adopt(self, message: LocalMessage, content: bytes) -> LocalMessage:
        """Store a message under the token it carries."""
        stored = self._store(message, content, _suffix(message))
        self.taken(stored.ref)
        return stored

    def taken(self, message_id: str) -> None:
        """The row is committed: give its description the lasting name; at the latest the next start does."""
        with suppress(OSError):
            (self._folder / (message_id + _BEGUN)).replace(self._folder / (message_id + _DESCRIPTION))

    def _store(self, message: LocalMessage, content: bytes, suffix: str) -> LocalMessage:
        """Files first, then the row."""
        message_id = id_of(message.token)
        name = message_id + suffix
        try:
            write_durably(self._folder / name, content)
            write_durably(self._folder / (message_id + _BEGUN), _describe(message, name))
            self._rows.add(replace(message, ref=message_id), name, self._clock())
        except OSError as error:
            raise EngineError(f"{self._folder}: the recording cannot be stored: {error.strerror}") from error
        return replace(message, ref=message_id)

    def refresh(self, mailbox: str) -> None:
        """The built-in store has no lamps of its own."""

    def purge(self, message: LocalMessage) -> bool:
        """Give up the content of a deleted message: the row first, then the files."""
        name = self._rows.purge(message.ref)
        if name is None:
            return False
        for file in (name, *(message.ref + suffix for suffix in (_DESCRIPTION, _BEGUN, _DELETED))):
            (self._folder / file).unlink(missing_ok=True)
        return True

    def sweep(self) -> int:
        """Remove what was half written more than a day ago, and what was given up; how many files.

        A recording with its description and without a row stays: an index that was restored from a
        backup does not know what came after it.
        """
        if self._marker() != self._facts.meta(_STORE):
            return 0
        count = 0
        for path in self._folder.iterdir():
            if self._needless(path):
                path.unlink(missing_ok=True)
                count += 1
        return count

    def _needless(self, path: Path) -> bool:
        if path.suffix == ".new":
            with suppress(FileNotFoundError):  # it was written to its end meanwhile
                return self._clock() - path.stat().st_mtime > _HALF_WRITTEN_SECONDS
        message = self._rows.get(path.name.partition(".")[0])
        return message is not None and not message.content

    def _marker(self) -> str | None:
        """Read twice in every listing, so without what makes opening a text file slow."""
        try:
            descriptor = os.open(self._marker_file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(descriptor, 64).decode("ascii").strip()
            finally:
                os.close(descriptor)
        except (OSError, UnicodeDecodeError):
            return None

    def _mend(self) -> None:
        """Finish what was broken off, and take in again what the index does not know any more."""
        names = [path.name for path in self._folder.iterdir()]
        kept = self._rows.kept()
        for name in names:
            message_id = name.partition(".")[0]
            if name == message_id + _DESCRIPTION and message_id not in kept:
                if self._take_in_again(self._folder / name):
                    _log.warning("message %s: the index had forgotten it; taken in again", message_id)
            elif name == message_id + _BEGUN and kept.get(message_id):
                self.taken(message_id)
            elif kept.get(message_id) is False:
                (self._folder / name).unlink(missing_ok=True)

    def _take_in_again(self, path: Path) -> bool:
        """A row from the description beside a recording."""
        try:
            message, name = _read_description(path)
        except (OSError, ValueError, KeyError, TypeError):
            _log.warning("%s: not the description of a message, left alone", path.name)
            return False
        if not ((self._folder / name).is_file() and self._rows.add_again(message, name, self._clock())):
            return False
        if (self._folder / (message.ref + _DELETED)).exists():
            self._rows.change(message.ref, message.state, State.DELETED, self._clock())
        return True


def _suffix(message: LocalMessage) -> str:
    return _SUFFIX.get(message.media_type, ".bin")


def _describe(message: LocalMessage, content: str) -> bytes:
    return json.dumps(
        {
            "id": id_of(message.token),
            "mailbox": message.mailbox,
            "kind": message.kind,
            "received": message.received.isoformat(),
            "caller_number": message.caller_number,
            "caller_name": message.caller_name,
            "duration": message.duration,
            "pages": message.pages,
            "urgent": message.urgent,
            "private": message.private,
            "media_type": message.media_type,
            "content": content,
        }
    ).encode("ascii")


def _read_description(path: Path) -> tuple[LocalMessage, str]:
    data = json.loads(path.read_bytes()[:65536])
    message_id = str(data["id"])
    content = str(data["content"])
    if path.name.partition(".")[0] != message_id or Path(content).name != content:
        raise ValueError("names another message")
    message = LocalMessage(
        ref=message_id,
        token=token_of(message_id),
        mailbox=str(data["mailbox"]),
        kind=Kind(data["kind"]),
        state=State.NEW,
        received=datetime.fromisoformat(data["received"]),
        caller_number=str(data["caller_number"]),
        caller_name=str(data["caller_name"]),
        duration=float(data["duration"]) if data["duration"] is not None else None,
        pages=int(data["pages"]) if data["pages"] is not None else None,
        urgent=bool(data["urgent"]),
        private=bool(data["private"]),
        media_type=str(data["media_type"]),
    )
    return message, content
