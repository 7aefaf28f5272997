"""The engine and its peers behind one face: set up, run once, and be changed from the local side."""

from __future__ import annotations

import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from syncengine.engine.engine import Engine
from tests.bench.account import INBOX, Account
from tests.support.base import output

_NUMBER = "101"


class Client(ABC):
    """One program that keeps an account in step with something of its own."""

    name = ""
    program = ""
    keeps = ""
    """What it keeps at its side."""
    largest = 1_000_000
    """Messages beyond which its first copy takes too long for a bench."""

    def __init__(self, folder: Path, account: Account, port: int, *, only_inbox: bool) -> None:
        self.folder, self.account, self.port = folder, account, port
        self.only_inbox = only_inbox
        folder.mkdir(parents=True)
        self.set_up()

    @classmethod
    def there(cls) -> bool:
        """Whether it is installed."""
        return shutil.which(cls.program) is not None

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Which version this is."""

    @classmethod
    @abstractmethod
    def start_up(cls) -> Sequence[str]:
        """A command that loads the program and does nothing."""

    @abstractmethod
    def set_up(self) -> None:
        """Write the configuration."""

    @property
    @abstractmethod
    def command(self) -> Sequence[str]:
        """One pass."""

    @property
    def env(self) -> dict[str, str]:
        """A home of its own."""
        return {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder), "LC_ALL": "C.UTF-8"}

    @abstractmethod
    def change(self, flagged: Sequence[int], deleted: Sequence[int]) -> None:
        """Flag and delete messages of INBOX at its own side, by their UIDs in the account."""

    def _file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path


class Ours(Client):
    """The engine, which lists e-mails for reading aloud."""

    name = "syncengine"
    program = sys.executable
    keeps = "envelopes, flags and sizes in SQLite"

    @classmethod
    def version(cls) -> str:
        """See :class:`Client`."""
        return "this checkout"

    @classmethod
    def start_up(cls) -> Sequence[str]:
        """See :class:`Client`."""
        loads = ("cli.main", "cli.resync", "engine.runner", "imap.replica")
        return [sys.executable, "-c", f"import {', '.join(f'syncengine.{name}' for name in loads)}"]

    def set_up(self) -> None:
        """See :class:`Client`."""
        login = self.account.login
        self._config = self._file(
            "syncengine.toml",
            f"""
[system]
state_dir = "{self.folder / "state"}"
domain = "pbx.example.com"
text_to_speech = true
[mailboxes.{_NUMBER}]
email_integration = true
delivery = "append"
email_name = "subscriber@example.com"
sync_mode = "{"inbox" if self.only_inbox else "all-folders"}"
[mailboxes.{_NUMBER}.imap4]
server = "127.0.0.1"
port = {self.port}
security = "none"
account = "{login.user}"
password = "{login.password}"
""",
        )

    @property
    def command(self) -> Sequence[str]:
        """See :class:`Client`."""
        main = [sys.executable, "-m", "syncengine.cli.main"]
        return [*main, "--config", str(self._config), "--json", "resync", _NUMBER]

    def change(self, flagged: Sequence[int], deleted: Sequence[int]) -> None:
        """See :class:`Client`."""
        with Engine.open(self._config) as engine:
            account = engine.binding(_NUMBER).known_account(engine.index)
            assert account is not None
            every = engine.index.emails.latest_first(account.id)
            rows = {row.place.uid: row for row in every if row.place.folder == INBOX}
            with engine.index.database.write():
                for uid in flagged:
                    row = rows[uid]  # type: ignore[index]
                    engine.index.emails.say_heard(account.id, row, not row.is_heard, 0.0)
                for uid in deleted:
                    engine.index.emails.say_removed(account.id, rows[uid], True, 0.0)  # type: ignore[index]


class _InMaildir(Client):
    """A peer that keeps Maildir folders: what is done locally is done to files."""

    def _files(self) -> dict[int, Path]:
        raise NotImplementedError

    def change(self, flagged: Sequence[int], deleted: Sequence[int]) -> None:
        """See :class:`Client`."""
        files = self._files()
        for uid in flagged:
            base, _, flags = files[uid].name.partition(":2,")
            other = flags.replace("S", "") if "S" in flags else flags + "S"
            files[uid].rename(files[uid].parent.parent / "cur" / f"{base}:2,{other}")
        for uid in deleted:
            files[uid].unlink()


class Mbsync(_InMaildir):
    """Isync's mbsync."""

    name = "mbsync"
    program = "mbsync"
    keeps = "whole messages in Maildir, a text file a folder"

    @classmethod
    def version(cls) -> str:
        """See :class:`Client`."""
        return output("mbsync", "--version").removeprefix("isync ")

    @classmethod
    def start_up(cls) -> Sequence[str]:
        """See :class:`Client`."""
        return ["mbsync", "--version"]

    def set_up(self) -> None:
        """See :class:`Client`."""
        login, mail = self.account.login, self.folder / "mail"
        mail.mkdir()
        self._config = self._file(
            "mbsyncrc",
            f"""
FSync no
IMAPAccount a
Host 127.0.0.1
Port {self.port}
User {login.user}
Pass {login.password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account a

MaildirStore near
Path {mail}/
Inbox {mail}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns {"INBOX" if self.only_inbox else "*"}
Create Near
Expunge Both
Sync All
SyncState *
""",
        )

    @property
    def command(self) -> Sequence[str]:
        """See :class:`Client`."""
        return ["mbsync", "-q", "-c", str(self._config), "c"]

    def _files(self) -> dict[int, Path]:
        """By the account's UID: the state file holds the pairs, the file's name the local UID."""
        inbox = self.folder / "mail" / "INBOX"
        local = {
            int(path.name.partition(",U=")[2].partition(":")[0]): path
            for part in ("cur", "new")
            for path in (inbox / part).iterdir()
        }
        lines = (inbox / ".mbsyncstate").read_text().partition("\n\n")[2].splitlines()
        pairs = (line.split() for line in lines)
        return {int(far): local[int(near)] for far, near, *_ in pairs if int(near) in local}


