"""A mailbox that only sends: sync mode none, or POP3. Nothing is looked up, ``sent`` is the final state.

Whatever happens in the account, no voice message and no lamp is ever touched by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncengine.engine.binding import Binding
from syncengine.engine.events import DeliveryFailed, Event
from syncengine.engine.handover import Handover
from syncengine.engine.pop3deletes import Pop3Cleaner
from syncengine.engine.proof import proven_listing
from syncengine.engine.result import Result
from syncengine.engine.turns import Turns, at_once
from syncengine.index import Index, QueueState
from syncengine.model import LocalListing, ReportedAction, Side, State, Verb, id_of

_TOMBSTONE_SECONDS = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class SendOnly:
    """A pass over a mailbox that only sends."""

    binding: Binding
    index: Index
    emit: Callable[[Event], None]
    result: Result
    turns: Turns = at_once

    def run(self) -> None:
        """Send what is due, try to delete over POP3 what was deleted at the phone, clean up."""
        listing, now = proven_listing(self.binding, self.index), self.binding.clock()
        queue = self.index.queue
        number = self.binding.number
        account = self.binding.account(self.index).id
        queue.release(number, now)
        self.index.waits.repeat_doubtful(number, now)
        self.binding.enqueue(self.index, listing.messages, now)
        cleaner = Pop3Cleaner(self.binding, self.index, account)
        cleaner.send_restored(listing)
        self._hand_over(account, listing, self.result)
        self.result.actions.extend(cleaner.delete(listing))
        self._purge(account, listing)

    def preview(self) -> None:
        """What :meth:`run` would send, on an index that is thrown away."""
        now = self.binding.clock()
        self.binding.enqueue(self.index, proven_listing(self.binding, self.index).messages, now)
        due = (
            row
            for row in self.index.queue.rows(self.binding.number)
            if row.state is QueueState.DUE and row.next_try <= now
        )
        self.result.actions.extend(ReportedAction(Side.REMOTE, Verb.SEND, id_of(row.token)) for row in due)

    def _hand_over(self, account: int, listing: LocalListing, result: Result) -> None:
        sync = self.binding.mailbox.sync
        handover = Handover(
            self.index,
            account,
            self.binding.number,
            self.binding.store,
            self.binding.post,
            self.binding.clock,
            sync.delivery_expiry,
            sync.command_timeout,
            turn=lambda: self.turns(self.binding),
        )
        try:
            handover.run({m.token: m for m in listing.messages})
        finally:
            result.actions.extend(handover.ledger.done)
            result.problems.extend(handover.ledger.problems)
            for token, reason in handover.ledger.failed:
                self.emit(DeliveryFailed(self.binding.number, id_of(token), reason))

    def _purge(self, account: int, listing: LocalListing) -> None:
        """Give up what cannot be restored any more; there is no account to look for it first."""
        now = self.binding.clock()
        for message in listing.messages:
            if message.state is not State.DELETED or message.deleted_at is None or not message.content:
                continue
            over = now - message.deleted_at.timestamp() >= self.binding.mailbox.sync.undo_window
            if over and self.binding.store.purge(message):
                self.index.pairs.settle(account, message.token, State.DELETED, now, by_phone=True)
        self.index.pairs.prune(account, now - _TOMBSTONE_SECONDS)
        self.index.queue.forget_purged(self.binding.number)
