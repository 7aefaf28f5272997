"""Handing messages over to the account: the queue's next, by APPEND or by SMTP, exactly as recorded.

The intent is durable before the first octet of a message goes out. What happened after that without
an answer is in doubt: it is looked for before it is sent again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tenacity import RetryCallState
from tenacity.wait import wait_random_exponential

from syncengine.delivery.smtp import Attempt
from syncengine.errors import SyncError
from syncengine.index import Index, Queued, QueueState
from syncengine.model import (
    FLAGGED,
    SEEN,
    LocalMessage,
    Problem,
    ReportedAction,
    Side,
    State,
    Token,
    Verb,
    id_of,
)
from syncengine.replica import Account, VoiceStore
from syncengine.rules.replies import Phase, Result

LEASE_SECONDS = 120.0
_SESSION = (Phase.CONNECT, Phase.HELO, Phase.TLS, Phase.AUTH)
"""Where a deferral is the server's or the network's, not the message's: the whole queue waits."""
_FIRST_WAIT, _LONGEST_WAIT = 60.0, 3600.0


class Post(Protocol):
    """How a mailbox's messages are written and sent."""

    def write(self, message: LocalMessage, store: VoiceStore, resend: int, *, sound: bool = True) -> bytes:
        """Write the mail of a message."""

    def send(
        self,
        message: LocalMessage,
        store: VoiceStore,
        queued: Queued,
        *,
        on_data: Callable[[], None],
        on_progress: Callable[[], None],
    ) -> Attempt:
        """One SMTP attempt, to the recipients that are not decided yet."""

    @property
    def synced_address(self) -> str:
        """The recipient whose account is kept in step; the others are copies."""


