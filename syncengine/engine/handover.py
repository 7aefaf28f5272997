"""Handing messages over to the account: the queue's next, by APPEND or by SMTP, exactly as recorded.

The intent is durable before the first octet of a message goes out. What happened after that without
an answer is in doubt: it is looked for before it is sent again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from syncengine.engine.ledger import Ledger
from syncengine.engine.sending import Post, Sender
from syncengine.engine.turns import Turn
from syncengine.errors import SyncError
from syncengine.index import Index, Queued, QueueState
from syncengine.model import FLAGGED, SEEN, LocalMessage, Side, State, Token, Verb
from syncengine.replica import Account, VoiceStore
from syncengine.rules.compare import Memory

_LEASE_SECONDS = 120.0
"""How long a claim holds beyond the longest wait for an answer."""


@dataclass(slots=True)
class Handover:
    """Works off one mailbox's queue; ``ledger`` tells afterwards what became of it."""

    index: Index
    account: int
    mailbox: str
    store: VoiceStore
    post: Post
    clock: Callable[[], float]
    expiry: float
    """Seconds a deferred message is tried again (``delivery_expiry``)."""
    patience: float = 60.0
    """The longest that an answer is waited for."""
    remote: Account | None = None
    """The logged-in account, where one is: what is put back goes there by APPEND."""
    folder: str | None = None
    """Where APPEND puts messages."""
    by_append: bool = False
    turn: Callable[[], AbstractContextManager[Turn]] = lambda: nullcontext(Turn())
    """Gives the turn at the SMTP server."""
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.index, self.mailbox, self.clock, self.expiry)

    def run(self, messages: Mapping[Token, LocalMessage]) -> None:
        """Hand over whatever is due, in order, until nothing is or the server is not reachable."""
        owner, lease = f"{os.getpid()}.{threading.get_ident()}", self.patience + _LEASE_SECONDS
        sender = Sender(
            self.index, self.account, self.mailbox, self.store, self.post, self.ledger, owner, lease
        )
        sender.unblock()
        with self._turn() as turn:
            sender.answered = turn.answered
            if turn.room or self.by_append:
                self._work_off(messages, sender, copies=turn.room)
            if not turn.room:
                now = self.clock()
                self.index.waits.postpone(self.mailbox, now, now + turn.wait)

    def _turn(self) -> AbstractContextManager[Turn]:
        """A turn at the server, asked for only where something is due there."""
        due = self.index.waits.wake(self.mailbox)
        if due is None or due > self.clock() or (self.by_append and not self.post.copies):
            return nullcontext(Turn())
        return self.turn()

    def _work_off(self, messages: Mapping[Token, LocalMessage], sender: Sender, *, copies: bool) -> None:
        queue = self.index.queue
        while (queued := queue.claim(self.mailbox, sender.owner, self.clock(), sender.lease)) is not None:
            if not self._next(queued, messages.get(queued.token), sender):
                return
        if copies and not self.index.waits.blocked(self.mailbox):
            sender.send_copies(messages)

    def _next(self, queued: Queued, message: LocalMessage | None, sender: Sender) -> bool:
        """Hand over one message; False when the rest of the queue has to wait."""
        memory = self.index.pairs.memory(self.account, queued.token)
        if message is None or message.state is State.DELETED:
            self.index.queue.cancel_deleted(self.mailbox, queued.token)
            return True
        if ever_arrived(memory, queued):
            self.index.queue.arrived(self.mailbox, queued.token, self.clock())
            return True
        if self.remote is not None and self.folder and (self.by_append or queued.resend > 1):
            return self._append(queued, message, self.remote, self.folder)
        return sender.send(queued, message)

    def _append(self, queued: Queued, message: LocalMessage, remote: Account, folder: str) -> bool:
        try:
            raw = self.post.write(message, self.store, queued.resend)
        except SyncError as error:
            self.ledger.defer(queued, str(error))
            return True
        flags = frozenset(
            flag for flag, on in ((SEEN, message.state is State.HEARD), (FLAGGED, message.urgent)) if on
        )
        memory = self.index.pairs.memory(self.account, queued.token)
        before = memory.base if memory else None
        with self.index.database.write():
            intent = self.index.pairs.open_intent(
                self.account,
                queued.token,
                Side.REMOTE,
                Verb.APPEND,
                self.clock(),
                {"folder": folder, "before": before},
            )
            self.index.pairs.handed_over(self.account, queued.token, message.state, self.clock())
            self.ledger.settle(queued, QueueState.IN_DOUBT)
        outcome = remote.append(folder, queued.token, raw, flags=flags, received=message.received)
        with self.index.database.write():
            if outcome.done:
                self._appended(queued, message, placed=outcome.place is not None)
                if outcome.place is not None:
                    self.index.views.record_placed(
                        self.account, queued.token, outcome.place, seen=message.state is State.HEARD
                    )
                    self.index.pairs.note_sightings(self.account)
            else:
                self.index.pairs.taken_back(self.account, queued.token, before)
                self.ledger.defer(queued, outcome.error or "the server did not confirm the APPEND")
            self.index.pairs.close_intents([intent], outcome.error or "done", self.clock())
        return outcome.done

    def _appended(self, queued: Queued, message: LocalMessage, *, placed: bool) -> None:
        # What is put back goes to the account alone: the copies had it when it was new.
        copies_due = self.clock() if self.post.copies and queued.resend == 1 else None
        self.ledger.settle(queued, QueueState.SENT, "APPEND accepted", copies_due=copies_due)
        if placed:
            self.index.pairs.settle(self.account, queued.token, message.state, self.clock())
        self.ledger.handed_over(queued, Verb.RESTORE if queued.resend > 1 else Verb.APPEND)


def ever_arrived(memory: Memory | None, queued: Queued) -> bool:
    """Whether the account has shown it: a token that was ever sighted is not sent again, only put back.

    A filter of the subscriber's may have put it into Trash before anybody saw it elsewhere.
    """
    if memory is None or memory.base is State.DELETED:
        return False
    return memory.sighted or (memory.trashed and queued.resend == 1)


def settle_arrivals(index: Index, account: int, mailbox: str, now: float) -> None:
    """Begin a pass over the queue: whoever had claims is gone, and what has arrived is not in doubt.

    A message that was given up, or whose delivery was reported as failed, may still arrive late.
    """
    index.queue.release(mailbox, now)
    for row in index.queue.rows(mailbox):
        if row.state not in (QueueState.IN_DOUBT, QueueState.UNDELIVERABLE):
            continue
        memory = index.pairs.memory(account, row.token)
        if ever_arrived(memory, row):
            index.queue.arrived(mailbox, row.token, now)
        elif row.state is QueueState.IN_DOUBT and (memory is None or memory.base is None):
            # It was sent when the mailbox was not kept in step, or had another account.
            index.pairs.handed_over(account, row.token, State.NEW, now)
