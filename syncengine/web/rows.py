"""A message as its mailbox's page shows it: its state on both sides in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from syncengine.engine.cases import INBOX
from syncengine.engine.status import Message, PendingItem, Picture
from syncengine.imap.scope import VOICE_FOLDER
from syncengine.index import Queued, QueueState
from syncengine.model import Delivery, Kind, RemoteState, id_of
from syncengine.rules.compare import Where, remote_view

_FLAGS = MappingProxyType({RemoteState.SEEN: "read", RemoteState.UNSEEN: "unread"})
_NOT_THERE: Mapping[Delivery, str] = MappingProxyType(
    {
        Delivery.NOT_SENT: "not sent",
        Delivery.QUEUED: "not there yet, to be sent",
        Delivery.SENT: "sent, not seen there yet",
        Delivery.UNCONFIRMED: "sent, and not seen there in time",
        Delivery.UNDELIVERABLE: "refused",
        Delivery.UNLINKED: "not found since its folder changed",
        Delivery.CONFIRMED: "gone",
    }
)
_QUEUE_ADVICE: Mapping[QueueState, str] = MappingProxyType(
    {
        QueueState.BLOCKED: "Nothing is sent until the options change: mend them on the Email tab and Test;"
        " then it goes out by itself.",
        QueueState.IN_DOUBT: "Nobody said who holds it: it is looked for in the account before it is"
        " sent again.",
        QueueState.UNDELIVERABLE: "It stays at the phone. Mend what the reply names, then Send again.",
        QueueState.CANCELLED: "Its sending was cancelled; Send again takes that back.",
        QueueState.NOT_SENT: "It is not among what is sent; Send again sends it nevertheless.",
    }
)
_DELIVERY_ADVICE: Mapping[Delivery, str] = MappingProxyType(
    {
        Delivery.UNCONFIRMED: "See whether a rule, a full account or the junk filter took it; once it"
        " turns up it is in step again.",
        Delivery.UNLINKED: f'Move it to INBOX or "{VOICE_FOLDER}" in the mail program to keep it in step'
        " again.",
    }
)
_UNFILED = f'Have a rule in the mail program file it into "{VOICE_FOLDER}", or set file_into_folder.'
_AGAIN = frozenset(set(QueueState) - {QueueState.SENT, QueueState.CLAIMED})


@dataclass(frozen=True, slots=True)
class Row:
    """One message of the list."""

    message: Message
    account: str
    """Its state in the account, in words."""
    reply: str | None
    """What the server last said of it."""
    attempts: int
    next_try: datetime | None
    pending: PendingItem | None
    advice: str
    again: bool
    """Whether it can be sent again by hand."""

    @property
    def phone(self) -> str:
        """Its state at the phone, in a word."""
        return "deleted" if self.message.deleted else "heard" if self.message.heard else "new"


def rows_of(picture: Picture, messages: tuple[Message, ...], pending: tuple[PendingItem, ...]) -> list[Row]:
    """Return messages as the page shows them, in their order."""
    queue = {id_of(token): queued for token, queued in picture.queue.items()}
    by_rule = picture.binding.filed_by_rule
    there = {id_of(case.memory.token): remote_view(case.memory, case.sightings) for case in picture.of}
    waits = {item.message: item for item in pending}
    found = []
    for message in messages:
        queued, view, item = queue.get(message.id), there.get(message.id), waits.get(message.id)
        if message.kind is Kind.EMAIL:
            account = "read" if message.heard else "unread"
        elif view is None or view.where is Where.NOWHERE:
            account = _NOT_THERE[message.delivery]
        else:
            account = "in Trash" if view.where is Where.TRASH else _FLAGS.get(view.state, "deleted")
        unfiled = by_rule and view is not None and view.where is Where.IN_SCOPE and view.folder == INBOX
        advice = _UNFILED if unfiled else _advice(message, queued)
        found.append(_row(message, account, queued, item, advice))
    return found


def _row(
    message: Message, account: str, queued: Queued | None, pending: PendingItem | None, advice: str
) -> Row:
    waits = queued.next_try if queued and queued.state in (QueueState.DUE, QueueState.IN_DOUBT) else 0.0
    return Row(
        message=message,
        account=account,
        reply=queued.last_reply if queued else None,
        attempts=queued.attempts if queued else 0,
        next_try=datetime.fromtimestamp(queued.next_try, UTC)
        if queued and waits and queued.next_try
        else None,
        pending=pending,
        advice=advice,
        again=queued is not None and queued.state in _AGAIN and not message.deleted,
    )


def _advice(message: Message, queued: Queued | None) -> str:
    """What to do, where something is not as it should be; blank where nothing is to be done."""
    if queued is not None and queued.state in _QUEUE_ADVICE and message.delivery is not Delivery.CONFIRMED:
        return _QUEUE_ADVICE[queued.state]
    if queued is not None and queued.state is QueueState.DUE and queued.attempts:
        return "It is tried again by itself; Send again does not wait."
    return _DELIVERY_ADVICE.get(message.delivery, "")
