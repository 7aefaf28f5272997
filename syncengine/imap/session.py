"""The logged-in account with at most one open folder: connects when first needed, opens folders.

A folder is open only after its SELECT was confirmed with a UIDVALIDITY; nothing is written behind an
unchecked SELECT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncengine.errors import ConnectionLost, FolderError
from syncengine.imap.channel import Trace
from syncengine.imap.commands import Command, Reply, Untagged, command
from syncengine.imap.connection import Connection, First
from syncengine.imap.names import Names
from syncengine.imap.settings import AccountSettings
from syncengine.imap.uidset import UidSet
from syncengine.imap.wire import LARGEST_MODSEQ
from syncengine.model import ModSeq, Uid, UidValidity


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder as its SELECT showed it."""

    folder: str
    uidvalidity: UidValidity
    uidnext: Uid | None
    """None where the server does not say (Courier)."""
    highestmodseq: ModSeq | None
    """None without CONDSTORE, or for a folder with NOMODSEQ (RFC 7162 section 3.1.2.2)."""
    exists: int


class Session:
    """Connection, names, and the open folder."""

    def __init__(self, settings: AccountSettings, *, trace: Trace | None = None) -> None:
        self.settings = settings
        self.connection = Connection(settings, trace=trace)
        self.names = Names()
        self.opened: Opened | None = None
        self._started = False

    def start(self, first: First) -> Reply | None:
        """Connect with these first commands; None when connected already."""
        if self._started:
            return None
        self._started = True
        return self.connection.open(first)

    def offers(self, *words: str) -> bool:
        """Whether the server offers all of these capabilities (and none is masked)."""
        self.start(lambda _: ())
        return self.connection.capabilities.issuperset(words)

    def run(self, commands: Sequence[Command]) -> Reply:
        """Run commands, connecting first if that has not been done."""
        return self.start(lambda _: commands) or self.connection.run(commands)

    def open(
        self, folder: str, *, since: tuple[int, int] | None = None, then: Sequence[Command] = ()
    ) -> tuple[Opened, Reply]:
        """SELECT ``folder`` and run ``then`` behind it; the reply is that of ``then``.

        ``since``: UIDVALIDITY and MODSEQ for QRESYNC (RFC 7162 section 3.2.5). What ``then`` brought
        must not be used when UIDVALIDITY is not the expected one. Raises ``FolderError``.
        """
        parameter = b""
        if since and self.connection.qresync:
            parameter = b" (QRESYNC (%d %d))" % since
        elif self.offers("CONDSTORE"):
            parameter = b" (CONDSTORE)"
        self.opened = None
        select = command(b"SELECT " + self.names.wire(folder) + parameter, selects=True)
        reply = self.run([select, *then])
        if not reply.results[0].ok:
            raise FolderError(f"folder {folder}: cannot be opened: {reply.refusal}")
        self.opened = _opened(folder, reply.untagged, condstore=bool(parameter))
        return self.opened, Reply(reply.results[1:], reply.untagged, reply.tags[1:])

    def ensure(self, folder: str, uidvalidity: int) -> Opened:
        """Have ``folder`` open under this UIDVALIDITY, or raise ``FolderError``: UIDs mean nothing
        under another.
        """
        opened = self.opened
        if opened is None or opened.folder != folder:
            opened, _ = self.open(folder)
        if opened.uidvalidity != uidvalidity:
            raise FolderError(
                f"folder {folder}: was replaced by another (UIDVALIDITY changed); it is read again"
            )
        return opened

    def within(self, folder: str, uidvalidity: int, commands: Sequence[Command]) -> Reply:
        """Run commands that only read in ``folder``; a SELECT that is needed travels in front of them.

        Raises ``FolderError`` when the folder is another one now: nothing that was read is used.
        """
        if self.opened is not None and self.opened.folder == folder:
            self.ensure(folder, uidvalidity)
            return self.run(commands)
        _, reply = self.open(folder, then=commands)
        self.ensure(folder, uidvalidity)
        return reply

    def leaving(self) -> list[Command]:
        """What goes in front of commands about other folders: UNSELECT, since CLOSE would expunge
        (RFC 3691); a NOOP where it is not offered; nothing when no folder is open.
        """
        if self.opened is None:
            return []
        if not self.offers("UNSELECT"):
            return [command(b"NOOP")]
        self.opened = None
        return [command(b"UNSELECT")]

    def listing(self) -> UidSet | None:
        """Every UID of the open folder, None when the answer does not agree with EXISTS.

        Asked a second time before it is given up, since a message may arrive in between.
        """
        for _ in range(2):
            reply = self.run([self.search_all()])
            if reply.ok and (listed := agreeing(reply.untagged)) is not None:
                return listed
        return None

    def search_all(self) -> Command:
        """The command for a complete listing, short where ESEARCH is offered (RFC 4731)."""
        returning = b"RETURN (ALL) " if self.offers("ESEARCH") else b""
        return command(b"UID SEARCH " + returning + b"ALL")

    def compressing(self) -> list[Command]:
        """COMPRESS where it is offered and not in force; goes last behind a folder's opening."""
        self.start(lambda _: ())
        return self.connection.compressing()

    def alive(self) -> None:
        """Raise ``ConnectionLost`` when the connection is gone."""
        if self._started and not self.connection.alive:
            raise ConnectionLost(f"{self.settings.host}: connection lost")


def searched(untagged: Untagged) -> UidSet:
    """All UIDs that SEARCH brought, in however many lines."""
    return UidSet.union(result.uids for result in untagged.searches)


def agreeing(untagged: Untagged) -> UidSet | None:
    """A complete listing that has as many members as the folder has messages, else None."""
    listed = searched(untagged)
    return listed if len(listed) == untagged.exists else None


def _opened(folder: str, untagged: Untagged, *, condstore: bool) -> Opened:
    codes = untagged.opened or {}
    uidvalidity = _number(codes.get("UIDVALIDITY"))
    if not uidvalidity:
        raise FolderError(
            f"folder {folder}: the server gives no UIDVALIDITY; its messages cannot be followed"
        )
    modseq = _number(codes.get("HIGHESTMODSEQ")) if condstore and "NOMODSEQ" not in codes else None
    uidnext = _number(codes.get("UIDNEXT"))
    return Opened(
        folder,
        UidValidity(uidvalidity),
        Uid(uidnext) if uidnext else None,
        ModSeq(modseq) if modseq and modseq <= LARGEST_MODSEQ else None,
        untagged.opened_exists or 0,
    )


def _number(argument: bytes | None) -> int | None:
    return int(argument) if argument and argument.isdigit() and len(argument) < 21 else None
