"""A thousand messages in a hundred mailboxes: a server that never answers delays its own mailbox only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from syncengine.engine.engine import Engine
from syncengine.model import token_of
from tests.support.base import HOST, free_ports
from tests.support.scripted_smtp import Does, scripted
from tests.support.world import RECEIVED, wav

MAILBOXES, EACH = 100, 10
PATIENCE = 10.0
"""Seconds that the silent server is waited for."""


class Sink:
    """Takes everything, in the order it comes."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        content: bytes = envelope.content  # type: ignore[attr-defined]
        uuid = content.split(b"X-VM-Message-UUID: ")[1].split(b"\r\n")[0].decode()
        self.taken.append((envelope.rcpt_tos[0], uuid))  # type: ignore[attr-defined]
        return "250 taken"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    taken = Sink()
    controller = Controller(taken, hostname=HOST, port=free_ports(1)[0])
    controller.start()
    yield taken, controller.port
    controller.stop()


def options(folder: Path, port: int, black_hole: int) -> Path:
    lines = ["[system]", f'state_dir = "{folder / "state"}"', 'domain = "pbx.example.com"']
    lines += [f"seats = {MAILBOXES}", "[sync]", f'command_timeout = "{PATIENCE:.0f}s"']
    for number in range(MAILBOXES):
        lines += [f"[mailboxes.{number}]", "email_integration = true", 'sync_mode = "none"']
        lines += [f'email_name = "box{number}@example.com"', f"[mailboxes.{number}.smtp]"]
        lines += [f'server = "{HOST}"', 'security = "none"', f"port = {port if number else black_hole}"]
    config = folder / "syncengine.toml"
    config.write_text("\n".join(lines) + "\n")
    return config


def test_the_others_are_not_delayed_and_each_mailbox_keeps_its_order(tmp_path, sink, record_property):
    taken, port = sink
    with (
        scripted({"GREETING": Does.NOTHING}) as silent,
        Engine.open(options(tmp_path, port, silent.port)) as engine,
    ):
        handed_in: dict[str, list[str]] = {}
        for number in engine.numbers():
            box = engine.mailbox(number)
            handed_in[number] = [token_of(box.deliver(wav(80), received=RECEIVED).id) for _ in range(EACH)]
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            first = pool.submit(engine.resync, "0")
            reports = list(pool.map(engine.resync, engine.numbers()[1:]))
            seconds = time.monotonic() - began
            assert all(report.ok for report in reports)
            assert len(taken.taken) == (MAILBOXES - 1) * EACH
            assert not first.done() or seconds > PATIENCE, "the silent server was not waited for"
        assert not first.result().ok
        assert time.monotonic() - began < PATIENCE + seconds + 5, "one connection told for all ten"

    by_box: dict[str, list[str]] = {}
    for address, uuid in taken.taken:
        by_box.setdefault(address.removeprefix("box").removesuffix("@example.com"), []).append(uuid)
    assert by_box == {number: uuids for number, uuids in handed_in.items() if number != "0"}
    assert set(Counter(uuid for _, uuid in taken.taken).values()) == {1}
    record_property(
        "figure", ("seconds for 990 messages of 99 mailboxes, 8 threads", round(seconds, 1), PATIENCE)
    )