@dataclass(slots=True)
class Handover:
    """Works off one mailbox's queue."""

    index: Index
    account: int
    mailbox: str
    store: VoiceStore
    post: Post
    clock: Callable[[], float]
    expiry: float
    """Seconds a deferred message is tried again (``delivery_expiry``)."""
    remote: Account | None = None
    """The logged-in account, where one is: what is put back goes there by APPEND."""
    folder: str | None = None
    """Where APPEND puts messages."""
    by_append: bool = False
    done: list[ReportedAction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    undeliverable: list[tuple[Token, str]] = field(default_factory=list)

    def run(self, messages: Mapping[Token, LocalMessage]) -> None:
        """Hand over whatever is due, in order, until nothing is or the server is not reachable."""
        owner = f"{os.getpid()}.{threading.get_ident()}"
        while (
            queued := self.index.queue.claim(self.mailbox, owner, self.clock(), LEASE_SECONDS)
        ) is not None:
            message = messages.get(queued.token)
            if message is None or (message.state is State.DELETED):
                self.index.queue.cancel_deleted(self.mailbox, queued.token)
            elif self._ever_sighted(queued):
                self._settle(queued, QueueState.SENT)
            elif not self._one(queued, message, owner):
                return

    def _one(self, queued: Queued, message: LocalMessage, owner: str) -> bool:
        """Hand over one message; False when the rest of the queue has to wait."""
        try:
            if self.remote is not None and self.folder and (self.by_append or queued.resend > 1):
                return self._append(queued, message, self.remote, self.folder)
            return self._send(queued, message, owner)
        except SyncError as error:
            if self.index.queue.get(self.mailbox, queued.token) == queued:
                self._deferred(queued, str(error))
            raise

    def _ever_sighted(self, queued: Queued) -> bool:
        """A token that was ever sighted is not sent again, unless it is put back."""
        memory = self.index.pairs.memories(self.account).get(queued.token)
        return memory is not None and memory.sighted and memory.base is not State.DELETED

    # APPEND

    def _append(self, queued: Queued, message: LocalMessage, remote: Account, folder: str) -> bool:
        raw = self.post.write(message, self.store, queued.resend)
        flags = frozenset(
            flag for flag, on in ((SEEN, message.state is State.HEARD), (FLAGGED, message.urgent)) if on
        )
        before = self._base(queued.token)
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
            self.index.queue.settle(self.mailbox, queued.token, QueueState.IN_DOUBT)
        outcome = remote.append(folder, queued.token, raw, flags=flags, received=message.received)
        with self.index.database.write():
            if outcome.done:
                self._appended(queued, message, outcome.place is not None)
                if outcome.place is not None:
                    self.index.views.record_placed(
                        self.account, queued.token, outcome.place, seen=message.state is State.HEARD
                    )
                    self.index.pairs.note_sightings(self.account)
            else:
                self.index.pairs.taken_back(self.account, queued.token, before)
                self._deferred(queued, outcome.error or "the server did not confirm the APPEND")
            self.index.pairs.close_intents([intent], outcome.error or "done", self.clock())
        return outcome.done

    def _appended(self, queued: Queued, message: LocalMessage, placed: bool) -> None:
        self.index.queue.settle(self.mailbox, queued.token, QueueState.SENT, reply="APPEND accepted")
        if placed:
            self.index.pairs.settle(self.account, queued.token, message.state, self.clock())
        verb = Verb.RESTORE if queued.resend > 1 else Verb.APPEND
        self.done.append(ReportedAction(Side.REMOTE, verb, id_of(queued.token)))

    # SMTP

    def _send(self, queued: Queued, message: LocalMessage, owner: str) -> bool:
        before = self._base(queued.token)

        def on_data() -> None:
            with self.index.database.write():
                if not self.index.queue.renew(self.mailbox, queued.token, owner, self.clock(), LEASE_SECONDS):
                    raise SyncError(f"message {id_of(queued.token)}: another process took over its sending")
                self.index.pairs.handed_over(self.account, queued.token, State.NEW, self.clock())
                self.index.queue.doubt(self.mailbox, queued.token)

        def on_progress() -> None:
            self.index.queue.renew(self.mailbox, queued.token, owner, self.clock(), LEASE_SECONDS)

        attempt = self.post.send(message, self.store, queued, on_data=on_data, on_progress=on_progress)
        with self.index.database.write():
            return self._attempted(queued, attempt, before)

    def _attempted(self, queued: Queued, attempt: Attempt, before: State | None) -> bool:
        """Record an attempt: ``delivery`` follows the synced address, copies are reported beside it."""
        decided = dict(queued.recipients)
        for outcome in attempt.recipients:
            if outcome.result in (Result.SUCCESS, Result.FAILURE):
                decided[outcome.address] = f"{outcome.result}: {outcome.reply}"
        synced = decided.get(self.post.synced_address, "")
        open_results = {
            o.result for o in attempt.recipients if o.result not in (Result.SUCCESS, Result.FAILURE)
        }
        taken = synced.startswith(Result.SUCCESS) or Result.IN_DOUBT in open_results
        if not taken:
            self.index.pairs.taken_back(self.account, queued.token, before)
        self._copies(queued, attempt)
        if Result.IN_DOUBT in open_results:
            self._settle(queued, QueueState.IN_DOUBT, attempt.last_reply, decided)
            return False
        if Result.CONFIGURATION in open_results:
            self._settle(queued, QueueState.BLOCKED, attempt.last_reply, decided)
            self.index.queue.move(self.mailbox, [QueueState.DUE], QueueState.BLOCKED, self.clock())
            self.problems.append(
                Problem("smtp", f"{attempt.last_reply}; nothing is sent until the options change")
            )
            return False
        if Result.DEFERRAL in open_results:
            until = self._deferred(queued, attempt.last_reply, decided)
            if attempt.phase in _SESSION:
                self.index.queue.postpone(self.mailbox, until)
            return attempt.phase not in _SESSION
        if synced.startswith(Result.SUCCESS):
            self._settle(queued, QueueState.SENT, attempt.last_reply, decided)
            self.done.append(ReportedAction(Side.REMOTE, Verb.SEND, id_of(queued.token)))
        else:
            self._failed(queued, attempt.last_reply, decided)
        return True

    def _copies(self, queued: Queued, attempt: Attempt) -> None:
        for outcome in attempt.recipients:
            if outcome.address != self.post.synced_address and outcome.result is Result.FAILURE:
                self.problems.append(
                    Problem(f"message {id_of(queued.token)}", f"copy to {outcome.address}: {outcome.reply}")
                )

    # What became of it

    def _deferred(self, queued: Queued, reply: str, decided: Mapping[str, str] | None = None) -> float:
        now = self.clock()
        until = now + wait(queued.attempts)
        if now - queued.enqueued_at > self.expiry:
            self._failed(queued, f"given up after {self.expiry / 3600:.0f} h: {reply}", decided)
            return until
        self.index.queue.settle(
            self.mailbox, queued.token, QueueState.DUE, next_try=until, reply=reply, recipients=decided
        )
        self.problems.append(Problem(f"message {id_of(queued.token)}", f"not sent yet: {reply}"))
        return until

    def _failed(self, queued: Queued, reply: str, decided: Mapping[str, str] | None = None) -> None:
        self._settle(queued, QueueState.UNDELIVERABLE, reply, decided)
        self.undeliverable.append((queued.token, reply))

    def _settle(
        self,
        queued: Queued,
        state: QueueState,
        reply: str | None = None,
        decided: Mapping[str, str] | None = None,
    ) -> None:
        self.index.queue.settle(self.mailbox, queued.token, state, reply=reply, recipients=decided)

    def _base(self, token: Token) -> State | None:
        memory = self.index.pairs.memories(self.account).get(token)
        return memory.base if memory else None


def wait(attempts: int) -> float:
    """Seconds until the next try after so many: exponential with jitter, 1 min to 1 h."""
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = max(1, attempts)
    return float(wait_random_exponential(multiplier=_FIRST_WAIT, min=_FIRST_WAIT, max=_LONGEST_WAIT)(state))
