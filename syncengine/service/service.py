"""The service's own loop: what is due is handed to the pools, what has happened is told to the scheduler.

One thread decides, others do. It waits for no server, no disk and no lock, so that nothing keeps it
from noticing the next change.
"""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from syncengine.engine.binding import Binding
from syncengine.engine.engine import Engine
from syncengine.engine.turns import Turn
from syncengine.errors import SyncError
from syncengine.imap.replica import ImapAccount
from syncengine.index import Index
from syncengine.options.schema import Mailbox, System
from syncengine.service.alone import alone
from syncengine.service.doors import Doors
from syncengine.service.ears import Ears
from syncengine.service.jobs import Done, Jobs
from syncengine.service.lender import Heard, Lender, Limits, Tracing, no_trace
from syncengine.service.options import OptionsWatch
from syncengine.service.pool import Pool
from syncengine.service.scheduler import Pace, Scheduler
from syncengine.service.spool import spool_watcher

_log = logging.getLogger(__name__)

_TICK = 0.1
"""Seconds between two looks for changes that other processes made; one costs microseconds."""
_BOOKS = 1.0
"""Seconds between two writes of the planned times."""
_CLOCK = 10.0
GRACE = 10.0
"""Seconds that a stop leaves to what is in flight."""


@dataclass(frozen=True, slots=True)
class Threads:
    """How many passes run at a time: at their pace, with those that wait for a silent server, and apart
    from both those of mailboxes and servers that failed or never answered yet.
    """

    at_pace: int = 16
    most: int = 64
    doubtful: int = 64


@dataclass(frozen=True, slots=True)
class Figures:
    """How the service stands."""

    mailboxes: int = 0
    planned: int = 0
    stopped: int = 0
    """Not tried any more until their options change: their logins were refused."""
    busy: int = 0
    connections: int = 0
    watching: int = 0
    first_round: int = 0
    """Mailboxes that have not been passed over since the start."""
    silence: float = 0.0
    """Seconds since the loop went round last."""
    options_error: str | None = None
    """Why the options that lie in the files now are not in force."""


@dataclass(slots=True)
class _Known:
    mailbox: Mailbox
    fresh: bool = True


