"""Worlds whose messages go out by SMTP: to a real account, or to a server that obeys a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncengine.engine.events import DeliveryFailed, Event
from syncengine.index import Queued
from syncengine.model import token_of
from tests.support.base import Server
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.smtp import Front
from tests.support.world import NUMBER, World, world


@contextmanager
def sending(folder: Path, server: Server, out: Front | ScriptedSmtp, **how: object) -> Iterator[World]:
    """A world that sends through ``out``; keyword arguments as for ``world``."""
    options = {"delivery": "smtp"} | dict(how.pop("options", {}))  # type: ignore[call-overload]
    smtp = way_out(out) | dict(how.pop("smtp", {}))  # type: ignore[call-overload]
    with world(folder, server, options=options, smtp=smtp, **how) as one:
        yield one


def way_out(out: Front | ScriptedSmtp) -> dict[str, object]:
    """The options of an SMTP server of the tests."""
    return {"server": "127.0.0.1", "port": out.port, "security": "none"}


def through(there: World, out: Front | ScriptedSmtp, **options: object) -> None:
    """From now on everything goes out by another server."""
    there.smtp = way_out(out) | options
    there.reopen()


def row(there: World, message: str) -> Queued:
    """A message's row in the queue."""
    found = there.engine.index.queue.get(NUMBER, token_of(message))
    assert found is not None
    return found


def failures(there: World) -> list[DeliveryFailed]:
    """What is said of deliveries from now on."""
    said: list[DeliveryFailed] = []

    def listen(event: Event) -> None:
        if isinstance(event, DeliveryFailed):
            said.append(event)

    there.engine.subscribe(listen)
    return said
