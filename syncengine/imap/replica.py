"""The e-mail side behind the engine's port: one account over IMAP4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from syncengine.errors import FolderError
from syncengine.imap import change, flags, listing, store
from syncengine.imap.channel import Trace
from syncengine.imap.commands import command
from syncengine.imap.observe import EMAILS, Known, observe
from syncengine.imap.search import Finder, ProcessMemory, ServerMemory
from syncengine.imap.session import Opened, Session
from syncengine.imap.settings import AccountSettings
from syncengine.imap.tokens import Value
from syncengine.model import (
    Cursor,
    FlagChange,
    Folder,
    FolderDelta,
    Found,
    Outcome,
    Place,
    Token,
    Traffic,
    Uid,
)
from syncengine.replica import Recognise

_NOTIFY = (
    b"NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))"
    b" (personal (MessageNew MessageExpunge FlagChange MailboxName))"
)
"""RFC 5465: the other folders' changes come as STATUS, new and renamed folders as LIST."""


class ImapAccount:
    """Implements :class:`syncengine.replica.Account`; connects when first used.

    ``recognise`` says whose token a header carries. ``trace`` is called with every line sent (``C``)
    and received (``S``), secrets excepted.
    """

    def __init__(
        self,
        settings: AccountSettings,
        *,
        recognise: Recognise,
        memory: ServerMemory | None = None,
        trace: Trace | None = None,
    ) -> None:
        self._session = Session(settings, trace=trace)
        self._recognise = recognise
        self._notified = False
        self._finder = Finder(self._session, recognise, memory or ProcessMemory())

    def folders(self) -> tuple[Folder, ...]:
        """Every folder with its STATUS."""
        return listing.folders(self._session)

    def observe(
        self, folder: Folder, cursor: Cursor | None, known: Sequence[Uid], *, whole: bool = False
    ) -> Iterator[FolderDelta]:
        """What ``folder`` shows since ``cursor``; nothing where its STATUS proves that nothing happened."""
        for delta in observe(self._session, folder, cursor, lambda: known, whole=whole):
            self._finder.note(delta.found)
            yield delta

    def search(self, folder: Folder, tokens: Sequence[Token]) -> tuple[tuple[Token, Found], ...]:
        """Find tokens by the search mode; ``memory`` keeps where SEARCH HEADER was caught to be broken."""
        return self._finder.search(folder, tokens)

    def mark(self, changes: Sequence[FlagChange]) -> tuple[Outcome, ...]:
        """Set or clear ``\\Seen``."""
        return flags.mark(self._session, changes)

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

    # beyond the port

    def emails(
        self, folder: Folder, cursor: Cursor | None, known: Known, *, whole: bool = False
    ) -> Iterator[FolderDelta]:
        """The e-mails of ``folder`` since ``cursor``, as ``observe`` shows messages of ours.

        What is found is :class:`~syncengine.imap.envelopes.Envelope`.
        """
        return observe(self._session, folder, cursor, known, whole=whole, reading=EMAILS)

    def structure(self, place: Place) -> Value:
        """BODYSTRUCTURE of a message, tokenised; None when it is no longer there."""
        return store.structure(self._session, place)

    def parts(self, place: Place, sections: Sequence[str], *, octets: int) -> Mapping[str, bytes]:
        """The first ``octets`` of body parts, by their numbers; ``\\Seen`` is not touched."""
        return store.parts(self._session, place, sections, octets=octets)

    def watch(self, folder: str) -> Opened:
        """Let the server tell of changes in ``folder`` (IDLE), and in all others where it can (NOTIFY).

        No other method until ``unwatch``. Returns how the folder stood when it was opened: what
        happened before is not told. Raises ``FolderError`` where it cannot be opened or the server
        offers no IDLE.
        """
        if not self._session.offers("IDLE"):
            raise FolderError(f"folder {folder}: the server offers no IDLE; it is polled")
        everywhere = [command(_NOTIFY)] if self._session.offers("NOTIFY") else []
        opened, reply = self._session.open(folder, then=everywhere)
        self._notified = bool(everywhere) and reply.ok
        self._session.connection.idle_start()
        return opened

    def told(self, timeout: float = 0.0) -> bool:
        """Whether the server has told of a change, waiting ``timeout`` seconds at most for one.

        Never blocks with 0. Raises ``ConnectionLost`` as soon as the connection has ended.
        """
        return bool(self._session.connection.idle_lines(timeout))

    def unwatch(self) -> bool:
        """End IDLE, to be renewed within 29 minutes (RFC 2177); whether a change was told meanwhile."""
        told = bool(self._session.connection.idle_done())
        if self._notified:
            self._notified = False
            self._session.run([command(b"NOTIFY NONE")])
        return told

    def glance(self) -> tuple[Folder, ...] | None:
        """As ``folders``, without an end of watching; None where what was told is to be looked at first."""
        if not self._session.connection.idling:
            return self.folders()
        return listing.glance(self._session)

    def fileno(self) -> int:
        """For a selector that watches many accounts; ask ``has_buffered`` before every wait."""
        return self._session.connection.fileno()

    def has_buffered(self) -> bool:
        """Whether something has come that a selector cannot see (read ahead by TLS)."""
        return self._session.connection.has_buffered()

    @property
    def alive(self) -> bool:
        """Whether the connection is open."""
        return self._session.connection.alive

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offered, for ``AccountSettings.known_capabilities`` of the next connection."""
        return self._session.connection.offered
