"""The spool as a whole: which one it is, and what proves that it is still the same.

The store's id stands in the spool's root, in every mailbox that was ever seen, and in the engine's own
state. Only where all three agree is a missing message the subscriber's act.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

from syncengine.errors import EngineError
from syncengine.voicemail.asterisk.box import AREA, Box, How
from syncengine.voicemail.asterisk.layout import safe_name
from syncengine.voicemail.asterisk.memory import STORE, Memory, read_id
from syncengine.voicemail.files import write_durably


class Spool:
    """Asterisk's ``/var/spool/asterisk/voicemail``, and what of it is remembered."""

    def __init__(self, root: Path, memory: Memory, how: How) -> None:
        self._root = root
        self._memory = memory
        self._how = how
        self._boxes: dict[tuple[str, str], Box] = {}

    @property
    def store_id(self) -> str:
        """The id of the spool, '' before it was marked."""
        return self._memory.store_id() or ""

    def prepare(self) -> None:
        """Mark the spool on first use; raises ``EngineError`` if it cannot be used.

        An empty spool may be a mount point with nothing mounted: it is marked once it holds a context.
        """
        try:
            self._memory.prepare()
            known, there = self._memory.store_id(), read_id(self._marker)
            if known is None and there is None and self._holds_contexts():
                there = secrets.token_hex(16)
                self._seen.mkdir(parents=True, exist_ok=True, mode=0o770)
                write_durably(self._marker, there.encode("ascii"))
            if known is None and there is not None:
                self._memory.set_store_id(there)
        except OSError as error:
            raise EngineError(
                f"{self._root}: the voice-mail spool cannot be used ({error.strerror}); "
                "run as Asterisk's user, and check the path"
            ) from error

    def box(self, context: str, mailbox: str) -> Box:
        """One mailbox; raises ``UsageError`` for names that no folder can have."""
        key = (safe_name("context", context), safe_name("mailbox", mailbox))
        return self._boxes.setdefault(key, Box(self._root / context / mailbox, context, mailbox, self._how))

    def boxes(self) -> Iterator[Box]:
        """Every mailbox that was ever seen and is there."""
        for path in sorted(self._seen.iterdir()) if self._seen.is_dir() else ():
            mailbox, at, context = path.name.partition("@@")
            if at and (self._root / context / mailbox).is_dir():
                yield self.box(context, mailbox)

    def doubt(self, box: Box) -> str:
        """Say why the spool proves nothing about a mailbox, '' if it does.

        A mailbox that was never seen and has no folder is one that never had a message.
        """
        known = self._memory.store_id()
        if known is None:
            try:
                self.prepare()
            except EngineError as error:
                return str(error)
            known = self._memory.store_id()
        if known is None or known != read_id(self._marker):
            return (
                f"{self._root} is not the spool it was: {AREA}/{STORE} is missing or another; is it mounted?"
            )
        seen = self._seen / f"{box.mailbox}@@{box.context}"
        if box.mark == known:
            return "" if seen.exists() else self._first_sight(box, seen, known)
        if seen.exists():
            return f"{box.folder} is gone or another folder than before; if that is right, remove {seen}"
        return self._first_sight(box, seen, known) if box.folder.is_dir() else ""

    def _first_sight(self, box: Box, seen: Path, store_id: str) -> str:
        try:
            box.set_mark(store_id)
            write_durably(seen, b"")
        except OSError as error:
            return f"{box.folder} cannot be written ({error.strerror}); run as Asterisk's user"
        return ""

    @property
    def _marker(self) -> Path:
        return self._root / AREA / STORE

    @property
    def _seen(self) -> Path:
        return self._root / AREA / "seen"

    def _holds_contexts(self) -> bool:
        return any(path.is_dir() and not path.name.startswith(".") for path in self._root.iterdir())
