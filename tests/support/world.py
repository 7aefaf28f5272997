"""One subscriber's two sides for a test: an engine with its options, a mail program, and what both show."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from syncengine.engine.clock import Clock
from syncengine.engine.engine import Engine
from syncengine.engine.handle import Mailbox
from syncengine.engine.status import Message
from syncengine.model import Report, token_of
from syncengine.options.files import load
from syncengine.options.install import installation_key
from tests.support.base import Login, Server
from tests.support.mailprogram import MailProgram

NUMBER = "101"
FORMAT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
"""PCM16, 8 kHz, mono."""
RECEIVED = datetime(2026, 11, 23, 15, 15, tzinfo=UTC)

Fields = dict[str, object]
_TOKENS = ["FLAGS", "BODY.PEEK[HEADER.FIELDS (X-VM-Message-UUID)]"]


def wav(samples: int = 800) -> bytes:
    """A PCM16 recording at 8 kHz."""
    data = b"\x00\x01" * samples
    body = b"WAVE" + FORMAT + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


class Hands:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a message of ours in the account."""

    folder: str
    """By the server's own name."""
    uid: int
    flags: frozenset[str]


@dataclass
class World:
    """An engine and the subscriber's account, seen from both ends."""

    folder: Path
    server: Server
    login: Login
    mail: MailProgram
    clock: Hands = field(default_factory=Hands)
    mask: frozenset[str] = frozenset()
    options: Fields = field(default_factory=dict)
    sync: Fields = field(default_factory=dict)
    imap4: Fields = field(default_factory=dict)
    smtp: Fields = field(default_factory=dict)
    pop3: Fields = field(default_factory=dict)
    system: Fields = field(default_factory=dict)
    engine: Engine = field(init=False)

    def open(self) -> Engine:
        """Open the engine with the options as they are now."""
        self.write()
        settings = load(self.config)
        self.engine = Engine(
            settings, installation_key(self.config), clock=Clock(self.clock, self.clock), mask=self.mask
        )
        return self.engine

    def reopen(self) -> Engine:
        """Close the engine and open it anew, as another process would."""
        self.engine.close()
        return self.open()

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "syncengine.toml"

    def write(self) -> None:
        """Write the configuration."""
        system = {"state_dir": str(self.folder / "state"), "domain": "pbx.example.com"} | self.system
        imap4 = {
            "server": self.server.host,
            "port": self.server.imap_port,
            "security": "none",
            "account": self.login.user,
            "password": self.login.password,
        } | self.imap4
        options = {
            "email_integration": True,
            "email_name": self.login.address.replace("@localhost", "@example.com"),
            "delivery": "append",
            "sync_mode": "all-folders",
        } | self.options
        text = _table("system", system) + _table("sync", self.sync)
        text += _table(f"mailboxes.{NUMBER}", options) + _table(f"mailboxes.{NUMBER}.imap4", imap4)
        if self.smtp:
            text += _table(f"mailboxes.{NUMBER}.smtp", self.smtp)
        if self.pop3:
            login = {"account": self.login.user, "password": self.login.password}
            text += _table(f"mailboxes.{NUMBER}.pop3", login | self.pop3)
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(0o600)

    @property
    def box(self) -> Mailbox:
        """The mailbox."""
        return self.engine.mailbox(NUMBER)

    def deliver(self, **how: object) -> str:
        """Take in a voice message; its id."""
        known = {"caller_number": "+12035550117", "caller_name": "Peter Adams", "received": RECEIVED} | how
        return self.box.deliver(wav(), **known).id  # type: ignore[arg-type]

    def arrived(self, **how: object) -> str:
        """Take in a voice message and bring it to the account; its id."""
        message = self.deliver(**how)
        self.sync_ok()
        assert self.message(message).delivery == "confirmed", self.message(message)
        return message

    def resync(self, **how: bool) -> Report:
        """One pass."""
        return self.engine.resync(NUMBER, **how)

    def sync_ok(self, **how: bool) -> Report:
        """One pass that succeeds."""
        report = self.resync(**how)
        assert report.ok, report.errors
        return report

    def quiet(self) -> None:
        """Another pass finds nothing to do."""
        report = self.sync_ok()
        assert report.actions == (), report.actions

    def message(self, message_id: str) -> Message:
        """The message as the phone has it."""
        return self.box.message(message_id)

    def ids(self) -> list[str]:
        """Ids of all messages at the phone."""
        return [m.id for m in self.box.messages()]

    def places(self, message_id: str) -> list[tuple[str, int]]:
        """Where the account holds the message: (folder, UID), Trash included."""
        return [(copy.folder, copy.uid) for copy in self.copies().get(token_of(message_id), ())]

    def copies(self) -> dict[str, list[Copy]]:
        """What the account holds of each of our messages, by token; all folders looked through once."""
        return self.mail.patient(self._holding)

    def _holding(self) -> dict[str, list[Copy]]:
        found: dict[str, list[Copy]] = {}
        for name in sorted(self.mail.folders()):
            self.mail.client.select_folder(name, readonly=True)
            uids = self.mail.client.search("ALL")
            shown = self.mail.client.fetch(uids, _TOKENS) if uids else {}
            for uid, items in sorted(shown.items()):
                (head,) = (value for item, value in items.items() if item.startswith(b"BODY["))
                if token := head.decode().partition(":")[2].strip():
                    flags = frozenset(flag.decode() for flag in items[b"FLAGS"])
                    found.setdefault(token, []).append(Copy(name, uid, flags))
        return found

    def place(self, message_id: str) -> tuple[str, int]:
        """The one place where the account holds the message."""
        (place,) = self.places(message_id)
        return place

    def seen(self, message_id: str) -> bool:
        """Whether the account shows the message as read."""
        folder, uid = self.place(message_id)
        return "\\Seen" in self.flags(folder, uid)

    def flags(self, folder: str, uid: int) -> set[str]:
        """Flags of a message, by the server's own name of the folder."""
        self._look(folder, readonly=True)
        return {flag.decode() for flag in self.mail.client.get_flags([uid])[uid]} - {"\\Recent"}

    def flag(self, message_id: str, *flags: str) -> None:
        """Set flags in the mail program."""
        folder, uid = self.place(message_id)
        self._look(folder)
        self.mail.client.add_flags([uid], flags)

    def unflag(self, message_id: str, *flags: str) -> None:
        """Take flags off in the mail program."""
        folder, uid = self.place(message_id)
        self._look(folder)
        self.mail.client.remove_flags([uid], flags)

    def _look(self, folder: str, *, readonly: bool = False) -> None:
        self.mail.patient(lambda: self.mail.client.select_folder(folder, readonly=readonly))

    def move(self, message_id: str, to: str) -> None:
        """Move the message in the mail program."""
        folder, uid = self.place(message_id)
        self.mail.ensure(to)
        self.mail.move(uid, to, folder=self.path(folder))

    def expunge(self, message_id: str) -> None:
        """Remove the message for good in the mail program."""
        folder, uid = self.place(message_id)
        self.mail.expunge(uid, folder=self.path(folder))

    def path(self, name: str) -> str:
        """A server's folder name as the mail program's path."""
        prefix = self.server.prefix
        short = name.removeprefix(prefix) if prefix else name
        return short.replace(self.server.delimiter, "/")


@contextmanager
def world(folder: Path, server: Server, **how: object) -> Iterator[World]:
    """A world of its own on ``server``."""
    login = server.new_user()
    folder.mkdir(parents=True, exist_ok=True)
    with MailProgram(server, login) as mail:
        one = World(folder, server, login, mail, **how)  # type: ignore[arg-type]
        one.open()
        try:
            yield one
        finally:
            one.engine.close()


def _table(name: str, values: Fields) -> str:
    lines = [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(itertools.chain(lines, [""]))
