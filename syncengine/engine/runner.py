"""Running one pass as its user asks for it: the lock, the account, the report, errors on their rung."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from syncengine.engine.binding import Binding
from syncengine.engine.emails import EmailPass, planned_emails
from syncengine.engine.events import Event
from syncengine.engine.lock import mailbox_lock
from syncengine.engine.mailboxpass import MailboxPass
from syncengine.engine.result import Result, Shown
from syncengine.engine.sendonly import SendOnly
from syncengine.engine.turns import Turns, at_once
from syncengine.errors import Busy, EngineError, SyncError
from syncengine.imap.replica import ImapAccount
from syncengine.index import Index
from syncengine.model import Problem, Report, ReportedAction, Side, Traffic, Verb

_log = logging.getLogger(__name__)

_MOST_RUNS = 5
"""How often a holder runs again for those who left a dirty mark, before it lets others in."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a pass."""

    full: bool = False
    """Read every folder from the start."""
    dry_run: bool = False
    accept_deletes: bool = False


Work = Callable[[Binding, Wish, Result], Traffic]
"""Does a pass, collecting in the result what it has done so far, whatever ends it."""

Connect = Callable[[Binding, Index], AbstractContextManager[ImapAccount]]
"""Gives a pass the mailbox's account and takes it back."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A pass that has ended; ``error`` is why it could not go on, None where it came to its end."""

    report: Report
    error: SyncError | None = None
    shown: Shown | None = None
    """What both sides showed at the beginning, where the account was asked for nothing else."""


