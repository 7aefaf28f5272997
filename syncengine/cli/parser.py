"""The command line: every command with its place, and the options that all of them take.

A command's own arguments are made when it is called, so that no call pays for the others'.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

from syncengine.errors import UsageError


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, what it does in one line, and the module that holds it.

    The module's ``fill(parser)`` adds its arguments and sets ``run``, a function of one ``Call`` that
    returns how it ended; where a module holds several commands they are told apart by the name.
    """

    name: str
    about: str
    module: str


COMMANDS = (
    Command("init", "Write a sample configuration and make the state directory.", "options"),
    Command("run", "Keep all mailboxes in step until told to end: the service.", "run"),
    Command("resync", "Pass over mailboxes now: bring both sides in step.", "resync"),
    Command("status", "Show what is going on: in step, pending, held, failing.", "status"),
    Command("messages", "Show the messages that a subscriber has.", "messages"),
    Command("deliver", "Take in a voice or fax message.", "messages"),
    Command("mark", "Mark a message heard or new at the phone.", "messages"),
    Command("delete", "Delete messages at the phone; they can be restored for a while.", "messages"),
    Command("restore", "Bring a deleted message back.", "messages"),
    Command("queue", "List what is to be sent; send it again, or give it up.", "queue"),
    Command("check", "Try accounts step by step, changing nothing.", "check"),
    Command("speak", "Read an e-mail, or the list of e-mails, aloud into a WAV file.", "speak"),
    Command("mailbox", "Add, change, show, list or remove mailboxes' options.", "mailbox"),
    Command("system", "Show or set the options of the whole system.", "system"),
    Command("import-vmconfig", "Take over a Misc Setup table.", "system"),
    Command("asterisk", "Make mailboxes from the entries of a voicemail.conf.", "asterisk"),
    Command("web", "Show the pages: status, Mailbox Options, Misc Setup.", "web"),
    Command("demo", "Tell the story on an embedded mail server, with nothing to set up.", "demo"),
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, raised as ``UsageError``; options are never abbreviated."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401 - whatever argparse takes
        super().__init__(**how, allow_abbrev=False)
        self.command: Command | None = None
        """The command whose arguments are added when it is called."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Add the command's own arguments at the first call."""
        self.fill()
        return super().parse_known_args(args, namespace)

    def fill(self) -> None:
        """Add the command's own arguments, if that has not been done."""
        if self.command is not None:
            module = import_module(f"syncengine.cli.{self.command.module}")
            module.fill(self, self.command.name)
            self.command = None

    def error(self, message: str) -> NoReturn:
        """Raise the error; ``--help`` shows the usage."""
        raise UsageError(f"{message}; see {self.prog} --help")


def build() -> Parser:
    """Return the parser; the commands' own arguments are not in it yet."""
    parser = Parser(
        prog="syncengine",
        description="Keeps voice mailboxes and e-mail accounts telling the same story, both ways.",
        epilog="Exit codes: 0 done, 1 something failed and will be tried again, 2 wrong usage or options,"
        " 3 deletes are held, 4 another process holds the mailbox.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    add_common(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        own = commands.add_parser(command.name, help=command.about, description=command.about)
        add_common(own)
        own.command = command
    return parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that stand before and after every command."""
    add = parser.add_argument
    missing = argparse.SUPPRESS
    add("--config", metavar="FILE", default=missing, help="the configuration (else $SYNCENGINE_CONFIG, ...)")
    add("--json", action="store_true", default=missing, help="one JSON document on standard output")
    add("-v", "--verbose", action="count", default=missing, help="say more; -vv everything")
    add("-q", "--quiet", action="store_true", default=missing, help="say nothing but errors")


def completed(args: argparse.Namespace) -> argparse.Namespace:
    """Return ``args`` with the common options that were not given."""
    known = {"config": None, "json": False, "verbose": 0, "quiet": False}
    return argparse.Namespace(**(known | vars(args)))


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and only for this option

        parser.exit(message=f"syncengine {version('voicemail-syncengine')}\n")