class OfflineImap(_InMaildir):
    """OfflineIMAP."""

    name = "OfflineIMAP"
    program = "offlineimap"
    keeps = "whole messages in Maildir, SQLite"
    largest = 20_000

    @classmethod
    def version(cls) -> str:
        """See :class:`Client`."""
        return output("offlineimap", "--version").split("\n")[0]

    @classmethod
    def start_up(cls) -> Sequence[str]:
        """See :class:`Client`."""
        return ["offlineimap", "--version"]

    def set_up(self) -> None:
        """See :class:`Client`."""
        login = self.account.login
        only = "folderfilter = lambda name: name == 'INBOX'" if self.only_inbox else ""
        self._config = self._file(
            "offlineimaprc",
            f"""
[general]
accounts = a
metadata = {self.folder / "meta"}
fsync = false
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {self.folder / "mail"}
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {self.port}
remoteuser = {login.user}
remotepass = {login.password}
ssl = no
starttls = no
auth_mechanisms = PLAIN
{only}
""",
        )

    @property
    def command(self) -> Sequence[str]:
        """See :class:`Client`."""
        return ["offlineimap", "-c", str(self._config), "-o", "-u", "quiet"]

    def _files(self) -> dict[int, Path]:
        inbox = self.folder / "mail" / "INBOX"
        return {
            int(path.name.partition(",U=")[2].partition(",")[0]): path
            for part in ("cur", "new")
            for path in (inbox / part).iterdir()
        }


class Interimap(Client):
    """InterIMAP, between the account and another one on the same Dovecot, spoken to without the proxy."""

    name = "interimap"
    program = "interimap"
    keeps = "whole messages on a second server, SQLite"

    @classmethod
    def version(cls) -> str:
        """See :class:`Client`."""
        return output("dpkg-query", "-W", "-f", "${Version}", "interimap") or "installed"

    @classmethod
    def start_up(cls) -> Sequence[str]:
        """See :class:`Client`."""
        return ["interimap", "--version"]

    def set_up(self) -> None:
        """See :class:`Client`."""
        self.near = Account(self.account.server)
        near, far = self.near.login, self.account.login
        self._config = self._file(
            "config",
            f"""
database = {self.folder / "pairs.db"}
list-mailbox = {"INBOX" if self.only_inbox else "*"}

[local]
type = imap
host = 127.0.0.1
port = {self.account.server.imap_port}
STARTTLS = NO
username = {near.user}
password = {near.password}

[remote]
type = imap
host = 127.0.0.1
port = {self.port}
STARTTLS = NO
username = {far.user}
password = {far.password}
""",
        )

    @property
    def command(self) -> Sequence[str]:
        """See :class:`Client`."""
        return ["interimap", "--config", str(self._config), "--quiet"]

    def change(self, flagged: Sequence[int], deleted: Sequence[int]) -> None:
        """See :class:`Client`; what was copied in order lies in the same order there."""
        pairs = dict(zip(self.account_uids, self.near.uids(), strict=True))
        self.near.flag([pairs[uid] for uid in flagged])
        with self.near.client() as client:
            client.select_folder(INBOX)
            gone = [pairs[uid] for uid in deleted]
            client.delete_messages(gone, silent=True)
            client.uid_expunge(gone)

    account_uids: Sequence[int] = ()
    """The account's UIDs when both sides were last in step."""


ALL: Sequence[type[Client]] = (Ours, Mbsync, OfflineImap, Interimap)
