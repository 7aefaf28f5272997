"""What is going on in a mailbox, from the stored view alone: no connection, no effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from syncengine.delivery.call import Call
from syncengine.engine.binding import Binding
from syncengine.engine.cases import INBOX, cases, is_unlinked, last_folder, notices, pending
from syncengine.imap.scope import VOICE_FOLDER
from syncengine.index import AccountRow, Index, Notice, Queued, QueueState
from syncengine.model import Delivery, Kind, LocalMessage, State, Token, id_of
from syncengine.rules.compare import Memory, RemoteView, Where, remote_view
from syncengine.rules.plan import Case, plan


class MailboxState(StrEnum):
    """One word for a mailbox; the first that holds, in this order."""

    OFF = "off"
    FAILING = "failing"
    HELD = "held"
    PENDING = "pending"
    IN_STEP = "in-step"


@dataclass(frozen=True, slots=True)
class PendingItem:
    """Something done on one side and not yet confirmed by the other."""

    message: str
    what: str
    since: datetime
    deadline: datetime | None
    unconfirmed: bool = False
    """The deadline passed; it is still looked for at each rare pass."""


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """The object of ``status --json``, and what people ask next."""

    mailbox: str
    state: MailboxState
    new: int
    heard: int
    pending: tuple[PendingItem, ...]
    last_pass: datetime | None
    last_error: str | None
    next_try: datetime | None
    held: int = 0
    reason: str | None = None
    """Why it is off."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the subscriber has it; the object of ``messages --json``."""

    id: str
    mailbox: str
    kind: Kind
    heard: bool
    deleted: bool
    delivery: Delivery
    sender: str
    subject: str
    received: datetime
    duration: float | None
    pages: int | None
    urgent: bool
    folder: str | None
    pending: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """The stored view of one mailbox, read once for status and messages."""

    index: Index
    binding: Binding
    account: AccountRow | None
    local: tuple[LocalMessage, ...]
    of: tuple[Case, ...]
    pending: Mapping[Token, str]
    queue: Mapping[Token, Queued]

    @classmethod
    def read(cls, index: Index, binding: Binding, account: AccountRow | None) -> Picture:
        """Read the stored view of a mailbox."""
        local = binding.store.listing(binding.number).messages
        of = cases(index, account.id, local, binding.clock()) if account else ()
        queue = {row.token: row for row in index.queue.rows(binding.number)}
        open_things = pending(of, plan(of, binding.policy)) if binding.mailbox.synchronises else {}
        return cls(index, binding, account, local, of, open_things, queue)

    def messages(self) -> tuple[Message, ...]:
        """The subscriber's messages, the oldest first."""
        details = self.index.pairs.details(self.account.id) if self.account else {}
        known = {case.memory.token: case for case in self.of}
        found = []
        for message in self.local:
            if message.content:
                row = details.get(message.token)
                case = known.get(message.token) or Case(Memory(message.token), message)
                error = row["error"] if row else None
                found.append(self._message(message, case, error=error))
        return tuple(found)

    @property
    def unfiled(self) -> int:
        """How many arrived where the sync mode does not look for voice messages."""
        found = notices(self.of, filed=self.binding.filed_by_rule).values()
        return sum(notice is Notice.UNFILED for notice, _ in found)

    def _message(self, message: LocalMessage, case: Case, *, error: str | None) -> Message:
        view = remote_view(case.memory, case.sightings)
        queued = self.queue.get(message.token)
        return Message(
            id=id_of(message.token),
            mailbox=message.mailbox,
            kind=message.kind,
            heard=self._heard(message),
            deleted=message.state is State.DELETED,
            delivery=_delivery(case.memory, view, queued),
            sender=message.caller_name or message.caller_number or "unknown",
            subject=Call.of(message).subject,
            received=message.received,
            duration=message.duration,
            pages=message.pages,
            urgent=message.urgent,
            folder=last_folder(case, view),
            pending=message.token in self.pending or (queued is not None and queued.state in _OPEN),
            error=error or _reply(queued) or self._unfiled(case),
        )

    def _unfiled(self, case: Case) -> str | None:
        """What is said of a message that arrived where the sync mode does not look for voice messages."""
        notice, _ = notices([case], filed=self.binding.filed_by_rule).get(case.memory.token, (None, ""))
        return f"arrived in {INBOX}, not filed into {VOICE_FOLDER}" if notice is Notice.UNFILED else None

    def _heard(self, message: LocalMessage) -> bool:
        if message.state is State.DELETED:
            return self.binding.store.restored_state(message) is State.HEARD
        return message.state is State.HEARD

    def status(self, off: str | None) -> MailboxStatus:
        """The mailbox in one object; ``off`` is the reason why it is switched off, if it is."""
        record = self.index.passes.get(self.binding.number)
        held = len(self.index.passes.held(self.account.id)) if self.account else 0
        items = (*self._items(), *self._emails())
        waiting = any(row.state in _OPEN for row in self.queue.values())
        error = record.last_error or self._blocked()
        if off is not None:
            state = MailboxState.OFF
        elif error is not None:
            state = MailboxState.FAILING
        elif held:
            state = MailboxState.HELD
        else:
            state = MailboxState.PENDING if items or waiting else MailboxState.IN_STEP
        return MailboxStatus(
            mailbox=self.binding.number,
            state=state,
            new=sum(1 for m in self.local if m.state is State.NEW),
            heard=sum(1 for m in self.local if m.state is State.HEARD),
            pending=items,
            last_pass=_time(record.last_pass),
            last_error=error or self._undelivered(),
            next_try=_time(record.next_try),
            held=held,
            reason=off,
        )

    def _blocked(self) -> str | None:
        """Why nothing is sent until the options change, None where that is not so."""
        for row in self.queue.values():
            if row.state is QueueState.BLOCKED:
                return f"smtp: {row.last_reply}; nothing is sent until the options change"
        return None

    def _undelivered(self) -> str | None:
        """What could not be delivered: a state that waits for somebody, no failure of the mailbox."""
        there = {message.token for message in self.local if message.state is not State.DELETED}
        rows = [r for r in self.queue.values() if r.state is QueueState.UNDELIVERABLE and r.token in there]
        if not rows:
            return None
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        return f"message {id_of(rows[0].token)}: undeliverable: {rows[0].last_reply or 'given up'}{more}"

    def _items(self) -> tuple[PendingItem, ...]:
        if self.account is None:
            return ()
        known = {p.token: p for p in self.index.pairs.pending(self.account.id)}
        timer = self.binding.pending_timer
        now = self.binding.clock()
        items = []
        for token, what in sorted(self.pending.items()):
            old = known.get(token)
            since = old.since if old and old.what == what else now
            deadline = old.deadline if old and old.what == what else now + timer if timer else None
            items.append(
                PendingItem(
                    id_of(token),
                    what,
                    datetime.fromtimestamp(since, UTC),
                    _time(deadline),
                    bool(old and old.what == what and old.expired),
                )
            )
        return tuple(items)

    def _emails(self) -> tuple[PendingItem, ...]:
        """What the phone did to e-mails and the account does not show yet: tried again with every pass."""
        if self.account is None or not self.binding.reads_aloud:
            return ()
        timer, now = self.binding.pending_timer, self.binding.clock()
        return tuple(
            PendingItem(
                row.id,
                what,
                datetime.fromtimestamp(row.changed_at, UTC),
                _time(row.changed_at + timer if timer else None),
                bool(timer) and now > row.changed_at + timer,
            )
            for row in self.index.emails.touched(self.account.id)
            if (what := row.pending) is not None and row.changed_at is not None
        )


_OPEN = (QueueState.DUE, QueueState.CLAIMED, QueueState.BLOCKED)


def _delivery(memory: Memory, view: RemoteView, queued: Queued | None) -> Delivery:
    if queued is not None and queued.state in _OPEN:
        return Delivery.QUEUED
    if queued is not None and queued.state is QueueState.UNDELIVERABLE:
        return Delivery.UNDELIVERABLE
    if is_unlinked(memory, view):
        return Delivery.UNLINKED
    if memory.sighted or view.where is not Where.NOWHERE:
        return Delivery.CONFIRMED
    if memory.expired:
        return Delivery.UNCONFIRMED
    if queued is not None and queued.state in (QueueState.SENT, QueueState.IN_DOUBT):
        return Delivery.SENT
    return Delivery.NOT_SENT


def _reply(queued: Queued | None) -> str | None:
    bad = (QueueState.UNDELIVERABLE, QueueState.BLOCKED, QueueState.DUE)
    return queued.last_reply if queued is not None and queued.state in bad else None


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
