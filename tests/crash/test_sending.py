"""Killed by SIGKILL at every step of an SMTP attempt: the message arrives, and nobody gets it twice.

A real mail server takes what is sent; what it took before the death is looked for, not sent again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from syncengine.engine.engine import Engine
from syncengine.engine.sending import Sender
from syncengine.model import token_of
from tests.support.base import Server
from tests.support.budget import CAMPAIGN, spread
from tests.support.killserver import KillServer
from tests.support.mailprogram import MailProgram
from tests.support.sending import row, sending
from tests.support.smtp import Front
from tests.support.world import NUMBER, Hands, World

pytestmark = pytest.mark.timeout(0 if CAMPAIGN else 400)

MARK = ("before mkdir", "after mkdir") * 2
MOST = 16
"""Kill points of the short run."""
SCRIPT = "tests.crash.test_sending:send_between_marks"


def send_between_marks(engine: Engine, _clock: Hands) -> None:
    """A pass whose attempt to send stands between marks, so that it is found among all steps."""
    send = Sender.send

    def mark(name: str) -> None:
        for number in range(2):
            (engine.state_dir / f"{name} {number}").mkdir()

    def marked(*arguments: Any) -> bool:
        mark("begin")
        try:
            return send(*arguments)
        finally:
            mark("end")

    setattr(Sender, "send", marked)  # noqa: B010 - mypy knows it as a method
    engine.resync(NUMBER)


@pytest.fixture(scope="module")
def killer() -> Iterator[KillServer]:
    with KillServer() as server:
        yield server


class Deaths:
    """Makes the same small world again and again, and lets it die."""

    def __init__(
        self, stack: ExitStack, folder: Path, server: Server, front: Front, killer: KillServer
    ) -> None:
        self.stack = stack
        self.folder = folder
        self.server = server
        self.front = front
        self.killer = killer
        self._names = itertools.count()

    def attempt(self, at: int | None, **options: object) -> tuple[World, str, tuple[str, ...], MailProgram]:
        """Deliver a message and die at a step of its sending; the world is open when this returns."""
        copy = self.server.new_user()
        options |= {"copies": [copy.address.replace("@localhost", "@example.com")]}
        inner = sending(self.folder / str(next(self._names)), self.server, self.front, options=options)
        there = self.stack.enter_context(inner)
        message = there.deliver()
        there.engine.close()
        died = self.killer.run(SCRIPT, there.config, there.clock(), at=at)
        assert died.killed == (at is not None)
        there.open()
        return there, message, died.steps, self.stack.enter_context(MailProgram(self.server, copy))

    def points(self, **options: object) -> list[int]:
        """The steps from the begin of the attempt to its end."""
        _, _, steps, _ = self.attempt(None, **options)
        first, last = (i for i in range(len(steps)) if steps[i : i + len(MARK)] == MARK)
        return [first + i for i in spread(last - first + 1, MOST)]


@pytest.fixture
def deaths(tmp_path, dovecot, dovecot_smtp, killer) -> Iterator[Deaths]:
    with ExitStack() as stack:
        yield Deaths(stack, tmp_path, dovecot, dovecot_smtp, killer)


def test_killed_at_every_step_of_an_attempt_each_gets_the_message_once(deaths: Deaths, record_property):
    points = deaths.points()
    for at in points:
        there, message, _, copy = deaths.attempt(at)
        for _ in range(2):
            there.sync_ok()
            there.clock.forward(1300)
        there.sync_ok()
        there.sync_ok()

        assert there.message(message).delivery == "confirmed", at
        assert [folder for folder, _ in there.places(message)] == ["INBOX"], at
        assert len(copy.find(token_of(message))) == 1, at
        there.quiet()
    record_property("figure", ("kill points in an SMTP attempt", len(points), len(points)))


def test_where_nothing_can_be_looked_up_it_arrives_under_one_message_id(deaths: Deaths):
    points = deaths.points(sync_mode="none")
    for at in points[:: 1 if CAMPAIGN else 3]:
        there, message, _, _ = deaths.attempt(at, sync_mode="none")
        there.sync_ok()
        there.clock.forward(3700)
        there.sync_ok()

        assert row(there, message).state == "sent", at
        uids = there.mail.find(token_of(message))
        assert 1 <= len(uids) <= 2, at
        assert len({_message_id(there.mail.header(uid)) for uid in uids}) == 1, at


def _message_id(header: bytes) -> bytes:
    return next(line for line in header.split(b"\r\n") if line.lower().startswith(b"message-id:"))
