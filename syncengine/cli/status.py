"""``status``: what is going on in each mailbox, from the stored view alone; no connection, no effect."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from syncengine.cli.call import Call, Exit
from syncengine.cli.output import Output
from syncengine.engine.engine import Engine
from syncengine.engine.status import MailboxStatus, PendingItem
from syncengine.imap.scope import VOICE_FOLDER
from syncengine.index import QueueState
from syncengine.model import Delivery, id_of

_DONE = (QueueState.SENT, QueueState.NOT_SENT, QueueState.CANCELLED)
_COLUMNS = ("mailbox", "state", "new", "heard", "pending", "held", "last pass", "last error", "next try")


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    parser.add_argument("number", metavar="NUMBER", nargs="?", help="one mailbox, in detail")
    parser.add_argument(
        "--watch", action="store_true", help="go on, until Ctrl-C; with --json a line a change"
    )
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """Print the status of one mailbox or of all."""
    number = call.args.number
    with call.engine() as engine:
        if call.args.watch:
            from syncengine.cli.watch import watch  # noqa: PLC0415 - it watches the options' files, too

            if number:
                engine.binding(number)
            watch(engine, number, call.out, _COLUMNS, _row, status_object)
            return Exit.DONE
        found = [engine.status(one) for one in ([number] if number else engine.numbers())]
        if call.out.json:
            call.out.document([status_object(status) for status in found])
            return Exit.DONE
        call.out.table(_COLUMNS, [_row(status) for status in found], empty="there is no mailbox yet")
        if number:
            _details(engine, found[0], call.out)
    return Exit.DONE


def status_object(status: MailboxStatus) -> dict[str, Any]:
    """Return a status as ``status --json`` shows it; times are ISO 8601 with their zone."""
    return {
        "mailbox": status.mailbox,
        "state": status.state,
        "new": status.new,
        "heard": status.heard,
        "pending": [
            {
                "message": item.message,
                "what": item.what,
                "since": item.since.isoformat(),
                "deadline": _iso(item.deadline),
            }
            for item in status.pending
        ],
        "last_pass": _iso(status.last_pass),
        "last_error": status.last_error,
        "next_try": _iso(status.next_try),
    }


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _row(status: MailboxStatus) -> Sequence[str]:
    return (
        status.mailbox,
        status.state,
        str(status.new),
        str(status.heard),
        _waiting(status.pending),
        str(status.held or "-"),
        _ago(status.last_pass) or "never",
        status.reason or (status.last_error or "-").removeprefix(f"mailbox {status.mailbox}: "),
        _until(status.next_try)
        if status.next_try is None or status.next_try.timestamp() > time.time()
        else "due",
    )


def _waiting(pending: Sequence[PendingItem]) -> str:
    """How many, for how long at most, and until when the first of them is expected."""
    if not pending:
        return "-"
    deadlines = [item.deadline for item in pending if item.deadline and not item.unconfirmed]
    until = f", due {_until(min(deadlines))}" if deadlines else ""
    return f"{len(pending)} (oldest {_ago(min(item.since for item in pending))}{until})"


def _details(engine: Engine, status: MailboxStatus, out: Output) -> None:
    number = status.mailbox
    if status.pending:
        out.say("")
        out.say("Done on one side and not yet confirmed by the other:")
        rows = [
            (i.message, i.what, _ago(i.since), "unconfirmed" if i.unconfirmed else _until(i.deadline))
            for i in status.pending
        ]
        out.table(("message", "what", "since", "expected"), rows)
    picture = engine.picture(number)
    if waiting := sum(row.state not in _DONE for row in picture.queue.values()):
        out.say("")
        out.say(f"In the queue: {waiting}; syncengine queue list {number} shows them.")
    if unlinked := sum(m.delivery is Delivery.UNLINKED for m in picture.messages()):
        out.say("")
        out.say(f"Unlinked in the account, kept here: {unlinked}; syncengine messages {number} shows them.")
    if picture.unfiled:
        out.say("")
        out.say(f"Arrived in INBOX and not filed into {VOICE_FOLDER}: {picture.unfiled}.")
    held = engine.index.passes.held(picture.account.id) if picture.account else ()
    if held:
        out.say("")
        out.say("Missing in the account; the brake holds their delete at the phone:")
        since = [(id_of(h.token), _ago(datetime.fromtimestamp(h.since, UTC))) for h in held]
        out.table(("message", "held since"), since)
        out.say(
            f"Let exactly these through: syncengine resync {number} --accept-deletes. If they should stay,"
            " put them back into their folder in the mail program."
        )


def _ago(when: datetime | None) -> str:
    return f"{_span(time.time() - when.timestamp())} ago" if when else ""


def _until(when: datetime | None) -> str:
    if when is None:
        return "-"
    left = when.timestamp() - time.time()
    return f"in {_span(left)}" if left >= 0 else f"{_span(-left)} ago"


def _span(seconds: float) -> str:
    """A length of time in its largest unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
