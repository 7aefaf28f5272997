"""Many mailboxes under the service: a server that never answers delays those that send to it, nobody else."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiosmtpd.controller import Controller

from syncengine.engine.engine import Engine
from syncengine.model import token_of
from tests.support.base import HOST, Server, free_ports
from tests.support.waiting import eventually
from tests.support.world import RECEIVED, wav

pytestmark = pytest.mark.timeout(400)

MAILBOXES, EACH = 100, 10
PATIENCE = 600.0
"""Seconds that a silent server is waited for: whoever waited for it would not be done before."""


@dataclass
class Sink:
    """Takes everything, in the order it comes."""

    port: int
    taken: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        content: bytes = envelope.content  # type: ignore[attr-defined]
        uuid = content.split(b"X-VM-Message-UUID: ")[1].split(b"\r\n")[0].decode()
        self.taken.append((envelope.rcpt_tos[0], uuid))  # type: ignore[attr-defined]
        return "250 taken"

    def by_mailbox(self) -> dict[str, list[str]]:
        """What each mailbox's address got, in order."""
        found: dict[str, list[str]] = {}
        for address, uuid in self.taken:
            found.setdefault(address.removeprefix("box").removesuffix("@example.com"), []).append(uuid)
        return found


@pytest.fixture
def sink() -> Iterator[Sink]:
    taken = Sink(free_ports(1)[0])
    controller = Controller(taken, hostname=HOST, port=taken.port)
    controller.start()
    yield taken
    controller.stop()


@dataclass
class Silence:
    """A server that lets everybody in and never says a word, until it goes."""

    listener: socket.socket

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    def goes(self) -> None:
        """End; whoever waits for it learns that."""
        self.listener.close()


@pytest.fixture
def silent() -> Iterator[Silence]:
    with socket.create_server((HOST, 0), backlog=128) as listener:
        yield Silence(listener)


def table(number: int, port: int, *lines: str) -> list[str]:
    return [
        f"[mailboxes.{number}]",
        "email_integration = true",
        f'email_name = "box{number}@example.com"',
        *lines,
        f"[mailboxes.{number}.smtp]",
        f'server = "{HOST}"',
        'security = "none"',
        f"port = {port}",
    ]


def imap(number: int, server: Server) -> list[str]:
    login = server.new_user()
    section = {"account": login.user, "password": login.password, "security": "none", "server": server.host}
    lines = [f"[mailboxes.{number}.imap4]", f"port = {server.imap_port}"]
    return [*lines, *(f'{key} = "{value}"' for key, value in section.items())]


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    """Where the state lies: in memory where there is one; syncs to disk prove nothing here."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@contextmanager
def loaded(folder: Path, tables: list[str], each: int) -> Iterator[tuple[Engine, dict[str, list[str]]]]:
    """An engine with messages in every queue, and which; nothing is sent yet."""
    config = folder / "syncengine.toml"
    head = ["[system]", f'state_dir = "{folder / "state"}"', 'domain = "pbx.example.com"', "seats = 200"]
    config.write_text("\n".join([*head, "[sync]", f'command_timeout = "{PATIENCE:.0f}s"', *tables, ""]))
    config.chmod(0o600)
    with Engine.open(config) as engine:
        queued = {}
        for number in engine.numbers():
            box = engine.mailbox(number)
            queued[number] = [token_of(box.deliver(wav(80), received=RECEIVED).id) for _ in range(each)]
        yield engine, queued


def test_a_thousand_messages_of_a_hundred_mailboxes_do_not_wait_for_a_silent_server(
    folder, sink, silent, record_property
):
    tables = [
        line
        for number in range(MAILBOXES)
        for line in table(number, silent.port if number % 10 == 0 else sink.port, 'sync_mode = "none"')
    ]
    with loaded(folder, tables, EACH) as (engine, queued):
        wanted = {number: tokens for number, tokens in queued.items() if int(number) % 10}
        began = time.monotonic()
        engine.start()
        eventually(lambda: len(sink.taken) >= len(wanted) * EACH, timeout=PATIENCE / 2)
        seconds = time.monotonic() - began
        assert sink.by_mailbox() == wanted
        assert set(Counter(uuid for _, uuid in sink.taken).values()) == {1}
        assert not any(row.state == "sent" for row in engine.index.queue.rows("0"))
        silent.goes()
    record_property(
        "figure",
        ("seconds for 900 messages of 90 mailboxes, a silent server among them", round(seconds, 1), PATIENCE),
    )


def test_a_silent_way_out_of_many_does_not_delay_the_others_of_the_same_account_server(
    folder, sink, silent, dovecot
):
    """More mailboxes hang at it than passes run at one server at a time."""
    many, hanging = 30, 15
    tables = []
    for number in range(many):
        tables += table(number, silent.port if number < hanging else sink.port) + imap(number, dovecot)
    with loaded(folder, tables, 2) as (engine, queued):
        engine.start()
        eventually(lambda: len(sink.taken) >= (many - hanging) * 2, timeout=PATIENCE / 2)
        assert sink.by_mailbox() == {n: tokens for n, tokens in queued.items() if int(n) >= hanging}

        asking = [n for n in queued if any(row.state == "claimed" for row in engine.index.queue.rows(n))]
        assert 1 <= len(asking) <= 4, "few ask it at a time"
        turned_away = [n for n in queued if int(n) < hanging and n not in asking]
        assert {row.attempts for n in turned_away for row in engine.index.queue.rows(n)} == {0}
        eventually(lambda: all(engine.status(n).state == "pending" for n in turned_away))
        silent.goes()
