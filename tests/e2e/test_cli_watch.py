"""``status --watch`` as people and programs use it: it shows what changes until it is told to end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from tests.support.world import wav

MAILBOX = """\
email_integration = true
email_name = "x@example.com"
delivery = "append"
[imap4]
server = "127.0.0.1"
port = 9
security = "none"
account = "x"
password = "x"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "syncengine.toml"
    path.write_text(f'[system]\nstate_dir = "{tmp_path / "state"}"\ndomain = "pbx.example.com"\nseats = 9\n')
    (tmp_path / "mailboxes.d").mkdir()
    add(path, "101")
    return path


def add(config: Path, number: str) -> None:
    path = config.parent / "mailboxes.d" / f"{number}.toml"
    path.touch(0o600)
    path.write_text(MAILBOX)


def command(config: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "syncengine.cli.main", "status", "--watch", "--config", str(config), *words]


def deliver(config: Path, number: str = "101") -> None:
    with Engine.open(config) as engine:
        engine.mailbox(number).deliver(wav())


def test_with_json_it_prints_a_line_for_each_change_and_no_other(config: Path):
    with subprocess.Popen(command(config, "--json"), stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        try:
            first = json.loads(watch.stdout.readline())
            deliver(config)
            second = json.loads(watch.stdout.readline())
            add(config, "102")
            third = json.loads(watch.stdout.readline())
            (config.parent / "mailboxes.d" / "102.toml").unlink()
            fourth = json.loads(watch.stdout.readline())
        finally:
            watch.terminate()
        rest = watch.stdout.read()
    assert (first["mailbox"], first["new"]) == ("101", 0)
    assert (second["mailbox"], second["new"]) == ("101", 1)
    assert third["mailbox"] == "102"
    assert fourth == {"mailbox": "102", "state": None}
    assert rest == ""
    assert watch.returncode == 0


@contextmanager
def terminal(config: Path, lines: int) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[str], None]]]:
    """The command on a terminal of so many lines, and what waits for a text on it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 100, 0, 0))
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": str(lines)}
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        while text not in shown:
            assert select.select([ours], [], [], 60)[0], f"{text} did not appear in {shown!r}"
            shown += os.read(ours, 65536).decode(errors="replace")
        shown = shown.partition(text)[2]

    with subprocess.Popen(
        command(config), stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as one:
        try:
            yield one, until
        finally:
            if one.poll() is None:
                one.kill()
            one.wait()
            os.close(ours)
            os.close(theirs)


def test_on_a_terminal_the_table_is_live_and_gives_the_screen_back(config: Path):
    with terminal(config, 12) as (watch, until):
        until("101")
        deliver(config)
        until(" 1 ")
        for number in range(200, 220):
            add(config, str(number))
        until("more")
        watch.send_signal(signal.SIGINT)
        until("\x1b[?1049l")
        assert watch.wait(30) == 0


def test_where_nobody_could_see_it_it_says_so(config: Path):
    done = subprocess.run(command(config), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "syncengine: status --watch needs a terminal; with --json it prints a line for each change\n"
    )
    done = subprocess.run(
        command(config, "999", "--json"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "mailbox 999: there is none" in done.stderr
