"""All mailboxes at a glance, from sums alone. Invariant: no message is read, however many there are.

What was changed since a mailbox's last pass counts as pending until that pass has looked at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from syncengine.engine.binding import account_key
from syncengine.engine.engine import Engine
from syncengine.engine.status import MailboxState
from syncengine.index import PassRecord
from syncengine.index.overview import Overview, overview


@dataclass(frozen=True, slots=True)
class Line:
    """One mailbox in a list of all."""

    mailbox: str
    name: str
    """Its e-mail name."""
    state: MailboxState
    pending: int
    held: int
    last_pass: datetime | None
    error: str | None
    """Why it is off or failing."""


def lines(engine: Engine) -> tuple[Line, ...]:
    """Return a line for every mailbox, in the order of the options."""
    with engine.index.database.trouble():
        sums = overview(engine.index.database)
    return tuple(_lines(engine, sums))


_NEVER = PassRecord()


def _lines(engine: Engine, sums: Overview) -> Iterator[Line]:
    for number, mailbox in engine.settings.mailboxes.items():
        host, login = account_key(mailbox)
        account = (number, host.lower(), login)
        record = sums.passes.get(number, _NEVER)
        held = sums.held.get(account, 0)
        waiting = sums.pending.get(account, 0) if mailbox.synchronises else 0
        queued = sums.queued.get(number, 0)
        error = record.last_error
        if error is None and number in sums.blocked:
            error = f"smtp: {sums.blocked[number]}; nothing is sent until the options change"
        off = engine.off(number)
        if off is not None:
            state = MailboxState.OFF
        elif error is not None:
            state = MailboxState.FAILING
        elif held:
            state = MailboxState.HELD
        else:
            open_things = waiting or queued or record.dirty_since is not None
            state = MailboxState.PENDING if open_things else MailboxState.IN_STEP
        last = record.last_pass
        yield Line(
            mailbox=number,
            name=mailbox.email_name,
            state=state,
            # A message that waits to be sent may be in both sums.
            pending=max(waiting, queued),
            held=held,
            last_pass=None if last is None else datetime.fromtimestamp(last, UTC),
            error=off or error,
        )
