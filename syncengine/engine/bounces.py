"""Returned messages: a notification in the account says that a message was not delivered.

Believed only where it names a message that was sent and has not been seen yet; a forged one that names
an unknown or a confirmed token changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncengine.engine.binding import Binding
from syncengine.engine.events import DeliveryFailed, Event
from syncengine.errors import FolderError
from syncengine.index import Index, Queued, QueueState
from syncengine.model import State, id_of
from syncengine.replica import Account
from syncengine.rules.replies import Result

if TYPE_CHECKING:
    from syncengine.delivery.dsn import Failure

_log = logging.getLogger(__name__)

_MOST_AT_ONCE = 20
_UNDER_WAY = (QueueState.SENT, QueueState.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Bounces:
    """Reads the notifications of one account."""

    binding: Binding
    index: Index
    account: int
    remote: Account
    emit: Callable[[Event], None]

    def read(self) -> None:
        """Read what came since the last pass, a bounded number; nothing while nothing is under way."""
        memories = self.index.pairs.memories(self.account)
        if not any(memory.in_flight for memory in memories.values()):
            self.index.reports.pass_over(self.account)
            return
        from syncengine.delivery.dsn import failures  # noqa: PLC0415 - slow, and for most passes nothing to do

        for place in self.index.reports.unread(self.account, _MOST_AT_ONCE):
            try:
                raw = self.remote.fetch(place)
            except FolderError as error:
                _log.info("mailbox %s: a delivery report cannot be read: %s", self.binding.number, error)
                raw = None
            for failure in failures(raw or b""):
                self._believe(failure)
            self.index.reports.read(self.account, place)

    def _believe(self, failure: Failure) -> None:
        number = self.binding.number
        row = self.index.queue.get(number, failure.token)
        memory = self.index.pairs.memory(self.account, failure.token)
        if row is None or row.state not in _UNDER_WAY or memory is None or not memory.in_flight:
            _log.info("mailbox %s: a delivery report about no message under way is ignored", number)
            return
        copies = {address.lower() for address in self.binding.post.copies}
        if failure.recipients & copies:
            _log.warning(
                "mailbox %s: message %s: a copy came back: %s", number, id_of(row.token), failure.reason
            )
            return
        self._undeliverable(row, failure.reason)

    def _undeliverable(self, row: Queued, reason: str) -> None:
        post, number = self.binding.post, self.binding.number
        recipients = row.decided | {post.synced_address: f"{Result.FAILURE}: {reason}"}
        with self.index.database.write():
            base = State.DELETED if row.resend > 1 else None
            self.index.pairs.taken_back(self.account, row.token, base)
            self.index.queue.settle(
                number, row.token, QueueState.UNDELIVERABLE, reply=reason, recipients=recipients
            )
        _log.warning("mailbox %s: message %s: undeliverable: %s", number, id_of(row.token), reason)
        self.emit(DeliveryFailed(number, id_of(row.token), reason))
