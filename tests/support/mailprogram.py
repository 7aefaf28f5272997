"""The subscriber's mail program: a second, foreign client, so that the engine is not judged by itself.

Plain IMAPClient with the verbs of a mail program. Folder names are given as paths ("Work", "Sub")
and spelled as the server wants them; messages are addressed by UID.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from imapclient import IMAPClient, SocketTimeout

from tests.support.base import Login, Server
from tests.support.waiting import eventually

INBOX = "INBOX"

T = TypeVar("T")


class MailProgram:
    """One logged-in connection; close it, or use it in a ``with`` statement."""

    def __init__(self, server: Server, login: Login) -> None:
        self.server = server
        self.login = login
        self.client = self._logged_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Log out; a connection that is broken already is dropped."""
        try:
            self.client.logout()
        except (OSError, self.client.Error):
            self.client.shutdown()

    def name(self, folder: str) -> str:
        """Return the server's full name of a folder given as a path with ``/``."""
        return INBOX if folder == INBOX else self.server.folder(*folder.split("/"))

    def folders(self) -> set[str]:
        """Return the full names of all folders that can be opened."""
        return {
            name
            for flags, _, name in self.client.list_folders()
            if b"\\noselect" not in map(bytes.lower, flags)
        }

    def create(self, folder: str) -> None:
        """Make and subscribe a folder."""
        self.client.create_folder(self.name(folder))
        self.client.subscribe_folder(self.name(folder))

    def ensure(self, folder: str) -> None:
        """Make a folder unless it is there."""
        if not self.client.folder_exists(self.name(folder)):
            self.create(folder)

    def rename(self, old: str, new: str) -> None:
        """Rename a folder; Courier renames none that is open."""
        self.client.select_folder(INBOX)
        self.client.rename_folder(self.name(old), self.name(new))

    def delete(self, folder: str) -> None:
        """Delete a folder with all that is in it; servers end sessions that still have it open."""
        self.client.select_folder(INBOX)
        self.client.delete_folder(self.name(folder))

    def append(self, message: bytes, folder: str = INBOX, *flags: str) -> int:
        """Put a message into a folder and return its UID."""
        self.client.append(self.name(folder), message, flags)
        return max(self.uids(folder))

    def uids(self, folder: str = INBOX) -> list[int]:
        """Return the UIDs of all messages of a folder, ascending."""
        self._look(folder)
        return sorted(self.client.search("ALL"))

    def find(self, text: str, folder: str = INBOX) -> list[int]:
        """Return the UIDs of the messages that have ``text`` somewhere in their header."""
        return [uid for uid in self.uids(folder) if text.encode() in self.header(uid, folder)]

    def header(self, uid: int, folder: str = INBOX) -> bytes:
        """Return a message's header as it lies there."""
        self._look(folder)
        return bytes(self.client.fetch([uid], ["BODY.PEEK[HEADER]"])[uid][b"BODY[HEADER]"])

    def read(self, uid: int, folder: str = INBOX) -> bytes:
        """Return a whole message without marking it as seen."""
        self._look(folder)
        return bytes(self.client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"])

    def flags(self, uid: int, folder: str = INBOX) -> set[str]:
        """Return a message's flags, without the server's ``\\Recent``."""
        self._look(folder)
        return {flag.decode() for flag in self.client.get_flags([uid])[uid]} - {"\\Recent"}

    def flag(self, uid: int, *flags: str, folder: str = INBOX) -> None:
        """Set flags on a message."""
        self._look(folder)
        self.client.add_flags([uid], flags, silent=True)

    def unflag(self, uid: int, *flags: str, folder: str = INBOX) -> None:
        """Take flags off a message."""
        self._look(folder)
        self.client.remove_flags([uid], flags, silent=True)

    def copy(self, uid: int, target: str, folder: str = INBOX) -> int:
        """Copy a message to another folder and return the UID of the copy."""
        self._look(folder)
        self.client.copy([uid], self.name(target))
        return max(self.uids(target))

    def move(self, uid: int, target: str, folder: str = INBOX) -> int:
        """Move a message as mail programs do: MOVE where offered, else copy and expunge."""
        self._look(folder)
        if self.server.capable("MOVE"):
            self.client.move([uid], self.name(target))
        else:
            self.client.copy([uid], self.name(target))
            self.expunge(uid, folder)
        return max(self.uids(target))

    def trash(self, uid: int, folder: str = INBOX) -> int:
        """Move a message to Trash and return its UID there."""
        self.ensure("Trash")
        return self.move(uid, "Trash", folder)

    def expunge(self, uid: int, folder: str = INBOX) -> None:
        """Remove one message for good, touching no other."""
        self.flag(uid, "\\Deleted", folder=folder)
        self.client.uid_expunge([uid])

    def patient(self, ask: Callable[[], T]) -> T:
        """Return what ``ask``, which only reads, finds; in a new session where the server broke this one.

        Dovecot answers with SERVERBUG for a moment where a Maildir was made again under a session.
        """
        (found,) = eventually(lambda: (self._asked(ask),), every=0.1)
        return found

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except self.client.Error as error:
            if "SERVERBUG" not in str(error):
                raise
            self.close()
            self.client = self._logged_in()
            raise AssertionError(str(error)) from error

    def _logged_in(self) -> IMAPClient:
        client = IMAPClient(
            self.server.host, self.server.imap_port, ssl=False, timeout=SocketTimeout(connect=10, read=30)
        )
        client._imap.debug = 0
        client.login(self.login.user, self.login.password)
        return client

    def _look(self, folder: str) -> None:
        """Select the folder anew, so that what others did meanwhile is seen."""
        self.patient(lambda: self.client.select_folder(self.name(folder)))
