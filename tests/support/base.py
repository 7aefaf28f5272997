"""What every real server of the tests has in common: where it listens, who may log in, what it can do.

A server lives as long as the test session of one worker; tests are kept apart by giving each its own
user, never by restarting.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

HOST = "127.0.0.1"
"""Every server of the tests listens here and nowhere else."""


class AbsentError(Exception):
    """This machine does not have that server; the text says what is missing and how to get it."""


class BootError(Exception):
    """The server is there but did not come up; the text holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Found:
    """A server that can be started: its version, and the way it came (package, jar, chroot, docker...)."""

    version: str
    way: str


@dataclass(frozen=True, slots=True)
class Login:
    """One account that nobody else uses. ``address`` is where mail to it is sent."""

    user: str
    password: str
    address: str


class Server:
    """A running mail server on loopback ports; a port that it does not offer is ``None``."""

    def __init__(
        self,
        *,
        name: str,
        imap_port: int,
        users: Iterator[Login],
        host: str = HOST,
        imaps_port: int | None = None,
        pop3_port: int | None = None,
        pop3s_port: int | None = None,
        smtp_port: int | None = None,
        lmtp_port: int | None = None,
        ca_file: Path | None = None,
        prefix: str = "",
        delimiter: str = "/",
        state: Path | None = None,
    ) -> None:
        self.name = name
        self.host = host
        self.imap_port = imap_port
        self.imaps_port = imaps_port
        self.pop3_port = pop3_port
        self.pop3s_port = pop3s_port
        self.smtp_port = smtp_port
        self.lmtp_port = lmtp_port
        self.ca_file = ca_file
        self.prefix = prefix
        self.delimiter = delimiter
        self.state = state
        self._users = users

    def __repr__(self) -> str:
        return f"<{self.name} at {self.host}:{self.imap_port}>"

    def new_user(self) -> Login:
        """Return an account that no test has had before."""
        return next(self._users)

    @cached_property
    def capabilities(self) -> frozenset[str]:
        """What CAPABILITY says after login, upper case."""
        from imapclient import IMAPClient

        login = self.new_user()
        with IMAPClient(self.host, self.imap_port, ssl=False, timeout=20) as client:
            client.login(login.user, login.password)
            return frozenset(item.decode().upper() for item in client.capabilities())

    def capable(self, *names: str) -> bool:
        """Whether the server offers all of these capabilities."""
        return self.capabilities.issuperset(name.upper() for name in names)

    def folder(self, *path: str) -> str:
        """Return a folder's full name: its path under the personal namespace, in this server's spelling."""
        return self.prefix + self.delimiter.join(path)


def declared(count: int, *, domain: str = "localhost", password: str = "pw-{}") -> list[Login]:
    """Return ``count`` accounts u0001, u0002 ... for a server that must know its users beforehand."""
    names = [f"u{number:04}" for number in range(1, count + 1)]
    return [Login(name, password.format(name), f"{name}@{domain}") for name in names]


def free_ports(count: int) -> list[int]:
    """Return ``count`` free TCP ports below the range from which the system takes outgoing ones."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                if port not in found:
                    found.append(port)
    return found


@contextmanager
def state_folder(name: str) -> Iterator[Path]:
    """A fresh folder, short enough for Unix socket paths (108 bytes) and open to the server's own users."""
    folder = Path(tempfile.mkdtemp(prefix=f"se-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def process(
    argv: list[str],
    *,
    log: Path,
    ready: Callable[[], bool],
    timeout: float = 60.0,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in the foreground until the block ends; the block starts when ``ready`` says so.

    At the end it gets the signal ``end``, and is killed if that has not ended it after 10 s.

    Raises ``BootError`` with the end of the log when the process ends first or time runs out.
    """
    from tests.support.waiting import eventually

    with log.open("ab") as out:
        running = subprocess.Popen(
            [*_leash(end), *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        with suppress(AssertionError):
            eventually(lambda: running.poll() is not None or ready(), timeout=timeout, every=0.01)
        if running.poll() is not None or not ready():
            raise BootError(f"{argv[0]} did not come up: {_tail(log.parent)}")
        yield running
    finally:
        _end(running, end)


def greets(port: int, start: bytes, *, host: str = HOST) -> bool:
    """Whether a connection to the port is answered with a line that begins with ``start``."""
    with suppress(OSError), socket.create_connection((host, port), timeout=5) as sock:
        return sock.recv(200).startswith(start)
    return False


def output(*argv: str) -> str:
    """Return what a short command prints, or nothing if it fails or is not there."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def cache_folder() -> Path:
    """Where set-up keeps what is costly to make (see ``tests/support/setup``), shared by all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "syncengine-tests"


def _leash(end: signal.Signals) -> list[str]:
    """A prefix that ends the server when these tests die without a chance to do so."""
    return ["setpriv", "--pdeathsig", end.name.removeprefix("SIG"), "--"] if shutil.which("setpriv") else []


def _end(running: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if running.poll() is None:
        running.send_signal(how)
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
    running.wait()


def _tail(folder: Path) -> str:
    logs = [path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))]
    return "\n".join(logs) or "(no log)"
