"""The e-mail side behind the engine's port: one account over IMAP4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from syncengine.imap import change, listing, store
from syncengine.imap.channel import Trace
from syncengine.imap.observe import observe
from syncengine.imap.session import Session
from syncengine.imap.settings import AccountSettings
from syncengine.model import (
    Cursor,
    FlagChange,
    Folder,
    FolderDelta,
    Outcome,
    Place,
    Token,
    Traffic,
    Uid,
)
from syncengine.replica import Recognise


class ImapAccount:
    """Implements :class:`syncengine.replica.Account`; connects when first used.

    ``recognise`` says whose token a header carries. ``trace`` is called with every line sent (``C``)
    and received (``S``), secrets excepted.
    """

    def __init__(
        self, settings: AccountSettings, *, recognise: Recognise, trace: Trace | None = None
    ) -> None:
        self._session = Session(settings, trace=trace)
        self._recognise = recognise

    def folders(self) -> tuple[Folder, ...]:
        """Every folder with its STATUS."""
        return listing.folders(self._session)

    def observe(
        self, folder: Folder, cursor: Cursor | None, known: Sequence[Uid], *, whole: bool = False
    ) -> Iterator[FolderDelta]:
        """What ``folder`` shows since ``cursor``; nothing where its STATUS proves that nothing happened."""
        return observe(self._session, folder, cursor, known, whole=whole)

    def mark(self, changes: Sequence[FlagChange]) -> tuple[Outcome, ...]:
        """Set or clear ``\\Seen``."""
        return change.mark(self._session, changes)

    def delete(self, targets: Mapping[Place, Token], trash: Folder | None) -> tuple[Outcome, ...]:
        """Move to ``trash``, None: expunge by UID."""
        return change.move(self._session, self._recognise, targets, trash.name if trash else None)

    def move(self, targets: Mapping[Place, Token], folder: str) -> tuple[Outcome, ...]:
        """Move to ``folder``."""
        return change.move(self._session, self._recognise, targets, folder)

    def append(
        self, folder: str, token: Token, message: bytes, *, flags: frozenset[str], received: datetime
    ) -> Outcome:
        """Put ``message`` there; the outcome's place says where it lies."""
        return store.append(
            self._session, self._recognise, folder, token, message, flags=flags, received=received
        )

    def create(self, folder: str, *, special_use: str | None = None) -> None:
        """Create and subscribe a folder, under the personal namespace."""
        store.create(self._session, folder, special_use=special_use)

    def fetch(self, place: Place) -> bytes | None:
        """The whole message, None when it is no longer there."""
        return store.fetch(self._session, place)

    @property
    def traffic(self) -> Traffic:
        """What went over this account's connection so far."""
        return self._session.connection.traffic

    def close(self) -> None:
        """Log out and drop the connection; never raises."""
        self._session.connection.close()

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offered, for ``AccountSettings.known_capabilities`` of the next connection."""
        return self._session.connection.offered
