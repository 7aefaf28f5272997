"""``status --watch``: the table of all mailboxes while it changes, until it is told to end.

On a terminal those in trouble come first and as many as fit are shown; with ``--json`` a line for every
change. Options that change are taken up, as the service does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty

from syncengine.cli.output import Output
from syncengine.cli.signals import ENDING, Received, signals
from syncengine.cli.table import Row
from syncengine.engine.engine import Engine
from syncengine.engine.status import MailboxStatus
from syncengine.errors import UsageError
from syncengine.service.options import OptionsWatch

_OFTEN = 0.25
"""Seconds between two looks for a change; one costs microseconds."""
_STALE = 5.0
"""Seconds after which the table is drawn anew though nothing happened: it says how long ago things were."""
_REST = 4.0
"""Times as long as reading took is rested: ten thousand mailboxes must not take a processor."""
_PASSING = ("last_pass", "next_try")
"""What changes with every look at an account that has not changed."""
_ORDER = ("failing", "held", "pending")

Described = Callable[[MailboxStatus], Mapping[str, object]]
Drawn = Callable[[MailboxStatus], Row]


def watch(engine: Engine, number: str | None, out: Output, columns: Row, row: Drawn, full: Described) -> None:
    """Show one mailbox or all until a signal ends it; raises ``UsageError`` where nobody could see it."""
    if not (out.json or out.terminal):
        raise UsageError("status --watch needs a terminal; with --json it prints a line for each change")
    with signals(*ENDING) as received, _options(engine):
        pictures = _pictures(engine, number, received)
        if out.json:
            _lines(pictures, full)
        else:
            with out.screen() as show:
                for statuses in pictures:
                    show(columns, [row(status) for status in sorted(statuses, key=_trouble)])


def _lines(pictures: Iterator[Sequence[MailboxStatus]], full: Described) -> None:
    """A line for each mailbox, then one whenever it is another; a mailbox that went is only its number."""
    told: dict[str, Mapping[str, object]] = {}
    for statuses in pictures:
        now = {status.mailbox: full(status) for status in statuses}
        for mailbox in told.keys() - now.keys():
            print(json.dumps({"mailbox": mailbox, "state": None}), flush=True)
        for mailbox, shown in now.items():
            if _lasting(shown) != _lasting(told.get(mailbox, {})):
                print(json.dumps(shown), flush=True)
        told = now


def _lasting(shown: Mapping[str, object]) -> Mapping[str, object]:
    return {key: value for key, value in shown.items() if key not in _PASSING}


def _pictures(engine: Engine, number: str | None, received: Received) -> Iterator[Sequence[MailboxStatus]]:
    """The statuses now, and anew after each change or while, until a signal comes."""
    seen: object = None
    drawn = float("-inf")
    while True:
        now = time.monotonic()
        state = engine.index.database.data_version, engine.settings
        if state != seen or now - drawn >= _STALE:
            seen = state
            yield _statuses(engine, number)
            drawn = time.monotonic()
        try:
            received.get(timeout=max(_OFTEN, _REST * (drawn - now)))
        except Empty:
            continue
        return


def _statuses(engine: Engine, number: str | None) -> Sequence[MailboxStatus]:
    """A mailbox that is removed meanwhile is not in it."""
    found = []
    for one in [number] if number else engine.numbers():
        try:
            found.append(engine.status(one))
        except UsageError:
            continue
    return found


def _trouble(status: MailboxStatus) -> int:
    return _ORDER.index(status.state) if status.state in _ORDER else len(_ORDER)


@contextmanager
def _options(engine: Engine) -> Iterator[None]:
    options = OptionsWatch(engine)
    options.start()
    try:
        yield
    finally:
        options.stop()
