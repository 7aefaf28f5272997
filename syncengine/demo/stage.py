"""Where the story is played: a throw-away installation, on the embedded server or on a real account."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from syncengine.demo.embedded import HOST, embedded_server
from syncengine.demo.mailprogram import MailProgram
from syncengine.demo.story import Story
from syncengine.engine.engine import Engine

_EMBEDDED = {"101": ("peter", "petera"), "102": ("dana", "danab")}


@dataclass(frozen=True, slots=True)
class RealAccount:
    """An account of the reader's own; the story's messages are removed from it at the end."""

    server: str
    port: int
    security: str
    user: str
    password: str


@contextmanager
def stage(account: RealAccount | None) -> Iterator[Story]:
    """Set everything up for the length of the story, and take it down again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="syncengine-demo-")))
        if account is None:
            accounts = dict(_EMBEDDED.values())
            server = stack.enter_context(embedded_server(accounts))
            accounts_of = {
                number: RealAccount(HOST, server.port, "none", user, password)
                for number, (user, password) in _EMBEDDED.items()
            }
        else:
            accounts_of = {"101": account}
        engine = stack.enter_context(Engine.open(_configure(folder, accounts_of)))
        programs = {}
        for number, one in accounts_of.items():
            programs[number] = MailProgram(
                one.server,
                one.port,
                security=one.security,
                user=one.user,
                password=one.password,
            )
            stack.callback(programs[number].close)
        story = Story(engine, programs)
        try:
            yield story
        finally:
            if account is not None:
                story.clean_up()


def _configure(folder: Path, accounts: dict[str, RealAccount]) -> Path:
    lines = ["[system]", f"state_dir = {json.dumps(str(folder / 'state'))}", 'domain = "demo.example"']
    for number, account in accounts.items():
        lines += [
            f"[mailboxes.{number}]",
            "email_integration = true",
            f"email_name = {json.dumps(f'{account.user}@demo.example')}",
            'delivery = "append"',
            f"[mailboxes.{number}.imap4]",
            f"server = {json.dumps(account.server)}",
            f"port = {account.port}",
            f"security = {json.dumps(account.security)}",
            f"account = {json.dumps(account.user)}",
            f"password = {json.dumps(account.password)}",
        ]
    path = folder / "syncengine.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
