"""``web`` and ``run --web`` as processes: they answer, take up changed options, and end when told."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from syncengine.options.edit import add_mailbox
from tests.support.commands import installed, ran_here
from tests.support.pages import Browser
from tests.support.waiting import eventually


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@contextmanager
def running(config: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], Browser]]:
    """A command that shows the pages, and a browser before them."""
    command = [sys.executable, "-m", "syncengine.cli.main", "--config", str(config), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        url = next(found[1] for line in lines if (found := re.search(r"pages are at (\S+)", line)))
        yield process, Browser(urlsplit(url).netloc)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    "words", [("web", "--port", "0"), ("run", "--web", "127.0.0.1:0")], ids=lambda w: w[0]
)
def test_the_pages_are_shown_until_the_command_is_told_to_end(config, words):
    with running(config, *words) as (process, browser):
        assert "101" in browser.get("/").words
        add_mailbox(config, "207", {})
        eventually(lambda: "207" in browser.get("/").words)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_an_address_that_must_not_or_cannot_be_used_is_one_line(config):
    with running(config, "web", "--port", "0") as (_, browser):
        port = browser.host.rpartition(":")[2]
        taken = ran_here("--config", config, "web", "--port", port)
    open_to_all = ran_here("--config", config, "web", "--host", "0.0.0.0")
    for ran in (taken, open_to_all, ran_here("--config", config, "web", "--host", "example.com")):
        assert ran.code == 2
        assert ran.err.count("\n") == 1
        assert "Traceback" not in ran.err
