"""``python -m tests.bench.service``: very many mailboxes in one process, and what it costs to watch them."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.service.crowd import PASSWORD
from tests.bench.service.fleet import Crowd, Installation, Running, Seat, raise_files
from tests.bench.service.latency import beside_a_real_server, to_the_mail, to_the_phone
from tests.support import dovecot
from tests.support.base import Login
from tests.support.dovecot import Dovecot
from tests.support.tls import Authority

_DOVECOT = """\
service imap {
  process_limit = %d
}
service imap-login {
  client_limit = %d
  process_min_avail = 1
}
service anvil {
  client_limit = %d
}
service auth {
  client_limit = %d
}
"""


_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_REAL_CHANGES = 100
"""Changes each way that are timed on Dovecot, one after another."""


class Bench:
    """One run: an installation over a crowd, and the lines of its table."""

    def __init__(
        self, installation: Installation, crowd: Crowd, real: Dovecot | None, *, changes: int, quiet: float
    ) -> None:
        self.lines: list[tuple[str, str]] = []
        self._installation, self._crowd, self._real = installation, crowd, real
        self._changes, self._quiet = changes, quiet
        self._ids: dict[str, str] = {}
        self._silent: set[int] = set()

    def note(self, what: str, figure: str) -> None:
        """Write a line of the table, and on the terminal at once."""
        self.lines.append((what, figure))
        print(f"{what}: {figure}", file=sys.stderr, flush=True)

    def pushed(self) -> None:
        """From nothing: every mailbox's message is sent, then all are watched."""
        self._installation.write(poll_interval="30s")
        started = time.monotonic()
        self._ids = self._installation.fill()
        self.note("one message taken in for each mailbox", f"{time.monotonic() - started:.0f} s")
        many = len(self._installation.seats)
        with Running(self._installation) as service:
            took = service.until(2400, first_round=0)
            self.note("first start: logged in, all messages sent and confirmed", f"{took:.0f} s")
            service.until(2400, watching=many)
            self._minute(service, "pushed")
            self._latencies("pushed", limit=60)
            self._real_latencies("pushed", limit=60)
            self._with_silence(service)
            self.note("stop", f"{service.stop():.1f} s")

    def polled(self) -> None:
        """A second start, over what is known, without IDLE."""
        self._installation.write(poll_interval="30s", idle=False)
        with Running(self._installation) as service:
            took = service.until(2400, first_round=0)
            self.note("start to the first complete pass", f"{took:.0f} s")
            self._minute(service, "polled")
            self._latencies("polled", limit=90)
            self.note("stop, polled", f"{service.stop():.1f} s")

    def _minute(self, service: Running, how: str) -> None:
        """Nothing changes: what is that worth?"""
        time.sleep(5)
        passes, before = service.counter("syncengine_passes_total"), service.look()
        time.sleep(self._quiet)
        after, more = service.look(), service.counter("syncengine_passes_total") - passes
        seconds = after.when - before.when
        share = (after.cpu - before.cpu) / seconds
        self.note(
            f"a quiet minute, {how}: processor",
            f"{share:.0%} of a core, {more / seconds:.0f} passes a second",
        )
        self.note(f"a quiet minute, {how}: memory", f"{after.resident} MB")
        self.note(f"a quiet minute, {how}: threads, descriptors", f"{after.threads}, {after.files}")

    def _latencies(self, how: str, *, limit: float, over: float = 20.0) -> None:
        seats = self._some()
        if not seats:
            return
        where = self._installation, self._crowd, seats
        told = to_the_phone(*where, over=over, limit=limit)
        self.note(f"server to phone, {how}: median / 99 %", str(told))
        told = to_the_mail(*where, self._ids, over=over, limit=limit)
        self.note(f"phone to server, {how}: median / 99 %", str(told))

    def _real_latencies(self, how: str, limit: float) -> None:
        if self._real is None:
            return
        port = self._real.imaps_port, self._real.imap_port
        seats = [seat for seat in self._installation.seats if seat.port in port]
        seats = seats[:: max(1, len(seats) // _REAL_CHANGES)][:_REAL_CHANGES]
        told, carried = beside_a_real_server(self._installation, self._real, seats, self._ids, limit=limit)
        self.note(f"Dovecot to phone, {how}: median / 99 %", str(told))
        self.note(f"phone to Dovecot, {how}: median / 99 %", str(carried))

    def _some(self) -> Sequence[Seat]:
        """Mailboxes of the crowd, at servers that answer, evenly over all."""
        silent = {self._crowd.ports[place] for place in self._silent}
        seats = [s for s in self._installation.seats if s.port in self._crowd.ports and s.port not in silent]
        return seats[:: max(1, len(seats) // self._changes)][: self._changes]

    def _with_silence(self, service: Running) -> None:
        """One server in a hundred says nothing any more, as if its cable were pulled."""
        if not self._some():
            return
        self._silent = set(range(0, len(self._crowd.ports), 100))
        self._crowd.order("silence", places=sorted(self._silent))
        dead = sum(
            1 for s in self._installation.seats if s.port in {self._crowd.ports[p] for p in self._silent}
        )
        time.sleep(45)
        self._latencies(f"pushed, {dead} mailboxes' server silent", limit=60)
        look = service.look()
        self.note("memory, threads with the silent server", f"{look.resident} MB, {look.threads}")
        self._crowd.order("silence", places=[])
        self._silent = set()


def main() -> None:
    """Run all of it and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.service", description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=10_000)
    parser.add_argument("--servers", type=int, default=100, help="ports that the crowd stands behind")
    parser.add_argument("--dovecot", type=int, default=500, help="mailboxes whose account is on Dovecot")
    parser.add_argument("--changes", type=int, default=500, help="changes each way that are timed")
    parser.add_argument("--quiet", type=float, default=60, help="seconds of a quiet minute")
    parser.add_argument("--tls", action="store_true", help="all connections over TLS")
    parser.add_argument("--home", type=Path, help="where the state lies; on tmpfs no disk is measured")
    parser.add_argument("--only", choices=["pushed"], help="without the second start")
    args = parser.parse_args()
    raise_files()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="se-bench-", dir=args.home)))
        authority = Authority(home / "ca")
        real = stack.enter_context(_dovecot(authority, args.dovecot)) if args.dovecot else None
        pair = (authority.good.cert, authority.good.key) if args.tls else None
        crowd = stack.enter_context(Crowd(args.mailboxes - args.dovecot, args.servers, pair))
        seats = _seats(args.mailboxes, args.dovecot, real, crowd, tls=args.tls)
        installation = Installation(home, seats, authority.ca_file if args.tls else None)
        bench = Bench(installation, crowd, real, changes=args.changes, quiet=args.quiet)
        bench.pushed()
        if args.only != "pushed":
            bench.polled()
    print(_conditions(args.mailboxes, args.dovecot, args.servers, tls=args.tls, home=args.home))
    print("\n| what | figure |\n|---|---|")
    print("\n".join(f"| {what} | {figure} |" for what, figure in bench.lines))


@contextmanager
def _dovecot(authority: Authority, many: int) -> Iterator[Dovecot]:
    limits = _DOVECOT % ((many + 500,) * 4)
    with _watches(), dovecot.start(authority, extra=limits) as server:
        yield server


@contextmanager
def _watches() -> Iterator[None]:
    """Let each of Dovecot's processes watch its mailbox, as whoever runs many does; else 128 of them can.

    The others would look every 30 seconds (mailbox_idle_check_interval).
    """
    before = _INSTANCES.read_text()
    try:
        _INSTANCES.write_text("16384")
    except OSError as error:
        print(f"{_INSTANCES}: {error.strerror}; few mailboxes on Dovecot are pushed at once", file=sys.stderr)
        yield
        return
    try:
        yield
    finally:
        _INSTANCES.write_text(before)


def _seats(many: int, real: int, server: Dovecot | None, crowd: Crowd, *, tls: bool) -> list[Seat]:
    """Where each account is: the first on Dovecot, the rest all over the crowd's ports."""
    first = 10 ** len(str(many))
    seats = []
    for place in range(many):
        if server is not None and place < real:
            port = server.imaps_port if tls else server.imap_port
            assert port is not None
            seats.append(Seat(str(first + place), server.new_user(), port))
        else:
            user = f"m{place - real}"
            login = Login(user, PASSWORD, f"{user}@example.com")
            seats.append(Seat(str(first + place), login, crowd.ports[place % len(crowd.ports)]))
    return seats


def _conditions(many: int, real: int, servers: int, *, tls: bool, home: Path | None) -> str:
    return (
        f"{many:,} mailboxes, {real:,} of them on Dovecot, the rest on {servers} ports of the bench's own"
        f" responder{', over TLS' if tls else ''}; state on {home or 'disk'}; {os.cpu_count()} processors"
        f" ({platform.machine()}),"
        f" Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