@dataclass(slots=True)
class Runner:
    """Runs passes over mailboxes of one index."""

    index: Index
    state_dir: Path
    emit: Callable[[Event], None]
    connect: Connect = Binding.connect
    turns: Turns = at_once

    def run(self, binding: Binding, wish: Wish) -> Report:
        """Pass over one mailbox; failures of the mailbox are in the report, never raised.

        Raises ``Busy`` where another process holds the mailbox; the dirty mark is left for it.
        """
        return self.attempt(binding, wish).report

    def attempt(self, binding: Binding, wish: Wish) -> Passed:
        """The same, and the error itself, for whoever decides when to try again."""
        if wish.dry_run:
            return self._reported(binding, wish, self._preview)
        try:
            try:
                return self._until_clean(binding, wish)
            except Busy:
                self.index.passes.mark_dirty(binding.number, binding.clock())
            # The holder looks for marks once more after it has let go: it sees this one, or is gone now.
            return self._until_clean(binding, wish)
        except (sqlite3.Error, OSError) as error:
            failure = self._failure(error)
            return self._passed(binding, wish, _broken(str(self.state_dir), failure), failure=failure)

    def _until_clean(self, binding: Binding, wish: Wish) -> Passed:
        passed: Passed | None = None
        for _ in range(_MOST_RUNS):
            try:
                with mailbox_lock(self.state_dir, binding.number):
                    self.index.passes.take_dirty(binding.number)
                    passed = self._reported(binding, wish, self._pass)
                    self._record(passed.report, binding.clock())
            except Busy:
                if passed is None:
                    raise
                break  # whoever holds it now has taken the mark
            if not passed.report.ok or self.index.passes.get(binding.number).dirty_since is None:
                break
        assert passed is not None  # the first round ends in a pass or raises
        return passed

    def _record(self, report: Report, now: float) -> None:
        """Note how a pass ended, and add it to its hour."""
        changes = sum(a.count for a in report.actions if a.verb is not Verb.INDEX)
        with self.index.database.write():
            self.index.passes.record(report.mailbox, now, _first(report))
            self.index.hours.add(report.mailbox, now, changes, failed=not report.ok)

    def _reported(self, binding: Binding, wish: Wish, work: Work) -> Passed:
        started = time.monotonic()
        failure: SyncError | None = None
        traffic = Traffic()
        result = Result()
        try:
            traffic = work(binding, wish, result)
        except SyncError as error:
            failure = error
            result.problems.append(Problem(f"mailbox {binding.number}", str(error)))
        except (sqlite3.Error, OSError) as error:
            failure = self._failure(error)
            result.problems.append(Problem(str(self.state_dir), str(failure)))
        seconds = time.monotonic() - started
        return self._passed(binding, wish, result, failure=failure, traffic=traffic, seconds=seconds)

    def _failure(self, error: sqlite3.Error | OSError) -> EngineError:
        """What this machine refused, in one line; a damaged index is examined when it is next opened."""
        if isinstance(error, OSError):
            where = f"{error.filename}: " if error.filename else ""
            return EngineError(f"{where}{error.strerror or error}; nothing more is done in this pass")
        return self.index.database.failure(error)

    def _passed(
        self,
        binding: Binding,
        wish: Wish,
        result: Result,
        *,
        failure: SyncError | None = None,
        traffic: Traffic = Traffic(),  # noqa: B008 - frozen
        seconds: float = 0.0,
    ) -> Passed:
        for problem in result.problems:
            where = problem.where.removeprefix(f"mailbox {binding.number}")
            _log.warning("mailbox %s: %s%s", binding.number, f"{where}: " if where else "", problem.what)
        report = Report(
            mailbox=binding.number,
            ok=all(problem.settled for problem in result.problems),
            held=result.held > 0,
            dry_run=wish.dry_run,
            actions=tuple(result.actions),
            errors=tuple(result.problems),
            traffic=traffic,
            seconds=seconds,
        )
        return Passed(report, failure, result.shown)

    def _pass(self, binding: Binding, wish: Wish, result: Result) -> Traffic:
        if not binding.mailbox.synchronises:
            SendOnly(binding, self.index, self.emit, result, self.turns).run()
            if binding.reads_pop3:
                self._list_pop3(binding, result)
            return Traffic()
        account = binding.account(self.index)
        try:
            with self.connect(binding, self.index) as remote:
                before = remote.traffic
                one = MailboxPass(
                    binding, self.index, remote, account, emit=self.emit, result=result, turns=self.turns
                )
                one.run(full=wish.full, accept_deletes=wish.accept_deletes)
                if binding.reads_aloud:
                    mails = EmailPass(binding, self.index, account.id, remote, one, result, self.emit)
                    mails.run(whole=wish.full)
                result.shown = one.shown
        except SyncError:
            self.index.passes.account_outcome(account.id, binding.clock(), ok=False)
            raise
        return remote.traffic.since(before)

    def _list_pop3(self, binding: Binding, result: Result) -> None:
        """List the e-mails of a POP3 account; that it cannot be reached must not keep messages from going."""
        from syncengine.engine.bodies import refresh_pop3  # noqa: PLC0415 - only where e-mails are read aloud

        try:
            listed = refresh_pop3(binding, self.index)
        except SyncError as error:
            result.problems.append(Problem(f"mailbox {binding.number}", str(error)))
            return
        if listed:
            result.actions.append(ReportedAction(Side.LOCAL, Verb.INDEX, None, listed))

    def _preview(self, binding: Binding, wish: Wish, result: Result) -> Traffic:
        """What a pass would do, over a copy of the index in memory."""
        copy = Index(self.index.database.copy())
        try:
            if not binding.mailbox.synchronises:
                SendOnly(binding, copy, self.emit, result).preview()
                return Traffic()
            with binding.connect(copy) as remote:
                account = binding.account(copy)
                MailboxPass(binding, copy, remote, account, emit=lambda _: None, result=result).preview(
                    full=wish.full, accept_deletes=wish.accept_deletes
                )
                if binding.reads_aloud:
                    result.actions.extend(planned_emails(copy.emails.touched(account.id)))
            return remote.traffic
        finally:
            copy.close()


def _broken(where: str, failure: SyncError) -> Result:
    return Result(problems=[Problem(where, str(failure))])


def _first(report: Report) -> str | None:
    return f"{report.errors[0].where}: {report.errors[0].what}" if report.errors else None
