"""Accounts with many messages, made by writing Maildir files, and a mail program that changes them."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Sequence
from pathlib import Path

from imapclient import IMAPClient

from tests.support.base import Login
from tests.support.dovecot import Dovecot

_TEXT = """\
From: Person {number} <person{number}@example.net>\r
To: subscriber@example.com\r
Subject: Message {number} of the bench\r
Date: Mon, 02 Nov 2026 10:{minute:02}:{second:02} +0000\r
Message-ID: <bench-{number}@example.net>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=us-ascii\r
\r
The text of message {number}: some words, so that there is a body to copy for those who copy bodies.\r
"""
INBOX = "INBOX"


class Account:
    """A subscriber's account on the bench's Dovecot."""

    def __init__(self, server: Dovecot) -> None:
        self.server = server
        self.login: Login = server.new_user()
        assert server.state is not None
        self._maildir = server.state / "mail" / self.login.user / "Maildir"

    def fill(self, folders: Sequence[str], messages: int) -> None:
        """Write so many messages into each folder, every other one read, and let Dovecot index them."""
        for folder in folders:
            self._write(self._maildir if folder == INBOX else self._maildir / f".{folder}", messages)
        subscribed = [name for name in folders if name != INBOX]
        (self._maildir / "subscriptions").write_text("".join(f"{name}\n" for name in subscribed))
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for top, _, names in os.walk(self._maildir.parent):
                for name in (".", *names):
                    os.chown(Path(top) / name, nobody.pw_uid, nobody.pw_gid)
        with self.client() as client:
            for folder in folders:
                client.select_folder(folder)
            if len(folders) > 1:
                client.create_folder("Voice Mail Messages")
                client.subscribe_folder("Voice Mail Messages")

    def client(self) -> IMAPClient:
        """The subscriber's mail program."""
        client = IMAPClient(self.server.host, self.server.imap_port, ssl=False, timeout=120)
        client.login(self.login.user, self.login.password)
        return client

    def uids(self, folder: str = INBOX) -> list[int]:
        """UIDs of a folder, in order."""
        with self.client() as client:
            client.select_folder(folder, readonly=True)
            return sorted(client.search("ALL"))

    def unseen(self, folder: str = INBOX) -> int:
        """How many messages are unread."""
        with self.client() as client:
            return int(client.folder_status(folder, ["UNSEEN"])[b"UNSEEN"])

    def flag(self, uids: Sequence[int]) -> None:
        """Read messages that were unread, unread messages that were read: all of them change."""
        with self.client() as client:
            client.select_folder(INBOX)
            unread = set(client.search("UNSEEN"))
            for sign, of in ((True, unread & set(uids)), (False, set(uids) - unread)):
                if of:
                    change = client.add_flags if sign else client.remove_flags
                    change(sorted(of), ["\\Seen"], silent=True)

    def discard(self, uids: Sequence[int]) -> None:
        """Move messages to Trash."""
        with self.client() as client:
            client.select_folder(INBOX)
            client.move(uids, "Trash")

    def _write(self, folder: Path, messages: int) -> None:
        for name in ("cur", "new", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        start = int(time.time()) - 2 * messages
        for number in range(messages):
            text = _TEXT.format(number=number, minute=number // 60 % 60, second=number % 60)
            flags = "S" if number % 2 else ""
            path = folder / "cur" / f"{start + number}.M{number}.bench,S={len(text)}:2,{flags}"
            path.write_bytes(text.encode())
            os.utime(path, (start + number, start + number))
