#!/usr/bin/env python3
"""A voice-mail server's own store as the engine's local side, as small as it can be.

A message is a folder, ``<root>/<mailbox>/<id>/``, with ``sound.wav`` and ``message.json``. The engine is
given the store in the place of the built-in one:

    store = FolderStore(Path("/var/spool/answering"))
    with Engine.open("syncengine.toml", store=store) as engine:
        engine.start()
        ...
        store.take_in("101", Path("call.wav").read_bytes(), caller_number="+12035550117")
        engine.changed("101")           # on its way to the subscriber at once

It passes the tests of ``syncengine.testing``, which is what a store of your own has to do, too.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from syncengine import Kind, LocalListing, LocalMessage, State, StoreUnproven, SyncError, token_of

Values = dict[str, object]


class FolderStore:
    """Implements ``syncengine.VoiceStore``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store_id = ""

    # What the voice-mail server itself calls

    def take_in(self, mailbox: str, sound: bytes, *, caller_number: str = "", **more: object) -> str:
        """Keep a new message; its id. Whoever looks sees all of it or nothing: the rename is the commit."""
        values = {
            "caller_number": caller_number,
            "received": datetime.now(UTC).isoformat(),
            "state": "new",
            **more,
        }
        return self._put(mailbox, secrets.token_hex(16), sound, values)

    # The port

    def prepare(self) -> None:
        """Make the store where there is none yet; remember which one it is."""
        if self.store_id:
            return
        marker = self.root / "store-id"
        if not self.root.exists():  # an empty folder may be where nothing is mounted: it is left alone
            work = self.root.with_name(f"{self.root.name}.{secrets.token_hex(8)}")
            work.mkdir(parents=True)
            _write(work / "store-id", secrets.token_hex(16).encode())
            work.rename(self.root)
        self.store_id = marker.read_text() if marker.exists() else ""

    def listing(self, mailbox: str) -> LocalListing:
        """The whole mailbox; proven, if the marker was the same before and after it was read."""
        before = self._is_there()
        folder = self._folder(mailbox)
        found = sorted(folder.glob("[0-9a-f]*")) if folder.is_dir() else []
        messages = [m for m in (self._message(mailbox, path) for path in found) if m is not None]
        return LocalListing(self.store_id, before and self._is_there(), tuple(messages))

    def content(self, message: LocalMessage) -> Path:
        """The recording; its path never changes, since nothing here is ever renumbered."""
        path = self._folder(message.mailbox) / message.ref / "sound.wav"
        if not path.is_file():
            raise SyncError(f"message {message.ref}: its recording is not there any more")
        return path

    def change(self, message: LocalMessage, wanted: State) -> bool:
        """Change the state if it is still the one that was seen, under a lock that every process takes."""
        path = self._folder(message.mailbox) / message.ref
        with self._locked():
            values = _values(path)
            if values is None or values["state"] != message.state or wanted is message.state:
                return False
            if wanted is State.DELETED:
                values |= {"before": values["state"], "deleted_at": datetime.now(UTC).isoformat()}
            _write(path / "message.json", json.dumps(values | {"state": wanted}).encode())
            return True

    def restored_state(self, message: LocalMessage) -> State:
        """What it was when it was deleted."""
        values = _values(self._folder(message.mailbox) / message.ref) or {}
        return State(str(values.get("before", State.NEW)))

    def purge(self, message: LocalMessage) -> bool:
        """Give a deleted message up for good; what is half removed after a crash has no description."""
        path = self._folder(message.mailbox) / message.ref
        with self._locked():
            values = _values(path)
            if values is None or values["state"] != State.DELETED:
                return False
            (path / "message.json").unlink()
            shutil.rmtree(path)
            return True

    def adopt(self, message: LocalMessage, content: bytes) -> LocalMessage:
        """Take in what was found in the account, under the token it has there; once."""
        message_id = message.token[3:35]
        values = {"caller_number": message.caller_number, "caller_name": message.caller_name}
        values |= {"received": message.received.isoformat(), "state": message.state, "urgent": message.urgent}
        if _values(self._folder(message.mailbox) / message_id) is None:
            self._put(message.mailbox, message_id, content, values)
        adopted = self._message(message.mailbox, self._folder(message.mailbox) / message_id)
        assert adopted is not None
        return adopted

    def refresh(self, mailbox: str) -> None:
        """There are no lamps here; a server that has some counts again now."""

    def sweep(self) -> int:
        """Remove what a crash left half done."""
        with self._locked():
            half = [p for p in self.root.glob("*/*") if p.name.startswith("work-") or _values(p) is None]
            for path in half:
                shutil.rmtree(path, ignore_errors=True)
        return len(half)

    # How it lies on disk

    def _put(self, mailbox: str, message_id: str, sound: bytes, values: Values) -> str:
        with self._locked():
            work = self._folder(mailbox) / f"work-{message_id}"
            work.mkdir(parents=True, exist_ok=True)
            _write(work / "sound.wav", sound)
            _write(work / "message.json", json.dumps(values).encode())
            work.rename(work.with_name(message_id))
        return message_id

    def _message(self, mailbox: str, path: Path) -> LocalMessage | None:
        values = _values(path)
        if values is None:
            return None
        deleted = values.get("deleted_at") if values["state"] == State.DELETED else None
        return LocalMessage(
            ref=path.name,
            token=token_of(path.name),
            mailbox=mailbox,
            kind=Kind.VOICE,
            state=State(str(values["state"])),
            received=datetime.fromisoformat(str(values["received"])),
            caller_number=str(values["caller_number"]),
            caller_name=str(values.get("caller_name", "")),
            urgent=bool(values.get("urgent")),
            deleted_at=datetime.fromisoformat(str(deleted)) if deleted else None,
            media_type="audio/wav",
        )

    def _folder(self, mailbox: str) -> Path:
        if not re.fullmatch(r"[0-9A-Za-z]{1,40}", mailbox):
            raise SyncError(f"mailbox {mailbox[:40]!r}: there can be none of that name")
        return self.root / mailbox

    def _is_there(self) -> bool:
        marker = self.root / "store-id"
        return bool(self.store_id) and marker.is_file() and marker.read_text() == self.store_id

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._is_there():
            raise StoreUnproven(f"{self.root} is not the store it was; is it mounted?")
        with (self.root / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _values(path: Path) -> Values | None:
    try:
        values: Values = json.loads((path / "message.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return values


def _write(path: Path, data: bytes) -> None:
    """Write a file so that after a crash it is there whole or not at all."""
    work = path.with_suffix(".work")
    with work.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    work.rename(path)
