"""What goes in and comes out under /api: the objects of the commands' ``--json``, and those of the tab.

Invariant: what is said in the document is what is checked and sent, since both are made from here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from syncengine.options.tab import email_tab
from syncengine.options.values import Protocol

_FIELDS = list(dict.fromkeys(field.name for protocol in Protocol for field in email_tab(protocol)))
Plain = str | int | float | bool | None
Text = Annotated[str, Meta(max_length=4096)]


class Fault(Struct, omit_defaults=True):
    """Why something was not done."""

    error: str
    fields: Annotated[dict[str, str], Meta(description="What is wrong by field.")] = {}


class Me(Struct):
    """Who asks."""

    name: str
    role: Literal["operator", "read-only", "subscriber"]
    mailbox: Annotated[str | None, Meta(description="A subscriber's number.")]
    csrf: Annotated[str, Meta(description="For the field X-CSRF-Token, with a session's cookie.")]


class Pending(Struct):
    """What was done on one side and is not yet confirmed by the other."""

    message: str
    what: str
    since: datetime
    deadline: datetime | None


class Status(Struct):
    """A mailbox, as ``status --json`` shows it."""

    mailbox: str
    state: Literal["off", "failing", "held", "pending", "in-step"]
    new: int
    heard: int
    pending: list[Pending]
    last_pass: datetime | None
    last_error: str | None
    next_try: datetime | None


class Message(Struct):
    """A message, as ``messages --json`` shows it."""

    id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    mailbox: str
    kind: Literal["voice", "fax", "email"]
    heard: bool
    deleted: bool
    delivery: Literal["unlinked", "not-sent", "queued", "sent", "confirmed", "unconfirmed", "undeliverable"]
    sender: str
    subject: str
    received: datetime
    duration: float | None
    pages: int | None
    urgent: bool
    folder: str | None
    pending: bool
    error: str | None


class Queued(Struct):
    """A message in the queue, as ``queue list --json`` shows it."""

    id: str
    mailbox: str
    state: str
    attempts: int
    next_try: datetime | None
    last_reply: str | None


class HeldDelete(Struct):
    """A message that is missing in the account, and whose delete at the phone is held."""

    message: str
    since: datetime


class Action(Struct):
    """What a pass did, or would do."""

    side: Literal["local", "remote"]
    action: str
    message: str | None
    count: int


class Problem(Struct):
    """What failed."""

    where: str
    what: str


class Report(Struct):
    """A pass, as ``resync --json`` shows it."""

    mailbox: str
    ok: bool
    held: bool
    dry_run: bool
    actions: list[Action]
    errors: list[Problem]
    round_trips: int
    bytes_in: int
    bytes_out: int
    seconds: float


class Step(Struct):
    """A step of a test, as ``check --json`` shows it."""

    mailbox: str
    server: str
    step: str
    ok: bool
    detail: str


class OptionField(Struct):
    """A field of the E-mail tab."""

    name: str
    label: str
    kind: str
    value: Annotated[Plain, Meta(description="Null where nothing is set, and of a password always.")]
    choices: list[str]
    set: Annotated[bool, Meta(description="Of a password: whether there is one.")]


class Options(Struct):
    """A mailbox's E-mail tab."""

    mailbox: str
    protocol: Literal["imap4", "pop3"]
    version: Annotated[str, Meta(description="To be sent with a change, which is refused if it is old.")]
    fields: list[OptionField]


class Row(Struct):
    """A row of Misc Setup."""

    name: str
    value: str
    ignore: Literal[0, 1]
    key: Annotated[str, Meta(description="The option of the system that it sets; blank for none.")]


class Misc(Struct):
    """Misc Setup."""

    version: Annotated[str, Meta(description="To be sent with a change, which is refused if it is old.")]
    rows: list[Row]


class Entry(Struct):
    """A line of the record of changes."""

    time: str
    user: str
    act: str
    role: str = ""
    address: str = ""
    outcome: str = ""
    number: str = ""
    message: str = ""
    name: str = ""
    changes: dict[str, Any] | str = {}


class Nothing(Struct, forbid_unknown_fields=True):
    """No body, or an object with nothing in it."""


class Change(Struct, forbid_unknown_fields=True):
    """What a message is to become."""

    to: Literal["heard", "new", "delete", "restore"]


class Pass(Struct, forbid_unknown_fields=True):
    """How to pass over a mailbox."""

    how: Literal["now", "dry-run", "accept-deletes"]
    held: Annotated[
        list[Annotated[str, Meta(max_length=32)]],
        Meta(
            max_length=1000,
            description="With accept-deletes: the held messages that were looked at, all of them.",
        ),
    ] = []


class ChangeOptions(Struct, forbid_unknown_fields=True):
    """Changes to the E-mail tab: all of them are applied, or none."""

    version: Text
    changes: Annotated[
        dict[str, Annotated[str, Meta(max_length=4096)] | int | bool | None],
        Meta(
            max_length=60,
            description="New values by field; null takes one out. Labels of the manual are taken too.",
            extra_json_schema={"propertyNames": {"enum": _FIELDS}},
        ),
    ]


class ChangeRow(Struct, forbid_unknown_fields=True):
    """A change to a row of Misc Setup; what is left out stays."""

    version: Text
    value: Text | None = None
    ignore: Literal[0, 1] | None = None


class Window(Struct, forbid_unknown_fields=True):
    """Which part of a list."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most.")] = 100
    offset: Annotated[int, Meta(ge=0, le=10_000_000, description="How many are left out before them.")] = 0


class Search(Window, forbid_unknown_fields=True):
    """Which mailboxes, in which order."""

    q: Annotated[str, Meta(max_length=100, description="Part of a number or an e-mail name.")] = ""
    state: Literal["", "off", "failing", "held", "pending", "in-step"] = ""
    sort: Literal["mailbox", "state", "name", "pending", "held", "last pass"] = "mailbox"


class NoQuery(Struct, forbid_unknown_fields=True):
    """Nothing after a question mark."""
