"""``python -m tests.bench``: the same work by the engine and by its peers, side by side in one run."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.account import INBOX, Account
from tests.bench.clients import ALL, Client, Interimap
from tests.bench.measure import Figures, RunError, best, run
from tests.bench.table import Row, table
from tests.support import dovecot
from tests.support.base import HOST
from tests.support.dovecot import Dovecot
from tests.support.proxy import Proxy
from tests.support.tls import Authority

ROWS = ("small", "folders", "large", "listing")
_FAR = 0.05
"""Seconds of a round trip to a server that is far away."""
_ENOUGH = 20.0
"""Seconds after which a run is not repeated."""
_DOVECOT = """\
namespace inbox {
  mailbox Drafts {
    auto = no
  }
  mailbox Sent {
    auto = no
  }
}
"""
"""One folder is one folder; Trash alone stands beside it."""


def main() -> None:
    """Run what is asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--large", type=int, default=100_000, help="messages of the large folder")
    parser.add_argument("--repeat", type=int, default=5, help="runs of a pass that changes nothing")
    parser.add_argument("--only", nargs="*", choices=ROWS, default=ROWS, help="rows: %(choices)s")
    parser.add_argument("--skip", nargs="*", default=[], help="peers to leave out")
    parser.add_argument("-o", dest="output", type=Path, help="write the table here, too")
    args = parser.parse_args()
    programs = [one for one in ALL if one.name not in args.skip]
    there = [one for one in programs if one.there()]
    with tempfile.TemporaryDirectory(prefix="se-bench-") as name, _server(Path(name)) as server:
        bench = Bench(Path(name), server, there, args.repeat)
        bench.start_ups()
        if "small" in args.only:
            bench.folder(1_000)
        if "folders" in args.only:
            bench.folders(200, 100)
        if "large" in args.only:
            bench.folder(args.large, churn=True)
    text = "\n\n".join([_conditions(programs), _start_table(bench.starts), table(bench.rows, bench.starts)])
    print(text)
    if args.output:
        args.output.write_text(text + "\n", encoding="utf-8")
    if "listing" in args.only:
        # In a process of its own, whose memory is measured.
        subprocess.run([sys.executable, "-m", "tests.bench.emails", str(args.large)], check=True)


