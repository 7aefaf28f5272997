"""``queue``: what is to be sent; send again what was given up, or give up what is to be sent.

Works beside a running service: what is being sent at this moment is never touched.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from syncengine.cli.call import Call, Exit
from syncengine.cli.output import SHORT_ID
from syncengine.engine.engine import Engine
from syncengine.engine.lock import mailbox_lock
from syncengine.errors import UsageError
from syncengine.index import Queued, QueueState
from syncengine.model import id_of

_COLUMNS = ("id", "mailbox", "state", "attempts", "next try", "last reply")
DONE = frozenset({QueueState.SENT, QueueState.NOT_SENT})
_WAITING = (QueueState.DUE, QueueState.BLOCKED)
_GIVEN_UP = frozenset({QueueState.UNDELIVERABLE, QueueState.CANCELLED})
_ACTIONS = ("list", "retry", "cancel")


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("action", nargs="?", default="list", metavar="list|retry|cancel", help="what to do (default list)")
    add("target", nargs="?", metavar="NUMBER|ID", help="a mailbox, or a message's id")
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """List the queue, or change it and list what was changed."""
    action, target = call.args.action, call.args.target
    if action not in _ACTIONS and target is None:
        action, target = "list", action
    if action not in _ACTIONS or (action != "list" and target is None):
        raise UsageError("queue: list, or retry or cancel with a mailbox's number or a message's id")
    with call.engine() as engine:
        rows = _rows(engine, target, hidden=action == "retry")
        if action != "list":
            change = retry if action == "retry" else _cancel
            rows = change(engine, rows)
    if call.out.json:
        call.out.document([queue_object(row) for row in rows])
        return Exit.DONE
    empty = "the queue is empty" if action == "list" else "nothing to change"
    call.out.table(_COLUMNS, [_row(row, short=call.out.terminal) for row in rows], empty=empty)
    return Exit.DONE


def _rows(engine: Engine, target: str | None, *, hidden: bool) -> Sequence[Queued]:
    """Rows of a mailbox, of a message or of all; with ``hidden`` a message's own row whatever it is."""
    if target is None or target in engine.numbers():
        return [row for row in engine.index.queue.rows(target) if row.state not in DONE]
    wanted = target.lower()
    found = engine.index.queue.rows() if re.fullmatch(r"[0-9a-f]{6,32}", wanted) else ()
    found = tuple(row for row in found if id_of(row.token).startswith(wanted))
    if not found:
        raise UsageError(f"queue: {target[:40]}: there is no such mailbox, and no such message in the queue")
    if len(found) > 1:
        raise UsageError(f"queue: {target[:40]}: {len(found)} messages begin so; give more digits of the id")
    if found[0].state is QueueState.SENT and hidden:
        raise UsageError(f"message {id_of(found[0].token)}: it was sent; there is nothing to try again")
    return [row for row in found if hidden or row.state not in DONE]


def retry(engine: Engine, rows: Sequence[Queued]) -> Sequence[Queued]:
    """Make messages due now, and return those; recipients that took a message do not get it again."""
    queue, now = engine.index.queue, time.time()
    changed = []
    for row in rows:
        if row.state is QueueState.IN_DOUBT:
            # While a pass is under way its bytes may be, too.
            with mailbox_lock(engine.state_dir, row.mailbox):
                moved = queue.move(row.mailbox, [QueueState.IN_DOUBT], QueueState.DUE, now, row.token)
        elif row.state in _WAITING:
            moved = queue.move(row.mailbox, _WAITING, QueueState.DUE, now, row.token)
        else:
            moved = _again(engine, row, now)
        if moved:
            changed.append(row)
    return _noted(engine, changed, now)


def _again(engine: Engine, row: Queued, now: float) -> bool:
    """Enter a message anew, if it is still given up or not to be sent."""
    queue = engine.index.queue
    with engine.index.database.write():
        current = queue.get(row.mailbox, row.token)
        if current is None or current.state not in _GIVEN_UP | {QueueState.NOT_SENT}:
            return False
        queue.again(row.mailbox, row.token, now, resend=False, keep=current.taken)
        return True


def _cancel(engine: Engine, rows: Sequence[Queued]) -> Sequence[Queued]:
    """Give up what is not yet being sent."""
    now = time.time()
    move = engine.index.queue.move
    changed = [row for row in rows if move(row.mailbox, _WAITING, QueueState.CANCELLED, now, row.token)]
    return _noted(engine, changed, now)


def _noted(engine: Engine, rows: Sequence[Queued], now: float) -> Sequence[Queued]:
    """Leave a mark for whoever passes next; the rows as they are now."""
    for number in dict.fromkeys(row.mailbox for row in rows):
        engine.index.passes.mark_dirty(number, now)
    current = (engine.index.queue.get(row.mailbox, row.token) for row in rows)
    return [row for row in current if row is not None]


def queue_object(row: Queued) -> Mapping[str, Any]:
    """Return a row as ``queue list --json`` shows it."""
    return {
        "id": id_of(row.token),
        "mailbox": row.mailbox,
        "state": row.state,
        "attempts": row.attempts,
        "next_try": when.isoformat() if (when := _next(row)) else None,
        "last_reply": row.last_reply,
    }


def _row(row: Queued, *, short: bool) -> Sequence[str]:
    when = _next(row)
    return (
        id_of(row.token)[:SHORT_ID] if short else id_of(row.token),
        row.mailbox,
        row.state,
        str(row.attempts),
        f"{when.astimezone():%Y-%m-%d %H:%M:%S}" if when else "-",
        row.last_reply or "-",
    )


def _next(row: Queued) -> datetime | None:
    """When it is tried next; only what is due is tried by itself."""
    return datetime.fromtimestamp(row.next_try, UTC) if row.state is QueueState.DUE else None
