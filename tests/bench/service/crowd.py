"""The other side of the bench: very many accounts on very many ports, in a process of its own.

The played server of the tests behind asyncio, so that a change costs its account's connections alone.
It reads orders on stdin and answers each on stdout, a JSON document a line; times are CLOCK_MONOTONIC,
which all processes of a machine share. Unlike a real server it keeps mail in memory, does no disk
access, and has one folder list for all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.support.base import HOST
from tests.support.simimap import SimAccount, SimServer
from tests.support.simimap.folder import Folder
from tests.support.simimap.session import Close, Effect, Send, Session

PASSWORD = "secret"


class Crowd(SimServer):
    """A played server that knows whose change it was."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: datetime.now(UTC))
        self.lines: dict[str, set[Line]] = defaultdict(set)
        self.changed: dict[str, float] = {}
        """When an account was changed last."""
        self._touched: set[str] = set()
        self.silent: set[int] = set()
        """Servers that say nothing any more, by their place."""

    def add_user(self, user: str, password: str = PASSWORD) -> SimAccount:
        """Make an account whose changes wake its own connections."""
        account = SimAccount(
            user,
            password,
            profile=self.profile,
            clock=self.clock,
            lock=self.lock,
            changed=partial(self._note, user),
        )
        self.accounts[user] = account
        return account

    def _note(self, user: str) -> None:
        self.changed[user] = time.monotonic()
        if not self._touched:
            asyncio.get_running_loop().call_soon(self._push)
        self._touched.add(user)

    def _push(self) -> None:
        touched, self._touched = self._touched, set()
        for user in touched:
            for line in tuple(self.lines[user]):
                line.carry_out(line.session.poll())


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, crowd: Crowd, place: int) -> None:
        self._crowd = crowd
        self._place = place
        self.session: Session

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.session = self._crowd.connect()
        self.carry_out(self.session.greet())

    def data_received(self, data: bytes) -> None:
        """Work on what came; a silent server does not even listen."""
        if self._place in self._crowd.silent:
            return
        self.carry_out(self.session.feed(data))
        # What happened before IDLE began is told when it begins.
        self.carry_out(self.session.poll())
        if self.session.account is not None:
            self._crowd.lines[self.session.account.user].add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.session.account is not None:
            self._crowd.lines[self.session.account.user].discard(self)
        self.session.end()

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Say what is to be said."""
        if self._place in self._crowd.silent:
            return
        for effect in effects:
            match effect:
                case Send(data):
                    self._transport.write(data)
                case Close():
                    self._transport.close()


class Orders:
    """What the bench asks for."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd

    def carry_out(self, order: dict[str, object]) -> object:
        """Do one thing; its result."""
        users = order.get("users", [])
        assert isinstance(users, list)
        match order["do"]:
            case "turn":
                return {user: self._turn(self._crowd.accounts[user]) for user in users}
            case "turn all":
                for user in users:
                    self._turn_all(self._crowd.accounts[user])
                return None
            case "changed":
                return {user: self._crowd.changed.get(user, 0.0) for user in users}
            case "live":
                return {user: _live(self._crowd.accounts[user]) for user in users}
            case "silence":
                places = order["places"]
                assert isinstance(places, list)
                self._crowd.silent = set(places)
                return None
            case "stand":
                return {
                    "connections": len(self._crowd.sessions),
                    "idling": sum(1 for session in self._crowd.sessions if session.idling),
                    "commands": self._crowd.commands,
                    "messages": sum(_messages(a) for a in self._crowd.accounts.values()),
                }
            case unknown:
                raise ValueError(f"{unknown}: no such order")

    def _turn(self, account: SimAccount) -> float:
        """Read the first message, or unread it; when."""
        for name, folder in _live_folders(account):
            for uid, entry in folder.entries.items():
                change = account.unflag if "\\Seen" in entry.flags else account.flag
                change(name, uid, "\\Seen")
                return self._crowd.changed[account.user]
        raise ValueError(f"{account.user}: no message")

    def _turn_all(self, account: SimAccount) -> None:
        """Read every message that is unread, and unread the others."""
        for name, folder in _live_folders(account):
            for uid, entry in tuple(folder.entries.items()):
                change = account.unflag if "\\Seen" in entry.flags else account.flag
                change(name, uid, "\\Seen")


def _live(account: SimAccount) -> list[bool]:
    """Of each message outside Trash whether it is read."""
    return [
        "\\Seen" in entry.flags for _, folder in _live_folders(account) for entry in folder.entries.values()
    ]


def _live_folders(account: SimAccount) -> list[tuple[str, Folder]]:
    return [(name, folder) for name, folder in account.folders.items() if folder.special != "\\Trash"]


def _messages(account: SimAccount) -> int:
    return sum(len(folder.entries) for folder in account.folders.values())


async def serve(args: argparse.Namespace) -> None:
    """Listen until stdin ends."""
    crowd = Crowd()
    for number in range(args.accounts):
        crowd.add_user(f"m{number}")
    context = None
    if args.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(partial(Line, crowd, place), HOST, 0, ssl=context, backlog=4096)
        for place in range(args.servers)
    ]
    _say([server.sockets[0].getsockname()[1] for server in servers])
    orders = Orders(crowd)
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        _say(orders.carry_out(json.loads(line)))


def _say(document: object) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.service.crowd", description=__doc__)
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--cert", type=Path, help="TLS from the first octet")
    parser.add_argument("--key", type=Path)
    asyncio.run(serve(parser.parse_args()))
