"""What became of a mailbox's hand-overs, written into the queue and kept for the report.

A row is settled in the same transaction as what follows from it; the reply that decided it stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from syncengine.index import Index, Queued, QueueState
from syncengine.model import Problem, ReportedAction, Side, Token, Verb, id_of

_log = logging.getLogger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 60.0, 3600.0
_FEWEST_TRIES = 3
"""Nothing is given up after fewer, whatever the clocks say."""
DOUBT_SECONDS = 3600.0
"""How long what is in doubt is not repeated where nothing can be looked up."""


@dataclass(slots=True)
class Ledger:
    """The book of one run over one mailbox's queue."""

    index: Index
    mailbox: str
    clock: Callable[[], float]
    expiry: float
    """Seconds a deferred message is tried again (``delivery_expiry``)."""
    done: list[ReportedAction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    failed: list[tuple[Token, str]] = field(default_factory=list)
    """Messages that listeners are told about, with the reason."""

    def settle(
        self,
        queued: Queued,
        state: QueueState,
        reply: str | None = None,
        *,
        recipients: Mapping[str, str] | None = None,
        next_try: float = 0.0,
        copies_due: float | None = None,
    ) -> None:
        """Record the state a message is in now."""
        self.index.queue.settle(
            self.mailbox,
            queued.token,
            state,
            next_try=next_try,
            reply=reply,
            recipients=recipients,
            copies_due=copies_due,
        )

    def defer(
        self, queued: Queued, reply: str, *, recipients: Mapping[str, str] | None = None, copies: bool = False
    ) -> float:
        """Try again later, or give up after ``delivery_expiry``; when the next try is due.

        What was tried before its time, because a new message came, still waits until then.
        """
        now = self.clock()
        until = queued.next_try if queued.next_try > now else now + wait(queued.attempts)
        if self.expired(queued, queued.attempts):
            self.fail(
                queued,
                f"given up after {_period(self.expiry)}: {reply}",
                recipients=recipients,
                copies=copies,
            )
        else:
            self.settle(queued, QueueState.DUE, reply, recipients=recipients, next_try=until)
            self.complain(queued, f"not sent yet: {reply}")
        return until

    def fail(
        self, queued: Queued, reply: str, *, recipients: Mapping[str, str] | None = None, copies: bool = False
    ) -> None:
        """It cannot be delivered: the voice message stays new; ``copies`` of it may still be due."""
        due = self.clock() + wait(1) if copies else None
        self.settle(queued, QueueState.UNDELIVERABLE, reply, recipients=recipients, copies_due=due)
        self.failed.append((queued.token, reply))
        _log.warning("mailbox %s: message %s: undeliverable: %s", self.mailbox, id_of(queued.token), reply)

    def handed_over(self, queued: Queued, verb: Verb) -> None:
        """Note for the report what was handed over."""
        self.done.append(ReportedAction(Side.REMOTE, verb, id_of(queued.token)))

    def complain(self, queued: Queued, what: str) -> None:
        """Note for the report what went wrong with a message."""
        self.problems.append(Problem(f"message {id_of(queued.token)}", what))

    def expired(self, queued: Queued, tries: int) -> bool:
        """Whether a message, or a copy of it, has been tried for long enough, and often enough."""
        return tries >= _FEWEST_TRIES and self.clock() - queued.enqueued_at > self.expiry


def wait(attempts: int) -> float:
    """Seconds until the next try after so many: exponential with jitter, 1 min to 1 h."""
    from tenacity import RetryCallState  # noqa: PLC0415 - slow, and only for what could not be sent
    from tenacity.wait import wait_random_exponential  # noqa: PLC0415

    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = max(1, attempts)
    return float(wait_random_exponential(multiplier=_FIRST_WAIT, min=_FIRST_WAIT, max=_LONGEST_WAIT)(state))


def _period(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 3600 else f"{seconds:.0f} s"