class Service:
    """Keeps every mailbox of an engine in step until it is stopped."""

    def __init__(
        self,
        engine: Engine,
        *,
        limits: Limits | None = None,
        threads: Threads | None = None,
        told: Callable[[Done], None] = lambda _: None,
        trace: Tracing = no_trace,
    ) -> None:
        threads = threads or Threads()
        chance = random.SystemRandom().random
        close = engine.index.database.close_thread
        self._engine = engine
        self._inbox: deque[Callable[[], None]] = deque()
        self._woken = threading.Event()
        self._stopping = False
        self._known: dict[str, _Known] = {}
        self._first_round: set[str] = set()
        self._system = _bearing(engine.settings.system)
        self._planned: dict[str, float | None] = {}
        self._looked: dict[str, float] = {}
        """When mailboxes were looked at that need no pass; written with what is planned."""
        self._version = -1
        self._marks: Mapping[str, float] = {}
        """Local changes that were noticed and are not passed over yet."""
        self._notice_after = 0.0
        self._alone = -1
        self._ticked = time.monotonic()
        self._figures = Figures()
        self._scheduler = Scheduler(chance)
        self._ears = Ears(partial(self._post_job, self._listen_job), partial(self._post_job, self._renew_job))
        self._lender = Lender(self._ears, limits or Limits(), chance, trace)
        self._doors = Doors(chance)
        self._jobs = Jobs(engine, self._lender, told)
        self._pools = {
            False: Pool("pass", size=threads.at_pace, most=threads.most, on_exit=close),
            True: Pool("doubtful", size=threads.at_pace, most=threads.doubtful, on_exit=close),
        }
        self._options = OptionsWatch(engine)
        self._spool = spool_watcher(engine)
        self._thread = threading.Thread(target=self._run, name="syncengine-service", daemon=True)

    def start(self) -> None:
        """Begin; returns at once. Raises ``Busy`` where a service runs over this state directory."""
        self._alone = alone(self._engine.state_dir)
        self._engine.lend(self._connect, self._turn)
        self._ears.start()
        self._post(self._take_in)
        self._thread.start()
        self._options.start()
        if self._spool is not None:
            self._spool.start()

    def stop(self, grace: float = GRACE) -> None:
        """Finish what is in flight, at most ``grace`` seconds, and leave no thread and no connection."""
        until = time.monotonic() + grace
        self._options.stop()
        if self._spool is not None:
            self._spool.stop()
        self._stopping = True
        self._woken.set()
        self._thread.join()
        self._ears.stop()
        self._lender.interrupt(ungreeted=True)
        ended = [pool.close(until) for pool in self._pools.values()]
        if not all(ended):
            _log.warning("not everything in flight could be finished in %.0f s; it is taken up again", grace)
            self._lender.interrupt()
            for pool in self._pools.values():
                pool.close(time.monotonic() + 1.0)
        self._engine.lend()
        self._lender.close(max(until, time.monotonic() + 1.0))
        os.close(self._alone)

    def options_changed(self) -> None:
        """Look at the engine's options anew: mailboxes come, go, and change."""
        self._post(self._take_in)

    def reload(self) -> None:
        """Read the options' files now, and try again what was stopped for refused logins."""
        self._options.reload()
        self._post(self._forgive)

    def figures(self) -> Figures:
        """How the service stands now."""
        asked: Future[Figures] = Future()
        self._post(lambda: asked.set_result(self._count()))
        with suppress(TimeoutError):
            self._figures = asked.result(2.0)
        return replace(self._figures, silence=time.monotonic() - self._ticked)

    def _count(self) -> Figures:
        numbers = self._scheduler.mailboxes
        return Figures(
            mailboxes=len(numbers),
            planned=self._scheduler.waiting,
            stopped=sum(1 for number in numbers if self._scheduler.stopped(number)),
            busy=sum(pool.busy for pool in self._pools.values()),
            connections=self._lender.open,
            watching=self._lender.watching,
            first_round=len(self._first_round),
            options_error=self._options.error,
        )

    # The loop

    def _run(self) -> None:
        books = clock = time.monotonic()
        try:
            while not self._stopping:
                self._ticked = now = time.monotonic()
                while self._inbox:
                    self._inbox.popleft()()
                self._notice(now)
                self._dispatch(now)
                if now - books >= _BOOKS and self._planned:
                    books = now
                    planned, self._planned = self._planned, {}
                    looked, self._looked = self._looked, {}
                    self._pools[False].submit(partial(self._write, planned, looked))
                if now - clock >= _CLOCK:
                    clock = now
                    self._pools[False].submit(self._engine.mind_the_clock)
                    self._pools[False].submit(self._engine.sweep)
                self._woken.wait(self._patience(now))
                self._woken.clear()
        except Exception:
            _log.exception("a fault of syncengine: the service's loop has ended")
            raise
        finally:
            self._engine.index.database.close_thread()

    def _patience(self, now: float) -> float:
        """Until the next pass is due, or the next look for changes of other processes."""
        times = [
            when
            for doubtful, pool in self._pools.items()
            if pool.room and (when := self._scheduler.next_time(doubtful=doubtful)) is not None
        ]
        return max(0.0, min(_TICK, *(when - now for when in times)) if times else _TICK)

    def _notice(self, now: float) -> None:
        """Take up what was changed at the phone, by whichever process."""
        index, started = self._engine.index, time.monotonic()
        if started < self._notice_after:
            return
        try:
            version = index.database.data_version
            if version == self._version:
                return
            marks = index.passes.dirty()
        except sqlite3.Error as error:
            _log.warning("the index cannot be read: %s", error)
            return
        for number, since in marks.items():
            if self._marks.get(number) != since:
                self._scheduler.changed(number, now)
        self._version, self._marks = version, marks
        # Thousands of marks take a while to read: a tenth of the time goes into that at most.
        ended = time.monotonic()
        self._notice_after = ended + 9 * (ended - started)

    def _dispatch(self, now: float) -> None:
        for doubtful, pool in self._pools.items():
            while pool.room and (number := self._scheduler.take(now, doubtful=doubtful)) is not None:
                known = self._known.get(number)
                fresh = known is not None and known.fresh
                if known is not None:
                    known.fresh = False
                pool.submit(partial(self._pass_job, number, fresh=fresh))

    # Jobs, in the pools' threads

    @contextmanager
    def _connect(self, binding: Binding, index: Index) -> Iterator[ImapAccount]:
        """A mailbox's connection, also for passes that somebody else makes in this process."""
        try:
            with self._lender.connect(binding, index) as account:
                yield account
        finally:
            if not self._scheduler.runs(binding.number):
                self._post_job(self._watch_job, binding.number)

    @contextmanager
    def _turn(self, binding: Binding) -> Iterator[Turn]:
        """A mailbox's turn at its way out; the passes of others over its account do not wait for that."""
        if binding.mailbox.synchronises:
            self._post(partial(self._scheduler.aside, binding.number))
        smtp = binding.mailbox.smtp
        with self._doors.turn(f"{smtp.server}:{smtp.port}".lower()) as turn:
            yield turn

    def _watch_job(self, number: str) -> None:
        """Let a connection watch again that a pass of the host's own has used."""
        try:
            news = self._lender.watch(self._engine.binding(number), self._engine.outlook(number))
        except SyncError:
            self._lender.drop(number)
            return
        if news is not None:
            self._post(lambda: self._scheduler.changed(number, time.monotonic() + news))

    def _pass_job(self, number: str, *, fresh: bool) -> None:
        done = self._jobs.pass_over(number, fresh=fresh)
        self._post(partial(self._passed, done))

    def _listen_job(self, number: str) -> None:
        heard = self._lender.listen(number)
        self._post(partial(self._heard, number, heard))

    def _renew_job(self, number: str) -> None:
        heard = self._lender.renew(number)
        self._post(partial(self._heard, number, heard))

    def _write(self, planned: dict[str, float | None], looked: dict[str, float]) -> None:
        with self._engine.index.database.write():
            self._engine.index.passes.plan(planned)
            self._engine.index.passes.looked(looked)

    # What happened, in the loop's thread

    def _post(self, what: Callable[[], None]) -> None:
        self._inbox.append(what)
        self._woken.set()

    def _post_job(self, job: Callable[[str], None], number: str) -> None:
        self._pools[False].submit(partial(job, number))

    def _passed(self, done: Done) -> None:
        now = time.monotonic()
        self._first_round.discard(done.mailbox)
        self._scheduler.finished(done.mailbox, done.ended, now)
        if done.unchanged:
            self._looked[done.mailbox] = time.time()
        if done.news is not None:
            self._scheduler.changed(done.mailbox, now + done.news)
        if self._scheduler.stopped(done.mailbox):
            _log.error(
                "mailbox %s: its login was refused three times; it is tried again when its options change",
                done.mailbox,
            )
        self._plan(done.mailbox, now)
        self._let_go(done.mailbox)

    def _heard(self, number: str, heard: Heard) -> None:
        now = time.monotonic()
        match heard:
            case Heard.TOLD:
                self._scheduler.changed(number, now)
            case Heard.LOST:
                self._scheduler.dropped(number, now)
                self._plan(number, now)
            case Heard.NOTHING:
                pass
        self._let_go(number)

    def _let_go(self, number: str) -> None:
        """The connection of a mailbox that left while it was in use was given back, and goes now."""
        if number not in self._known:
            self._drop([number])

    def _plan(self, number: str, now: float) -> None:
        due = self._scheduler.due(number)
        self._planned[number] = None if due is None else time.time() + due - now

    def _take_in(self) -> None:
        """Bring the scheduler to the options in force; what did not change is not touched."""
        now = time.monotonic()
        settings = self._engine.settings
        wanted = {n: m for n, m in settings.mailboxes.items() if self._engine.off(n) is None}
        for number in self._known.keys() - wanted.keys():
            del self._known[number]
            self._scheduler.remove(number)
            self._first_round.discard(number)
            self._planned[number] = None
            self._drop([number])
        changed, self._system = self._system, _bearing(settings.system)
        for number, mailbox in wanted.items():
            known = self._known.get(number)
            if changed != self._system:
                self._scheduler.changed(number, now)
            if known is None or known.mailbox != mailbox:
                self._known[number] = _Known(mailbox)
                self._first_round.add(number)
                self._scheduler.add(number, _server(mailbox), _pace(mailbox), now)
                if known is not None:
                    self._drop([number])

    def _drop(self, numbers: Iterable[str]) -> None:
        for number in numbers:
            self._pools[False].submit(partial(self._jobs.forget, number))

    def _forgive(self) -> None:
        now = time.monotonic()
        for number, known in self._known.items():
            if self._scheduler.stopped(number):
                self._scheduler.add(number, _server(known.mailbox), _pace(known.mailbox), now)


def _server(mailbox: Mailbox) -> str:
    """The server whose trouble is the mailbox's: where it is looked up, else where it is sent to."""
    section = mailbox.imap4 if mailbox.synchronises else mailbox.smtp
    return f"{section.server}:{section.port}".lower()


def _bearing(system: System) -> System:
    """The options of the system without those that make no difference to a pass."""
    return replace(
        system, seats=0, trace_level_override=False, max_trace_file_size=0, repeat_startup_period=0.0
    )


def _pace(mailbox: Mailbox) -> Pace:
    return Pace(mailbox.sync.poll_interval, mailbox.sync.idle_poll_interval)
