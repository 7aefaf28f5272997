"""The subscriber's mail program of the story: a second, ordinary IMAP client that knows nothing of us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ssl import SSLCertVerificationError

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from syncengine.errors import MailboxError
from syncengine.model import Token, token_of

_TIMEOUT = SocketTimeout(connect=20, read=60)


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as the mail program shows it."""

    folder: str
    uid: int
    read: bool
    subject: str


@contextmanager
def _said(where: str) -> Iterator[None]:
    """Failures of the library in one line."""
    try:
        yield
    except SSLCertVerificationError as error:
        raise MailboxError(f"{where}: the certificate is not trusted: {error.verify_message}") from error
    except LoginError as error:
        raise MailboxError(f"{where}: login refused; check the user and the password") from error
    except (OSError, IMAPClientError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise MailboxError(f"{where}: cannot be reached or used: {why or error}") from error


class MailProgram:
    """One logged-in connection to the subscriber's account."""

    def __init__(self, host: str, port: int, *, security: str, user: str, password: str) -> None:
        """Log in, by ``security`` none, starttls or tls; raises ``MailboxError``."""
        with _said(f"{host}:{port}"):
            self._client = IMAPClient(host, port, ssl=security == "tls", timeout=_TIMEOUT)
            self._client._imap.debug = 0  # keeps passwords out of imaplib's history
            try:
                if security == "starttls":
                    self._client.starttls()
                self._client.login(user, password)
            except BaseException:
                with suppress(OSError):  # of a socket that TLS has closed already
                    self._client.shutdown()
                raise

    def folders(self) -> list[str]:
        """Names of all folders that can hold messages."""
        listed = self._client.list_folders()
        return sorted(name for flags, _, name in listed if b"\\Noselect" not in flags)

    def find(self, message_id: str) -> list[Seen]:
        """Everywhere the message is."""
        return [seen for name in self.folders() for seen in self._in(name, token_of(message_id))]

    def _in(self, folder: str, token: Token) -> list[Seen]:
        self._client.select_folder(folder, readonly=True)
        found = []
        for uid in self._client.search("ALL"):
            data = self._client.fetch(
                [uid], ["FLAGS", "BODY.PEEK[HEADER.FIELDS (X-VM-MESSAGE-UUID SUBJECT)]"]
            )[uid]
            header = next(v for k, v in data.items() if k.startswith(b"BODY[")).decode("ascii", "replace")
            if token in header:
                subject = next(
                    (ln[8:].strip() for ln in header.splitlines() if ln.lower().startswith("subject:")), ""
                )
                found.append(Seen(folder, uid, b"\\Seen" in data[b"FLAGS"], subject))
        return found

    def set_read(self, seen: Seen, *, read: bool) -> None:
        """Mark a message read or unread."""
        self._client.select_folder(seen.folder)
        (self._client.add_flags if read else self._client.remove_flags)([seen.uid], ["\\Seen"])

    def move(self, seen: Seen, folder: str) -> None:
        """Move a message as mail programs do."""
        if not self._client.folder_exists(folder):
            self._client.create_folder(folder)
            self._client.subscribe_folder(folder)
        self._client.select_folder(seen.folder)
        if self._client.has_capability("MOVE"):
            self._client.move([seen.uid], folder)
        else:
            self._client.copy([seen.uid], folder)
            self.remove(seen)

    def remove(self, seen: Seen) -> None:
        """Remove one message for good."""
        self._client.select_folder(seen.folder)
        self._client.add_flags([seen.uid], ["\\Deleted"])
        self._client.uid_expunge([seen.uid])

    def close(self) -> None:
        """Log out."""
        self._client.logout()
