"""The subscriber's messages: list, take in, mark, delete, restore. None of it needs the account."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncengine.cli.call import Call, Exit
from syncengine.cli.output import SHORT_ID, Output
from syncengine.engine.handle import Mailbox
from syncengine.engine.status import Message
from syncengine.errors import UsageError

_COLUMNS = ("id", "kind", "state", "delivery", "sender", "subject", "received", "folder", "pending", "error")
_LEAST_ID = 6
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_MOST_BYTES = 200 << 20


def fill(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the arguments of one of the commands."""
    parser.add_argument("number", metavar="NUMBER", help="the mailbox")
    if name == "deliver":
        _fill_deliver(parser)
    elif name == "messages":
        parser.add_argument(
            "--last", metavar="N", type=_count, help="that many at most: those that came last"
        )
    else:
        count = "+" if name == "delete" else None
        parser.add_argument("id", metavar="ID", nargs=count, help="the message's id, or a beginning of it")
        if name == "mark":
            parser.add_argument("state", choices=("heard", "new"))
    runs = {"messages": show, "deliver": deliver, "mark": mark, "delete": delete, "restore": restore}
    parser.set_defaults(run=runs[name])


def _fill_deliver(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="the recording or the fax; - is standard input")
    add("--kind", choices=("voice", "fax"), default="voice", help="what it is (default voice)")
    add("--caller-number", metavar="TEXT", default="", help="who called")
    add("--caller-name", metavar="TEXT", default="", help="the caller's name")
    add("--urgent", action="store_true", help="marked urgent")
    add("--private", action="store_true", help="marked private")
    add("--received", metavar="ISO", help="when the call came, like 2026-11-23T15:15:00+01:00 (default now)")


def show(call: Call) -> Exit:
    """Print the messages of a mailbox, the oldest first."""
    with call.engine() as engine:
        found = engine.mailbox(call.args.number).messages(latest=call.args.last)
    if call.out.json:
        call.out.documents(map(message_object, found))
    else:
        rows = [_row(message, short=call.out.terminal) for message in found]
        call.out.table(_COLUMNS, rows, empty="no messages")
    return Exit.DONE


def deliver(call: Call) -> Exit:
    """Take in a message and print its id."""
    args = call.args
    content = _content(args.file)
    received = _time(args.received)
    with call.engine() as engine:
        message = engine.mailbox(args.number).deliver(
            content,
            kind=args.kind,
            caller_number=_text(args.caller_number),
            caller_name=_text(args.caller_name),
            urgent=args.urgent,
            private=args.private,
            received=received,
        )
    if call.out.json:
        call.out.document(message_object(message))
    else:
        call.out.data(message.id)
    return Exit.DONE


def mark(call: Call) -> Exit:
    """Mark a message heard or new."""
    with call.engine() as engine:
        box = engine.mailbox(call.args.number)
        message_id = _id(box, call.args.id)
        if call.args.state == "heard":
            box.mark_heard(message_id)
        else:
            box.mark_new(message_id)
        _tell(call.out, box.message(message_id))
    return Exit.DONE


def delete(call: Call) -> Exit:
    """Delete messages; an unknown id ends it before anything is done."""
    with call.engine() as engine:
        box = engine.mailbox(call.args.number)
        ids = list(dict.fromkeys(_id(box, text) for text in call.args.id))
        for message_id in ids:
            box.delete(message_id)
        deleted = [box.message(message_id) for message_id in ids]
    if call.out.json:
        call.out.document([message_object(message) for message in deleted])
        return Exit.DONE
    for message in deleted:
        _tell(call.out, message)
    return Exit.DONE


def restore(call: Call) -> Exit:
    """Bring a deleted message back."""
    with call.engine() as engine:
        box = engine.mailbox(call.args.number)
        message_id = _id(box, call.args.id)
        box.restore(message_id)
        _tell(call.out, box.message(message_id))
    return Exit.DONE


def message_object(message: Message) -> dict[str, Any]:
    """Return a message as ``messages --json`` shows it."""
    return {
        "id": message.id,
        "mailbox": message.mailbox,
        "kind": message.kind,
        "heard": message.heard,
        "deleted": message.deleted,
        "delivery": message.delivery,
        "sender": message.sender,
        "subject": message.subject,
        "received": message.received.isoformat(),
        "duration": message.duration,
        "pages": message.pages,
        "urgent": message.urgent,
        "folder": message.folder,
        "pending": message.pending,
        "error": message.error,
    }


def _tell(out: Output, message: Message) -> None:
    if out.json:
        out.document(message_object(message))
    else:
        out.say(f"{message.id}: {_state(message)}")


def _state(message: Message) -> str:
    if message.deleted:
        return "deleted"
    return "heard" if message.heard else "new"


def _row(message: Message, *, short: bool) -> Sequence[str]:
    return (
        message.id[:SHORT_ID] if short else message.id,
        message.kind,
        _state(message) + (" urgent" if message.urgent else ""),
        message.delivery,
        message.sender,
        message.subject,
        f"{message.received.astimezone():%Y-%m-%d %H:%M}",
        message.folder or "-",
        "yes" if message.pending else "-",
        message.error or "-",
    )


def _id(box: Mailbox, text: str) -> str:
    """Return the id that ``text`` is, or is the beginning of; raises ``UsageError`` for none or several."""
    wanted = text.lower()
    found = box.ids(wanted) if len(wanted) >= _LEAST_ID else ()
    if len(found) > 1:
        raise UsageError(f"message {text[:40]}: {len(found)} messages begin so; give more digits of the id")
    return found[0] if found else box.message(wanted).id


def _content(name: str) -> Path | bytes:
    """Return what is delivered; only a regular file is read to its end without knowing how long it is."""
    if name == "-":
        data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise UsageError(f"standard input: more than {_MOST_BYTES >> 20} MB")
        return data
    path = Path(name)
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no name of a file"
        raise UsageError(f"{name}: cannot be read: {reason}") from None
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{name}: this is no file")
    if found.st_size > _MOST_BYTES:
        raise UsageError(f"{name}: larger than {_MOST_BYTES >> 20} MB")
    return path


def _time(text: str | None) -> datetime | None:
    """Return when a call came; without a zone it is local time."""
    if text is None:
        return None
    try:
        received = datetime.fromisoformat(text)
        received = received if received.tzinfo else received.astimezone()
        if _EARLIEST <= received <= _LATEST:
            return received
    except (ValueError, OverflowError, OSError):
        pass
    raise UsageError(f"--received {text[:40]}: no date and time like 2026-11-23T15:15:00+01:00")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < len(text) <= 9 and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of messages, like 50")


def _text(argument: str) -> str:
    """Return an argument as text: bytes that are no UTF-8 cannot be stored."""
    return os.fsencode(argument).decode(errors="replace")
