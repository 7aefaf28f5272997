"""Everything that can be asked for under /api."""

from __future__ import annotations

from syncengine.web.api import calls, models, setup
from syncengine.web.api.operation import Operation
from syncengine.web.who import Need

_BOX = "/api/mailboxes/{number}"
_MESSAGE = _BOX + "/messages/{message}"
_SOUNDS = (
    "audio/wav",
    "audio/mpeg",
    "audio/ogg",
    "image/tiff",
    "application/pdf",
    "application/octet-stream",
)

OPERATIONS = (
    Operation("/api/me", Need.ANYBODY, calls.me, "Who asks.", models.Me),
    Operation(
        "/api/status",
        Need.SEE,
        calls.statuses,
        "All mailboxes, searched, sorted and in parts.",
        list[models.Status],
        query=models.Search,
    ),
    Operation(_BOX, Need.OWN, calls.status, "A mailbox.", models.Status),
    Operation(
        _BOX,
        Need.OPERATE,
        setup.add,
        "Add a mailbox with nothing set.",
        models.Options,
        method="POST",
        act="add mailbox",
        code=201,
    ),
    Operation(
        _BOX + "/messages",
        Need.OWN,
        calls.messages,
        "A mailbox's messages, the oldest first.",
        list[models.Message],
        query=models.Window,
    ),
    Operation(_MESSAGE, Need.OWN, calls.message, "A message.", models.Message),
    Operation(_MESSAGE + "/sound", Need.OWN, calls.recording, "Its recording, or the fax.", _SOUNDS),
    Operation(
        _MESSAGE + "/retry",
        Need.OPERATE,
        calls.retry,
        "Send a message again.",
        models.Message,
        method="POST",
        act="send again",
    ),
    Operation(
        _MESSAGE,
        Need.OWN_CHANGE,
        calls.change,
        "Mark a message heard or new, delete or restore it.",
        models.Message,
        method="POST",
        act="change message",
        body=models.Change,
    ),
    Operation(_BOX + "/queue", Need.OWN, calls.queue, "What is to be sent.", list[models.Queued]),
    Operation(_BOX + "/held", Need.OWN, calls.held, "Deletes that are held.", list[models.HeldDelete]),
    Operation(
        _BOX + "/resync",
        Need.OPERATE,
        calls.resync,
        "Pass over a mailbox, or show what a pass would do, or let through what is held.",
        models.Report,
        method="POST",
        act="resync",
        body=models.Pass,
        waits=True,
    ),
    Operation(
        _BOX + "/test",
        Need.OWN_CHANGE,
        calls.test,
        "Try the account step by step; nothing is sent or changed.",
        list[models.Step],
        method="POST",
        act="test account",
        waits=True,
    ),
    Operation(_BOX + "/options", Need.OWN, setup.options, "The E-mail tab.", models.Options),
    Operation(
        _BOX + "/options",
        Need.OWN_CHANGE,
        setup.apply,
        "Apply changes to the E-mail tab.",
        models.Options,
        method="PATCH",
        act="apply options",
        body=models.ChangeOptions,
    ),
    Operation("/api/misc", Need.SEE, setup.misc_setup, "Misc Setup.", models.Misc),
    Operation(
        "/api/misc/{name}",
        Need.OPERATE,
        setup.apply_row,
        "Apply a change to a row of Misc Setup.",
        models.Row,
        method="PATCH",
        act="apply misc setup",
        body=models.ChangeRow,
    ),
    Operation(
        "/api/record",
        Need.OPERATE,
        calls.record,
        "Who changed what, the newest first.",
        list[models.Entry],
        query=models.Window,
    ),
)
