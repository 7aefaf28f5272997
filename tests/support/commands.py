"""The command ``syncengine`` as tests call it: in this process for speed, or in its own for the truth."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncengine.cli.main import main


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document."""
        return json.loads(self.out)


def ran_here(*words: object) -> Ran:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return Ran(int(code), out.getvalue(), err.getvalue())


def ran_apart(
    *words: object,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    prepare: Callable[[], None] | None = None,
    folder: Path | None = None,
) -> Ran:
    """Run the command as a process of its own; ``prepare`` runs in it before the command."""
    done = subprocess.run(
        [sys.executable, "-m", "syncengine.cli.main", *map(str, words)],
        input=stdin,
        capture_output=True,
        timeout=60,
        env=os.environ | (env or {}),
        preexec_fn=prepare,
        cwd=folder,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


Run = Callable[..., Ran]


def installed(folder: Path) -> Run:
    """Make an installation with the mailbox 101, which only sends, to nowhere; what runs commands on it."""
    config = folder / "syncengine.toml"
    assert ran_here("--config", config, "init").code == 0
    options = {
        "email-integration": "yes",
        "email-name": "a@example.com",
        "smtp-server": "127.0.0.1",
        "smtp-port": "1",
        "smtp-security": "none",
        "sync-mode": "none",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    added = ran_here("--config", config, "mailbox", "add", "101", *words)
    assert added.code == 0, added
    return lambda *words: ran_here("--config", config, *words)


def delivered(run: Run, recording: Path, *words: object) -> str:
    """Deliver a recording to the mailbox 101; its id."""
    ran = run("deliver", "101", recording, *words)
    assert (ran.code, ran.err) == (0, ""), ran
    return ran.out.strip()


def one_line(text: str) -> bool:
    """Whether this is one error, in one line."""
    return text.count("\n") == 1 and text.startswith("syncengine: ")
