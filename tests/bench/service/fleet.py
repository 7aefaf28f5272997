"""An installation of many mailboxes, and the service over it as a process that is looked at from outside."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from syncengine.engine.engine import Engine
from tests.support.base import HOST, Login, free_ports
from tests.support.world import wav

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one mailbox's account is."""

    number: str
    login: Login
    port: int


@dataclass(frozen=True, slots=True)
class Look:
    """A process at one moment."""

    when: float
    cpu: float
    """Seconds of processor time so far."""
    resident: int
    """MB."""
    threads: int
    files: int


class Crowd:
    """The other side, in its own process."""

    def __init__(self, accounts: int, servers: int, pair: tuple[Path, Path] | None) -> None:
        command = [sys.executable, "-m", "tests.bench.service.crowd"]
        command += ["--accounts", str(accounts), "--servers", str(servers)]
        if pair:
            command += ["--cert", str(pair[0]), "--key", str(pair[1])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports: list[int] = self._answer()

    def order(self, what: str, **how: object) -> Any:
        """Have something done; the result."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:  # closes both pipes and waits; the end of its stdin is its own
            pass


class Installation:
    """Options and state of many mailboxes, each with one new message."""

    def __init__(self, home: Path, seats: Sequence[Seat], ca_file: Path | None) -> None:
        self.seats = seats
        self.config = home / "syncengine.toml"
        self.state = home / "state"
        self._ca_file = ca_file

    def write(self, **sync: object) -> None:
        """Write all options; ``sync`` goes into that section."""
        lines = ["[system]", f'state_dir = "{self.state}"', 'domain = "pbx.example.com"']
        lines += [f"seats = {len(self.seats)}", "[sync]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in sync.items()]
        _put(self.config, lines)
        folder = self.config.parent / "mailboxes.d"
        folder.mkdir(exist_ok=True)
        for seat in self.seats:
            lines = ["email_integration = true", f'email_name = "{seat.login.user}@example.com"']
            lines += ['delivery = "append"', "[imap4]", f'server = "{HOST}"', f"port = {seat.port}"]
            lines += [f'account = "{seat.login.user}"', f'password = "{seat.login.password}"']
            if self._ca_file:
                lines += ['security = "tls"', f'ca_file = "{self._ca_file}"']
            else:
                lines += ['security = "none"']
            _put(folder / f"{seat.number}.toml", lines)

    def fill(self) -> dict[str, str]:
        """Give each mailbox its message; their ids."""
        sound = wav(800)
        with Engine.open(self.config) as engine:
            return {seat.number: engine.mailbox(seat.number).deliver(sound).id for seat in self.seats}


class Running:
    """``syncengine run`` over an installation."""

    def __init__(self, installation: Installation, *words: str) -> None:
        (self._port,) = free_ports(1)
        self.started = time.monotonic()
        self.log = installation.config.with_name("run.log")
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "syncengine.cli.main", "run", "-q"),
                    *("--config", str(installation.config), "--metrics", f"{HOST}:{self._port}", *words),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def figures(self) -> dict[str, Any]:
        """What it says of itself; empty where it does not answer yet."""
        url = f"http://{HOST}:{self._port}/readyz"
        with suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:
            return dict(json.load(answer))
        return {}

    def counter(self, name: str) -> float:
        """The sum of a metric over its labels."""
        with urllib.request.urlopen(f"http://{HOST}:{self._port}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.partition("{")[0].split()[0] == name)

    def until(self, limit: float, **wanted: int) -> float:
        """Wait until its figures are these; seconds since its start."""
        end = time.monotonic() + limit
        while (now := time.monotonic()) < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the service has ended: {self.log.read_text()[-2000:]}")
            figures = self.figures()
            if figures and all(figures[key] == value for key, value in wanted.items()):
                return now - self.started
            time.sleep(0.2)
        raise RuntimeError(f"not {wanted} after {limit:.0f} s: {self.figures()}")

    def look(self) -> Look:
        """The process now."""
        folder = Path(f"/proc/{self.process.pid}")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        pages = int((folder / "statm").read_text().split()[1])
        cpu = (int(fields[11]) + int(fields[12])) / _TICKS
        files = sum(1 for _ in (folder / "fd").iterdir())
        return Look(time.monotonic(), cpu, pages * _PAGE // 1_000_000, int(fields[17]), files)

    def stop(self) -> float:
        """End it; seconds that took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return time.monotonic() - started


class Phones:
    """What mailboxes hold, read from the index as soon as it changes."""

    def __init__(self, installation: Installation) -> None:
        self._db = sqlite3.connect(f"file:{installation.state / 'index.sqlite3'}?mode=ro", uri=True)

    def close(self) -> None:
        """Read no more."""
        self._db.close()

    def state(self, mailbox: str) -> str:
        """The state of a mailbox's message."""
        row = self._db.execute("SELECT state FROM messages WHERE mailbox = ?", [mailbox]).fetchone()
        return str(row[0])

    @property
    def version(self) -> int:
        """Another number after each change by another process."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])


def raise_files() -> None:
    """As many descriptors as allowed, for this process and those it starts; and end by SIGTERM in order."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def _put(file: Path, lines: Sequence[str]) -> None:
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o600)
