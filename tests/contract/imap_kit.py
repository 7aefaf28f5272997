"""What the contract tests of the e-mail side share: mails of ours, the view they make, what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from syncengine.imap.replica import ImapAccount
from syncengine.imap.settings import AccountSettings
from syncengine.model import Cursor, Folder, FolderDelta, Place, Security, Token, Uid, token_of
from syncengine.rules.identity import mailbox_mark, recognise
from tests.support.base import Login, Server
from tests.support.mailprogram import MailProgram
from tests.support.proxy import Proxy

DOMAIN = "pbx.example.com"
OWN = "petera@ctlinc.example"
STRATEGIES = {
    "qresync": frozenset[str](),
    "condstore": frozenset({"QRESYNC"}),
    "plain": frozenset({"QRESYNC", "CONDSTORE"}),
    "bare": frozenset(
        {
            "QRESYNC",
            "CONDSTORE",
            "ESEARCH",
            "LIST-STATUS",
            "MOVE",
            "UNSELECT",
            "LITERAL+",
            "SASL-IR",
            "ENABLE",
        }
    ),
}
WHEN = datetime(2026, 3, 5, 7, 8, 9, tzinfo=UTC)

ours = partial(recognise, domain=DOMAIN, mailbox="101", own_addresses=[OWN])


def token(number: int) -> Token:
    return token_of(f"{number:032x}")


def mail(number: int, *, extra: str = "") -> bytes:
    mark = token(number)
    return (
        f"From: {OWN}\r\nTo: {OWN}\r\nSubject: Voice message {number}\r\n{extra}"
        f"Message-ID: <{mark}@{DOMAIN}>\r\nX-VM-Message-UUID: {mark}\r\n"
        f"X-VM-Mailbox: {mailbox_mark('101')}\r\n"
        f"\r\nHello\r\nRef: {mark}\r\n"
    ).encode()


@dataclass
class View:
    """What an index would know after taking in every delta: UID to token and flags."""

    cursor: Cursor | None = None
    seen: dict[Uid, tuple[Token | None, frozenset[str]]] = field(default_factory=dict)

    def take(self, deltas: Iterable[FolderDelta]) -> list[FolderDelta]:
        taken = list(deltas)
        for delta in taken:
            if delta.reset:
                self.seen.clear()
            for found in delta.found:
                self.seen[found.place.uid] = (ours(found.header), found.flags)
            for state in delta.flags:
                self.seen[state.uid] = (self.seen[state.uid][0], state.flags)
            for uid in delta.vanished:
                del self.seen[uid]
            self.cursor = delta.cursor
        return taken

    def observe(
        self, account: ImapAccount, folder: str = "INBOX", *, whole: bool = False
    ) -> list[FolderDelta]:
        return self.take(account.observe(named(account, folder), self.cursor, list(self.seen), whole=whole))

    @property
    def tokens(self) -> set[Token | None]:
        return {mark for mark, _ in self.seen.values()}

    def place(self, mark: Token) -> Place:
        assert self.cursor is not None
        uid = next(uid for uid, (its, _) in self.seen.items() if its == mark)
        return Place(self.cursor.folder, self.cursor.uidvalidity, uid)


def named(account: ImapAccount, name: str) -> Folder:
    return next(folder for folder in account.folders() if folder.name == name)


class Line:
    """What went over the wire, without secrets."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []

    def __call__(self, who: str, line: bytes) -> None:
        self.said.append((who, line))

    def sent(self, word: str) -> list[bytes]:
        return [line for who, line in self.said if who == "C" and word.encode() in line]


Open = Callable[..., ImapAccount]
Mail = Callable[[Server, Login], MailProgram]
MakeProxy = Callable[..., Proxy]


def strategies(server: Server) -> dict[str, frozenset[str]]:
    """Those that differ on this server."""
    known = dict(STRATEGIES)
    if not server.capable("QRESYNC"):
        known.pop("qresync")
    if not server.capable("CONDSTORE"):
        known.pop("condstore")
    return known


def scripted_account(port: int, **how: object) -> ImapAccount:
    settings: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "security": Security.NONE,
        "account": "a",
        "secret": lambda: "hunter2",
        "timeout": 2.0,
        "domain": DOMAIN,
    }
    settings.update(how)
    return ImapAccount(AccountSettings(**settings), recognise=ours)  # type: ignore[arg-type]
