"""``web``, and what ``run --web`` shares with it: the pages, until they are told to end.

The pages live above the commands and use them: they are found by name.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Protocol

from syncengine.cli import webusers
from syncengine.cli.call import Call, Exit
from syncengine.cli.signals import ENDING, signals
from syncengine.engine.engine import Engine
from syncengine.errors import UsageError
from syncengine.service.options import OptionsWatch

_log = logging.getLogger(__name__)


class Pages(Protocol):
    """The pages while they are answered."""

    @property
    def url(self) -> str:
        """Where they are."""

    def stop(self) -> None:
        """Answer no more."""


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("--host", metavar="ADDRESS", default="127.0.0.1", help="address to answer on (127.0.0.1)")
    add("--port", type=_port, default=8080, help="its port (8080); 0 takes a free one")
    add_access(parser)
    add("what", nargs="?", choices=["user"], metavar="user", help="instead: who may sign in to the pages")
    add("verb", nargs="?", metavar="add|list|remove|passwd", help="what to do with users (list)")
    add("name", nargs="?", metavar="NAME", help="of a user")
    add("--role", metavar="ROLE", help="user add: operator, read-only or subscriber")
    add("--mailbox", metavar="NUMBER", help="user add: a subscriber's mailbox")
    parser.set_defaults(run=run)


def add_access(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say who may see the pages."""
    add = parser.add_argument
    add("--password-file", metavar="FILE", help="the pages ask for the password in its first line")
    add("--server-name", metavar="NAME", action="append", default=[], help="a name the pages are reached by")
    add("--tls-cert", metavar="FILE", help="speak TLS with this certificate and its chain (PEM)")
    add("--tls-key", metavar="FILE", help="its key (PEM)")
    add("--trusted-proxy", metavar="ADDRESS", help="believe this proxy where requests come from, and how")


def run(call: Call) -> Exit:
    """Show the pages until a signal ends it; changed options are taken up."""
    args = call.args
    if args.what is not None:
        return webusers.run(call)
    config = call.config()
    with signals(*ENDING) as received, call.engine() as engine:
        watch = OptionsWatch(engine)
        watch.start()
        try:
            pages = open_pages(engine, config, args, host=args.host, port=args.port)
            call.out.say(f"the pages are at {pages.url}")
            try:
                received.get()
            finally:
                pages.stop()
        finally:
            watch.stop()
    return Exit.DONE


def open_pages(engine: Engine, config: Path, args: argparse.Namespace, *, host: str, port: int) -> Pages:
    """Show the pages of an engine on an address; raises ``UsageError`` where that must not or cannot be."""
    server = webusers.module("server")
    access = server.access_of(args.server_name, args.password_file)
    tls = server.tls_of(args.tls_cert, args.tls_key, args.trusted_proxy)
    host = server.plain_host(host)
    try:
        pages: Pages = server.WebServer(engine, config, access, host=host, port=port, tls=tls)
    except OSError as error:
        raise UsageError(f"web: {host}, port {port}: {error.strerror}") from None
    return pages


def address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``."""
    found: tuple[str, int] = webusers.module("server").address_of(text)
    return found


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return int(text)