class Bench:
    """The rows of one run."""

    def __init__(self, home: Path, server: Dovecot, programs: Sequence[type[Client]], repeat: int) -> None:
        self.rows: list[Row] = []
        self.starts: dict[str, Figures] = {}
        self._home, self._server = home, server
        self._programs, self._repeat = programs, repeat

    def start_ups(self) -> None:
        """Load each program without letting it work; and Python alone."""
        for program in self._programs:
            env = {"HOME": str(self._home)}
            self.starts[program.name] = best([run(program.start_up(), env=env) for _ in range(5)])
        self.starts["Python alone"] = best([run([sys.executable, "-c", "pass"], env={}) for _ in range(5)])

    def folder(self, messages: int, *, churn: bool = False) -> None:
        """One folder with so many messages: nothing changed, and much changed."""
        account = self._account([INBOX], messages)
        what = f"1 folder x {messages:,}"
        rows = self._unchanged(what)
        changed = Row(f"1,000 flags and 500 deletes each way, {what}")
        for client, proxy in self._clients(account, messages, rows, f"one-{messages}", only_inbox=True):
            with _absent_if_it_fails(client, rows):
                self._no_change(client, proxy, rows)
            with _absent_if_it_fails(client, [changed]):
                if churn:
                    changed.by[client.name] = self._churn(client, account, proxy)
                    say(f"{changed.work}: {client.name}: {changed.by[client.name]}")
        self.rows += [*rows, *([changed] if churn else [])]

    def folders(self, count: int, messages: int) -> None:
        """Many folders: nothing changed."""
        account = self._account([INBOX, *(f"Folder {n:03}" for n in range(1, count))], messages)
        rows = self._unchanged(f"{count} folders x {messages}")
        for client, proxy in self._clients(account, count * messages, rows, "many", only_inbox=False):
            with _absent_if_it_fails(client, rows):
                self._no_change(client, proxy, rows)
        self.rows += rows

    def _account(self, folders: Sequence[str], messages: int) -> Account:
        say(f"writing {len(folders)} x {messages:,} messages")
        account = Account(self._server)
        account.fill(folders, messages)
        return account

    def _unchanged(self, what: str) -> tuple[Row, Row]:
        far = f"the same, {_FAR * 1000:.0f} ms away"
        return Row(f"nothing changed, {what}"), Row(f"{far}, {what}")

    def _clients(
        self, account: Account, messages: int, rows: Sequence[Row], name: str, *, only_inbox: bool
    ) -> Iterator[tuple[Client, Proxy]]:
        """Each program after its first pass, with the proxy in front of the server."""
        for program in self._programs:
            if messages > program.largest:
                for row in rows:
                    row.absent[program.name] = "not run: its first copy takes too long"
                continue
            with Proxy(HOST, self._server.imap_port) as proxy:
                folder = self._home / f"{name}-{program.name}"
                client = program(folder, account, proxy.port, only_inbox=only_inbox)
                say(f"{name}: first pass of {client.name}")
                with _absent_if_it_fails(client, rows):
                    _settle(client)
                    yield client, proxy

    def _no_change(self, client: Client, proxy: Proxy, rows: tuple[Row, Row]) -> None:
        for row, seconds in zip(rows, (0.0, _FAR), strict=True):
            proxy.delay(seconds / 2)
            runs = [run(client.command, env=client.env, proxy=proxy)]
            while len(runs) < self._repeat and sum(one.seconds for one in runs) < _ENOUGH:
                runs.append(run(client.command, env=client.env, proxy=proxy))
            row.by[client.name] = best(runs)
            say(f"{row.work}: {client.name}: {row.by[client.name]}")
        proxy.heal()

    def _churn(self, client: Client, account: Account, proxy: Proxy) -> Figures:
        """Flags and deletes at both sides, to different messages; afterwards both sides must agree."""
        uids = account.uids()
        parts = _dealt(uids, (1000, 500, 1000, 500))
        if isinstance(client, Interimap):
            client.account_uids = uids
        client.change(parts[2], parts[3])
        unseen = account.unseen()
        account.flag(parts[0])
        account.discard(parts[1])
        figures = run(client.command, env=client.env, proxy=proxy)
        left = set(account.uids())
        expected = set(uids) - set(parts[1]) - set(parts[3])
        if left != expected:
            raise RunError(f"{client.name}: {len(left):,} messages are left instead of {len(expected):,}")
        say(f"unread before {unseen:,}, after {account.unseen():,}")
        return figures


@contextmanager
def _absent_if_it_fails(client: Client, rows: Sequence[Row]) -> Iterator[None]:
    """A program that fails has no figures; the others still have theirs."""
    try:
        yield
    except RunError as error:
        say(str(error))
        for row in rows:
            row.absent[client.name] = "failed"


def _settle(client: Client) -> None:
    """Passes until there is nothing left to do."""
    for _ in range(3):
        run(client.command, env=client.env)


def _dealt(uids: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    """Disjoint parts of ``uids``, spread over the whole folder."""
    step = max(1, len(uids) // sum(sizes))
    spread = list(uids[::step])
    return [sorted(spread[at :: len(sizes)][:size]) for at, size in enumerate(sizes)]


@contextmanager
def _server(home: Path) -> Iterator[Dovecot]:
    with dovecot.start(Authority(home / "tls"), extra=_DOVECOT) as server:
        yield server


def _conditions(programs: Sequence[type[Client]]) -> str:
    shown = [
        f"- {one.name} ({one.version() if one.there() else 'absent'}): keeps {one.keeps}" for one in programs
    ]
    machine = f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"
    return "\n".join(
        [f"Dovecot {dovecot.find().version}, {machine}, load {os.getloadavg()[0]:.1f}", "", *shown]
    )


def _start_table(starts: dict[str, Figures]) -> str:
    lines = ["| start-up without work | time | processor | memory |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {f.seconds:.2f} s | {f.cpu:.2f} s | {f.peak / 1000:.0f} MB |"
        for name, f in starts.items()
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
