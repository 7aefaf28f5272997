"""A one-shot command loads what it uses and nothing else: loading is most of what a small one costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import delivered, installed
from tests.support.world import wav

OTHERS = [
    *("numpy", "soundfile", "soxr", "lameenc", "PIL", "espeakng_loader", "rich", "starlette", "uvicorn"),
    *("jinja2", "multipart", "anyio", "asyncio", "prometheus_client", "watchdog", "tomlkit", "sqlite_utils"),
    *("pluggy", "click", "smtplib", "poplib", "http", "urllib.request"),
]
"""What belongs to pages, sound, metrics, watched files, sending, and to making the index."""
LINE = ["imapclient", "imaplib", "ssl", "syncengine.imap.connection", "syncengine.engine.runner"]
"""What belongs to a pass over an account."""
OURS = [f"syncengine.{name}" for name in ("web", "service", "demo", "voicemail.asterisk", "delivery.smtp")]
SPEECH = ["syncengine.speech"]
COMMANDS = {
    "resync 101": [*OTHERS, *OURS, *SPEECH],
    "resync 101 --dry-run": [*OTHERS, *OURS, *SPEECH],
    "status": [*OTHERS, *OURS, *SPEECH, *LINE],
    "messages 101": [*OTHERS, *OURS, *SPEECH, *LINE],
    "mark 101 {id} heard": [*OTHERS, *OURS, *SPEECH, *LINE],
    "delete 101 {id}": [*OTHERS, *OURS, *SPEECH, *LINE],
    "restore 101 {id}": [*OTHERS, *OURS, *SPEECH, *LINE],
    "queue": [*OTHERS, *OURS, *SPEECH, *LINE],
    "mailbox list": [*OTHERS, *OURS, *SPEECH, *LINE, "sqlite3", "syncengine.index", "syncengine.engine"],
    "system show": [*OTHERS, *OURS, *SPEECH, *LINE, "sqlite3", "syncengine.index", "syncengine.engine"],
}
_CODE = """\
import sys
from syncengine.cli.main import main
code = main(sys.argv[1:])
print("loaded", code, *sys.modules)
"""


@pytest.fixture
def installation(tmp_path, words: str) -> tuple[Path, str]:
    """An installation whose mailbox has nothing to send and only sends, and a message of it."""
    run = installed(tmp_path)
    recording = tmp_path / "message.wav"
    recording.write_bytes(wav())
    message = delivered(run, recording)
    assert run("queue", "cancel", message).code == 0
    if words.startswith("restore"):
        assert run("delete", "101", message).code == 0
    return tmp_path / "syncengine.toml", message


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_loads_what_it_uses_and_nothing_else(words: str, installation: tuple[Path, str]):
    config, message = installation
    done = subprocess.run(
        [sys.executable, "-c", _CODE, "--config", str(config), *words.format(id=message).split()],
        capture_output=True,
        text=True,
        check=True,
    )
    code, *loaded = done.stdout.splitlines()[-1].split()[1:]
    unwanted = [m for m in loaded for name in COMMANDS[words] if m == name or m.startswith(f"{name}.")]

    assert unwanted == []
    assert code == "0", done
