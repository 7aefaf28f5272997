"""What the pool's threads do for one mailbox: a pass, and what follows from how it ended.

Nothing that a mailbox does to a pass gets out of here as an exception.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from syncengine.engine.binding import Binding
from syncengine.engine.engine import Engine
from syncengine.engine.outlook import Outlook
from syncengine.engine.quiet import Quiet
from syncengine.errors import AuthenticationFailed, Busy, ConnectionLost, SyncError, Throttled, UsageError
from syncengine.index import QueueState
from syncengine.model import Report
from syncengine.service.lender import Lender
from syncengine.service.scheduler import Ended, Failure, Interest

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One pass of the service, for whoever counts them."""

    mailbox: str
    failure: Failure | None = None
    report: Report | None = None
    """None where it did not come to a pass."""
    outlook: Outlook | None = None
    unchanged: bool = False
    """Both sides showed the same as after the pass before, which had found nothing to do."""
    news: float | None = None
    """The account shows more already than the pass has read: seconds until it is worth another one."""
    retry_after: float = 0.0

    @property
    def ended(self) -> Ended:
        """The same for the scheduler, which keeps to the monotonic clock."""
        outlook = self.outlook or Outlook()
        interest = Interest.LIVELY if outlook.lively else Interest.QUIET if outlook.live else Interest.NONE
        wake = None if outlook.wake is None else time.monotonic() + outlook.wake - time.time()
        return Ended(self.failure, self.retry_after, interest, wake)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Passes over mailboxes of an engine, on lent connections."""

    engine: Engine
    lender: Lender
    told: Callable[[Done], None]
    """Called after every pass, in the thread that made it."""
    quiet: dict[str, Quiet] = field(default_factory=dict)
    """How mailboxes stood that had nothing to do."""

    def pass_over(self, number: str, *, fresh: bool) -> Done:
        """One pass; ``fresh``: the first since the start or since its options changed."""
        done = self._guarded(number, fresh=fresh)
        self.told(done)
        return done

    def forget(self, number: str) -> None:
        """Keep nothing of a mailbox that is not kept in step any more, or under other options."""
        self.quiet.pop(number, None)
        self.lender.drop(number)

    def _guarded(self, number: str, *, fresh: bool) -> Done:
        try:
            binding = self.engine.binding(number)
            if self.engine.off(number) is not None:
                self.forget(number)
                return Done(mailbox=number, outlook=Outlook())
            if (same := self._unchanged(binding)) is not None:
                return same
            if fresh and (nothing := self._nothing_to_do(number)) is not None:
                return nothing
            return self._pass(number)
        except Busy:
            return Done(mailbox=number, failure=Failure.BUSY)
        except UsageError:
            self.forget(number)  # removed meanwhile
            return Done(mailbox=number)
        except (SyncError, sqlite3.Error, OSError) as error:
            _log.warning("mailbox %s: %s", number, error)
        except Exception:  # noqa: BLE001 - one mailbox must not end the service for all
            _log.exception("mailbox %s: a fault of syncengine", number)
        return Done(mailbox=number, failure=Failure.LOCAL)

    def _nothing_to_do(self, number: str) -> Done | None:
        """A mailbox that was passed over before and has nothing to watch is not even logged in to."""
        index = self.engine.index
        blocked = any(row.state is QueueState.BLOCKED for row in index.queue.rows(number))
        if blocked:
            # What waits for changed options is tried once whenever they may have changed.
            index.queue.move(number, [QueueState.BLOCKED], QueueState.DUE, time.time())
        record = index.passes.get(number)
        if blocked or record.last_ok is None or record.last_error or record.dirty_since is not None:
            return None
        outlook = self.engine.outlook(number)
        return None if outlook.live or outlook.wake is not None else Done(mailbox=number, outlook=outlook)

    def _unchanged(self, binding: Binding) -> Done | None:
        """Whether a glance at both sides shows that a pass would find nothing to do."""
        quiet = self.quiet.get(binding.number)
        if quiet is None or not quiet.stands(binding, self.engine.index, binding.clock()):
            return None
        started = time.monotonic()
        glance = self.lender.glance(binding)
        if glance is None or glance[0] != quiet.shown.account:
            return None
        seconds = time.monotonic() - started
        report = Report(binding.number, ok=True, traffic=glance[1], seconds=seconds)
        return Done(mailbox=binding.number, report=report, outlook=quiet.outlook, unchanged=True)

    def _pass(self, number: str) -> Done:
        self.quiet.pop(number, None)
        passed = self.engine.attempt(number)
        failure, retry_after = classified(passed.error)
        if failure is not None:
            return Done(mailbox=number, failure=failure, report=passed.report, retry_after=retry_after)
        outlook = self.engine.outlook(number)
        binding = self.engine.binding(number)
        news = self.lender.watch(binding, outlook)
        if (quiet := Quiet.after(passed, outlook, binding, binding.clock())) is not None:
            self.quiet[number] = quiet
        return Done(mailbox=number, report=passed.report, outlook=outlook, news=news)


def classified(error: SyncError | None) -> tuple[Failure | None, float]:
    """What kind of failure an error is, and how many seconds the server asked to stay away."""
    match error:
        case None:
            return None, 0.0
        case AuthenticationFailed():
            return Failure.AUTHENTICATION, 0.0
        case Throttled():
            return Failure.THROTTLED, error.retry_after
        case ConnectionLost():
            return Failure.CONNECTION, 0.0
        case _:
            return Failure.LOCAL, 0.0
