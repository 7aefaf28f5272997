"""An installation with everything to see on its pages: every state of a mailbox, messages in every stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syncengine.engine.engine import Engine
from syncengine.index import QueueState
from syncengine.model import token_of
from syncengine.options.edit import add_mailbox
from tests.support.base import Server
from tests.support.mailprogram import MailProgram
from tests.support.world import NUMBER, World, wav

FULL = "452 4.2.2 The mailbox is full; try again later"
GONE = "550 5.1.1 There is no such address"
_OTHERS = {
    "102": ("sales@example.com", "all-folders"),
    "103": ("workshop@example.com", "all-folders"),
    "104": ("stores@example.com", "inbox"),
    "105": ("accounts@example.com", "all-folders"),
    "106": ("", "all-folders"),
}


@dataclass
class Showcase:
    """The installation; ``said`` maps what a message of 101 shows to its id."""

    world: World
    said: dict[str, str]

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.world.config


@contextmanager
def showcase(server: Server, folder: Path) -> Iterator[Showcase]:
    """Make it: mailbox 101 on ``server``, the others as their index tells; nobody runs a pass of these."""
    folder.mkdir(parents=True, exist_ok=True)
    login = server.new_user()
    with MailProgram(server, login) as mail:
        world = World(folder, server, login, mail, options={"email_name": "reception@example.com"})
        world.write()
        _others(world.config, server)
        with Engine.open(world.config) as engine:
            world.engine = engine
            said = _messages(world)
            _states(engine)
            _hours(engine)
        yield Showcase(world, said)


def _others(config: Path, server: Server) -> None:
    for number, (name, mode) in _OTHERS.items():
        options: dict[str, object] = {"email_name": name, "sync_mode": mode}
        if name:
            options |= {
                "email_integration": True,
                "delivery": "append",
                "imap4.server": server.host,
                "imap4.port": server.imap_port,
                "imap4.security": "none",
                "imap4.account": name,
                "imap4.password": "not shown",
            }
        else:
            options |= {"protocol": "pop3", "smtp.server": server.host, "smtp.security": "none"}
        add_mailbox(config, number, options)


def _messages(world: World) -> dict[str, str]:
    """Messages of 101, the oldest first."""
    now = datetime.now(UTC).replace(microsecond=0)

    def call(minutes: int, name: str, samples: int = 24000, **how: object) -> str:
        at = now - timedelta(minutes=minutes)
        message = world.box.deliver(
            wav(samples),
            caller_name=name,
            caller_number="+12035550117",
            received=at,
            **how,  # type: ignore[arg-type]
        )
        return message.id

    said = {"heard": call(1600, "Front desk"), "new": call(310, "Peter Adams", 72000)}
    said["urgent"] = call(125, "Warehouse", urgent=True)
    said["deleted"] = call(64, "Night bell")
    world.sync_ok()
    world.flag(said["heard"], "\\Seen")
    world.sync_ok()
    world.box.delete(said["deleted"])
    queue = world.engine.index.queue
    for name, minutes, state, reply in (
        ("deferred", 22, QueueState.DUE, FULL),
        ("refused", 9, QueueState.UNDELIVERABLE, GONE),
    ):
        said[name] = call(minutes, {"deferred": "Service line", "refused": "Anonymous"}[name])
        token = token_of(said[name])
        queue.claim(NUMBER, "showcase", time.time(), 1.0)
        if state is QueueState.DUE:
            queue.settle(NUMBER, token, state, reply=reply, next_try=time.time() + 900)
        else:
            queue.settle(NUMBER, token, state, reply=reply)
    return said


def _states(engine: Engine) -> None:
    now = time.time()
    passes = engine.index.passes
    for number in ("102", "105"):
        passes.record(number, now - 12, None)
    passes.record("103", now - 40, "imap4: the server refused the login; see Account and Password")
    passes.plan({"103": now + 600})
    passes.record("104", now - 25, None)
    host, login = engine.binding("104").account_key
    account = engine.index.views.account("104", host, login).id
    missing = [engine.mailbox("104").deliver(wav(), caller_name="Front desk").id for _ in range(3)]
    engine.index.queue.move("104", [QueueState.DUE], QueueState.SENT, now)
    passes.set_held(account, [token_of(one) for one in missing], now - 5400)


def _hours(engine: Engine) -> None:
    """A day as it may have been: quiet at night, a server that was away in the morning."""
    now = time.time()
    for ago in range(23, 0, -1):
        at = now - ago * 3600
        busy = 8 <= datetime.fromtimestamp(at, UTC).hour < 18
        for number in (NUMBER, *_OTHERS):
            for turn in range(12 if busy else 4):
                failed = ago in (5, 6) and number in (NUMBER, "103") and turn < 8
                engine.index.hours.add(number, at, int(busy and turn % 3 == 0), failed=failed)
