"""E-mails of a large INBOX: the first listing beside a client that only drains it, and daily work.

``python -m tests.bench.emails [MESSAGES]``; 100,000 by default. Times are of this machine: the ratio counts.
"""

from __future__ import annotations

import gc
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from syncengine.engine.phonemails import letters_of
from syncengine.imap import envelopes
from syncengine.model import Report
from tests.bench.account import Account
from tests.support import dovecot
from tests.support.mailprogram import MailProgram
from tests.support.tls import Authority
from tests.support.world import NUMBER, World

_BATCH = 5000
_PLAIN = frozenset({"COMPRESS=DEFLATE"})


def main(messages: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-emails-") as folder:
        (Path(folder) / "tls").mkdir()
        with dovecot.start(Authority(Path(folder) / "tls")) as server:
            account = Account(server)
            account.fill(["INBOX"], messages)
            _drain(account, messages)  # fills the server's cache, for both sides of the comparison
            drained = min(_drain(account, messages) for _ in range(3))
            with MailProgram(server, account.login) as mail:
                world = World(Path(folder), server, account.login, mail)
                _report(world, account, messages, drained)


def _report(world: World, account: Account, messages: int, drained: float) -> None:
    print(f"{messages:,} e-mails\ndrained the same FETCH          {drained:8.3f} s")
    gc.set_threshold(50_000, 20, 20)  # as the command does
    world.open()
    world.sync_ok()
    before = _peak()
    for how, mask in (("", _PLAIN), (" compressed", frozenset[str]())):
        world.system, world.mask = {"text_to_speech": False}, mask
        world.reopen()
        _forget(world)
        world.system = {"text_to_speech": True}
        world.reopen()
        reports: list[Report] = []
        took = _timed(lambda: reports.append(world.sync_ok()))  # noqa: B023 - called here
        brought = f"{reports[0].traffic.bytes_in / 1e6:.1f} MB   {reports[0].traffic.round_trips} trips"
        print(f"listed{how:12}              {took}   {took.seconds / drained:.2f} x   {brought}")
    print(f"memory above the start          {(_peak() - before) / 1024:8.1f} MB")
    size = sum(f.stat().st_size for f in (world.folder / "state").iterdir())
    print(f"index                           {size / (1 << 20):8.1f} MB")
    world.sync_ok()
    trips = world.sync_ok().traffic.round_trips
    print(f"nothing changed                 {_timed(world.sync_ok)}   {trips} trips")
    account.flag(account.uids()[:1000])
    print(f"1,000 flags in                  {_timed(world.sync_ok)}")
    letters = letters_of(world.engine.index, world.engine.binding(NUMBER))
    assert letters is not None
    offered = letters.to_hear(100)
    print(f"a caller's list                 {_timed(lambda: letters.to_hear(100))}")
    print(f"an e-mail by its id             {_timed(lambda: letters.find(offered[0].id))}")
    print(f"all of them as messages shows   {_timed(world.box.messages)}")
    print(f"the last 50 of them             {_timed(lambda: world.box.messages(latest=50))}")
    world.engine.close()


def _forget(world: World) -> None:
    """Know no e-mail any more, as before the first listing."""
    database = world.engine.index.database
    with database.write():
        for table in ("emails", "email_folders"):
            database.execute(f"DELETE FROM {table}")


def _drain(account: Account, messages: int) -> float:
    """Seconds to read the same answers and to do nothing with them."""
    login, server = account.login, account.server
    with socket.create_connection((server.host, server.imap_port)) as line:
        _asked(line, b"a LOGIN %s %s\r\n" % (login.user.encode(), login.password.encode()))
        _asked(line, b"a ENABLE QRESYNC\r\n")
        started = time.perf_counter()
        _asked(line, b"a SELECT INBOX (CONDSTORE)\r\n")
        for start in range(1, messages + 1, _BATCH):
            ask = envelopes.ask(f"{start}:{start + _BATCH - 1}", modseq=True)
            _asked(line, b"a " + ask.parts[0] + b"\r\n")
        return time.perf_counter() - started


def _asked(line: socket.socket, command: bytes) -> None:
    line.sendall(command)
    end = b""
    while not (end.endswith(b"\r\n") and b"\r\na OK" in b"\r\n" + end):
        end = (end + line.recv(1 << 18))[-4000:]


@dataclass(frozen=True, slots=True)
class Took:
    """How long something took, and how long this process worked for it."""

    seconds: float
    processor: float

    def __str__(self) -> str:
        return f"{self.seconds:8.3f} s   {self.processor:7.3f} s of processor"


def _timed(work: Callable[[], object]) -> Took:
    started, worked = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - started, time.process_time() - worked)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
