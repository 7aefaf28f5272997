"""A subscriber's two sides for tests of commands: the phone's side is told and changed by commands alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.base import Server
from tests.support.commands import Ran, ran_apart, ran_here
from tests.support.mailprogram import MailProgram
from tests.support.world import NUMBER, World, wav


class Shell(World):
    """A world whose engine is the command; with ``apart`` each is a process of its own."""

    apart = False

    def ran(self, *words: object) -> Ran:
        """Run a command."""
        run = ran_apart if self.apart else ran_here
        return run("--config", self.config, *words)

    def did(self, *words: object) -> Ran:
        """Run a command that succeeds without a word on standard error."""
        ran = self.ran(*words)
        assert (ran.code, ran.err) == (0, "")
        return ran

    def sent(self, *options: object) -> str:
        """Deliver a recording; its id."""
        file = self.folder / "message.wav"
        file.write_bytes(wav())
        return self.did("deliver", NUMBER, file, "--kind", "voice", *options).out.strip()

    def first(self) -> dict[str, Any]:
        """The first message as ``messages --json`` shows it."""
        found: dict[str, Any] = self.did("messages", NUMBER, "--json").json[0]
        return found


@contextmanager
def shell_on(server: Server, folder: Path) -> Iterator[Shell]:
    """A world of commands with an account of its own on ``server``."""
    login = server.new_user()
    with MailProgram(server, login) as mail:
        one = Shell(folder, server, login, mail)
        one.write()
        yield one
