"""The ports: what the engine needs of each side. Adapters implement them, contract tests bind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from syncengine.model import (
    Cursor,
    FlagChange,
    Folder,
    FolderDelta,
    Found,
    HeaderFields,
    LocalListing,
    LocalMessage,
    Outcome,
    Place,
    State,
    Token,
    Traffic,
    Uid,
)

Recognise = Callable[[HeaderFields], Token | None]
"""Pure: whose token a header carries, None when the message is not ours."""


class VoiceStore(Protocol):
    """The voice-mail side. Every change is compare-and-set, addressed by the store's own identity."""

    def prepare(self) -> None:
        """Make ready for use, and repair what a crash left half done."""

    def sweep(self) -> int:
        """Remove what no message needs any more; how many files."""

    def listing(self, mailbox: str) -> LocalListing:
        """List one mailbox completely, with the store's proof of itself before and after."""

    def content(self, message: LocalMessage) -> Path:
        """Path of the recording; raises ``SyncError`` when it cannot be read."""

    def change(self, message: LocalMessage, wanted: State) -> bool:
        """Bring ``message`` from the state it was observed in to ``wanted``; False if it has moved on."""

    def restored_state(self, message: LocalMessage) -> State:
        """What a deleted message was before it was deleted: what restoring brings back."""

    def adopt(self, message: LocalMessage, content: bytes) -> LocalMessage:
        """Take in a message found in the account under the token it carries there."""

    def refresh(self, mailbox: str) -> None:
        """Have the voice-mail server count a mailbox again, for its own lamps; failures are logged."""

    def purge(self, message: LocalMessage) -> bool:
        """Give up the content of a message that is deleted for good; False if it was restored."""


class Account(Protocol):
    """The e-mail side: one logged-in account, used by one thread at a time.

    Any timeout or protocol error raises :class:`syncengine.errors.ConnectionLost` and leaves the
    object dead. Failures of single messages are outcomes, one for each change or target, in their order.
    """

    def folders(self) -> tuple[Folder, ...]:
        """Every folder with its STATUS, in as few round trips as the server allows."""

    def observe(
        self, folder: Folder, cursor: Cursor | None, known: Sequence[Uid], *, whole: bool = False
    ) -> Iterator[FolderDelta]:
        """What ``folder`` shows since ``cursor``: header fields of new UIDs, flags and disappearances of
        ``known``. Without a cursor, or when the folder's identity changed, everything from the start.
        Each delta can be stored by itself; together with the last one the folder is complete.
        """

    def search(self, folder: Folder, tokens: Sequence[Token]) -> tuple[tuple[Token, Found], ...]:
        """Find tokens by the mailbox's search mode; every hit is verified before it is returned."""

    def mark(self, changes: Sequence[FlagChange]) -> tuple[Outcome, ...]:
        """Set or clear ``\\Seen``; one command per folder and direction."""

    def delete(self, targets: Mapping[Place, Token], trash: Folder | None) -> tuple[Outcome, ...]:
        """Move to ``trash`` (None: expunge by UID), after reading the token of each UID again."""

    def move(self, targets: Mapping[Place, Token], folder: str) -> tuple[Outcome, ...]:
        """Move to ``folder``, after reading the token of each UID again."""

    def append(
        self, folder: str, token: Token, message: bytes, *, flags: frozenset[str], received: datetime
    ) -> Outcome:
        """Put ``message`` there; the outcome's place is the APPENDUID, else found by token."""

    def create(self, folder: str, *, special_use: str | None = None) -> None:
        """Create and subscribe a folder."""

    def fetch(self, place: Place) -> bytes | None:
        """The whole message (BODY.PEEK[]), None when it is no longer there."""

    @property
    def traffic(self) -> Traffic:
        """What went over this account's connection so far."""

    def close(self) -> None:
        """Log out and drop the connection; never raises."""
