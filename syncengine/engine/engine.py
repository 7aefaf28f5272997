"""The public Engine: options, index and store opened once, mailboxes by number, passes on demand.

Thread-safe. No signal handlers, no logging configuration, no global state; nothing runs by itself
until it is started.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from syncengine.engine.binding import Binding
from syncengine.engine.clock import Clock
from syncengine.engine.events import Event, LampChanged
from syncengine.engine.handle import Mailbox
from syncengine.engine.lock import mailbox_lock
from syncengine.engine.outlook import Outlook, outlook
from syncengine.engine.proof import proven_listing
from syncengine.engine.seats import Seats
from syncengine.engine.status import MailboxStatus, Picture
from syncengine.engine.stores import open_store
from syncengine.engine.turns import Turns, at_once
from syncengine.errors import Busy, EngineError, OptionsError, StoreUnproven, SyncError, UsageError
from syncengine.index import Index
from syncengine.index.database import FILE as INDEX_FILE
from syncengine.model import Report, State
from syncengine.options.files import CONFIG_NAME, load
from syncengine.options.install import InstallationKey, installation_key, key_file
from syncengine.options.schema import Mailbox as MailboxOptions
from syncengine.options.schema import Settings
from syncengine.replica import VoiceStore
from syncengine.voicemail.lamp import Counts, run_lamp_command

if TYPE_CHECKING:
    from syncengine.engine.runner import Connect, Passed, Runner

_log = logging.getLogger(__name__)

_SWEPT = "swept"
_SWEEP_SECONDS = 24 * 3600.0

Listener = Callable[[Event], None]


class Loops(Protocol):
    """What keeps mailboxes in step by itself."""

    def start(self) -> None:
        """Begin; returns at once."""

    def stop(self) -> None:
        """End, with what is in flight finished."""

    def options_changed(self) -> None:
        """Look at the engine's options anew."""


class Engine:
    """Keeps the mailboxes of one installation in step with their accounts."""

    def __init__(
        self,
        settings: Settings,
        key: InstallationKey,
        *,
        store: VoiceStore | None = None,
        clock: Clock | None = None,
        mask: frozenset[str] = frozenset(),
    ) -> None:
        self._settings = settings
        self._key = key
        self._clock = clock or Clock()
        self._mask = mask
        self._listeners: list[Listener] = []
        self._guard = threading.Lock()
        self.state_dir = settings.system.state_dir
        self.index = Index.open(self.state_dir)
        self._seats = Seats(self.index)
        self._without_seat = self._seats.assigned(settings)
        self.store: VoiceStore = store or open_store(
            settings.system, key, self.index, self._clock, self._mailbox_options
        )
        self.store.prepare()
        self._connect: Connect = Binding.connect
        self._turns: Turns = at_once
        self._loops: Loops | None = None

    @classmethod
    def open(cls, source: Path | str | Settings, *, store: VoiceStore | None = None) -> Engine:
        """Open an engine by its configuration file or by options already read.

        ``store`` takes the place of the one that the options name: the voice-mail server's own.
        Raises ``OptionsError`` for options that do not hold, ``EngineError`` for an index that cannot
        be used. Close it, or use it in a ``with`` statement.
        """
        settings = source if isinstance(source, Settings) else load(Path(source))
        beside = settings.path or settings.system.state_dir / CONFIG_NAME
        if not key_file(beside).exists() and (settings.system.state_dir / INDEX_FILE).exists():
            _log.warning(
                "%s: it was gone, and a new key is made; messages sent before are not recognised by it if the"
                " index is lost: put the old file back from a backup",
                key_file(beside),
            )
        return cls(settings, installation_key(beside), store=store)

    @property
    def settings(self) -> Settings:
        """The options in force."""
        return self._settings

    def numbers(self) -> tuple[str, ...]:
        """The mailboxes' numbers, in the order of the options."""
        return tuple(self._settings.mailboxes)

    def mailbox(self, number: str) -> Mailbox:
        """A mailbox by its number; raises ``UsageError`` if there is none."""
        return Mailbox(self, self.binding(number))

    def binding(self, number: str) -> Binding:
        """What belongs to one mailbox; raises ``UsageError`` if there is none."""
        mailbox = self._settings.mailboxes.get(number)
        if mailbox is None:
            raise UsageError(f"mailbox {number}: there is none; syncengine mailbox list shows them all")
        return Binding(self._settings, mailbox, self._key, self.store, self._clock, self._mask)

    @property
    def _runner(self) -> Runner:
        from syncengine.engine.runner import Runner  # noqa: PLC0415 - most calls pass over nothing

        return Runner(self.index, self.state_dir, self._emit, self._connect, self._turns)

    def _mailbox_options(self, number: str) -> MailboxOptions | None:
        """The options of a mailbox that are in force now."""
        return self._settings.mailboxes.get(number)

    def resync(
        self,
        number: str,
        *,
        full: bool = False,
        dry_run: bool = False,
        accept_deletes: bool = False,
    ) -> Report:
        """Pass over one mailbox now. Failures are in the report; raises ``Busy`` if it is held elsewhere."""
        binding = self.binding(number)
        if (reason := self.off(number)) is not None:
            _log.info("mailbox %s: off: %s", number, reason)
            return Report(number, ok=True, dry_run=dry_run)
        with self._said():
            self.mind_the_clock()
        from syncengine.engine.runner import Wish  # noqa: PLC0415 - most calls pass over nothing

        report = self._runner.run(binding, Wish(full, dry_run, accept_deletes))
        if not dry_run:
            self.lamp(number)
            self.sweep()
        return report

    def attempt(self, number: str) -> Passed:
        """Pass over one mailbox, and say why where that could not go on; for whoever tries it again."""
        from syncengine.engine.runner import Wish  # noqa: PLC0415 - most calls pass over nothing

        passed = self._runner.attempt(self.binding(number), Wish())
        self.lamp(number)
        return passed

    def changed(self, number: str) -> None:
        """Take notice that a mailbox's voice messages changed, by another hand than this engine's.

        The mark is durable: a started engine, in whichever process, passes over the mailbox at once, and
        any other at its next pass. Raises ``UsageError`` for an unknown mailbox, ``EngineError`` where the
        index cannot be written.
        """
        self.binding(number)
        with self.index.database.trouble():
            self.index.passes.mark_dirty(number, self._clock())

    def sweep(self) -> None:
        """Have the store remove what no message needs any more; once a day, whichever process does it."""
        with self._said():
            now, last = self._clock(), self.index.passes.meta(_SWEPT)
            if last is None or not 0 <= now - float(last) < _SWEEP_SECONDS:
                self.index.passes.set_meta(_SWEPT, str(now))
                count = self.store.sweep()
                _log.debug("the voice-mail store gave up %d files that no message needs", count)

    def outlook(self, number: str) -> Outlook:
        """What one mailbox leaves to watch."""
        return outlook(self.index, self.binding(number))

    # The service's loops

    def start(self) -> None:
        """Keep all mailboxes in step from now on, in threads of this process; returns at once.

        Options that lie in files are taken up when the files change. Raises ``Busy`` where another
        process runs over the same state directory.
        """
        # The loops live above the engine and use it: the one arrow that points up, by name.
        self.start_loops(import_module("syncengine.service.service").Service(self))

    def start_loops(self, loops: Loops) -> None:
        """The same with loops made to measure; raises ``Busy`` where others run over the state directory."""
        if self._loops is not None:
            raise Busy("the engine is started already")
        loops.start()
        self._loops = loops

    def stop(self) -> None:
        """End what :meth:`start` began: what is in flight is finished, within 10 s."""
        loops, self._loops = self._loops, None
        if loops is not None:
            loops.stop()

    def lend(self, connect: Connect = Binding.connect, turns: Turns = at_once) -> None:
        """Let passes have their accounts from ``connect``; without it each has a connection of its own.

        ``turns``: who may send now; without it everybody may.
        """
        self._connect, self._turns = connect, turns

    def adopt_settings(self, settings: Settings) -> None:
        """Put other options in force for everything that begins from now on.

        Raises ``OptionsError`` for another ``state_dir``: that takes a new engine.
        """
        if settings.system.state_dir != self.state_dir:
            raise OptionsError(
                f"system.state_dir: {settings.system.state_dir} instead of {self.state_dir} takes a restart"
            )
        self._without_seat = self._seats.assigned(settings)
        self._settings = settings
        if self._loops is not None:
            self._loops.options_changed()

    def off(self, number: str) -> str | None:
        """Why a mailbox is not kept in step, None if it is."""
        if not self._settings.system.email_integration:
            return "email_integration is false for the system"
        mailbox = self._settings.mailboxes.get(number)
        if mailbox is None:
            return "there is no such mailbox any more"
        if not mailbox.email_integration:
            return "email_integration is false"
        return self._without_seat.get(number)

    def status(self, number: str) -> MailboxStatus:
        """What is going on in a mailbox, without a connection."""
        return self.picture(number).status(self.off(number))

    def picture(self, number: str) -> Picture:
        """The stored view of one mailbox."""
        binding = self.binding(number)
        with self.index.database.trouble():
            return Picture.read(self.index, binding, binding.known_account(self.index))

    # Events and the lamp

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` for every event, in the thread where it happens; returns how to end that."""
        with self._guard:
            self._listeners.append(listener)

        def end() -> None:
            with self._guard:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def _emit(self, event: Event) -> None:
        with self._guard:
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - the host's own code; it must not end a pass
                _log.exception("a listener failed on %s", type(event).__name__)

    def lamp(self, number: str) -> None:
        """Switch the lamp if the counts changed, and say so; once per change, whichever process sees it.

        What cannot be done now is logged, and done when the lamp is next looked at.
        """
        with self._said():
            counts = self._switched(number)
            if counts is not None:
                self._emit(LampChanged(number, counts.new, counts.heard, counts.urgent))

    def _switched(self, number: str) -> Counts | None:
        """Recorded after it was switched: where a process dies in between, the next one does it again."""
        binding = self.binding(number)
        with mailbox_lock(self.state_dir, f"{number}.lamp", wait=True):
            try:
                messages = proven_listing(binding, self.index).messages
            except StoreUnproven as error:  # a spool that is not mounted puts no lamp out
                _log.debug("mailbox %s: its lamp stays as it is: %s", number, error)
                return None
            new = [m for m in messages if m.state is State.NEW]
            heard = sum(1 for m in messages if m.state is State.HEARD)
            counts = Counts(len(new), heard, sum(m.urgent for m in new))
            shown = f"lamp {number}"
            if self.index.passes.meta(shown) == str(counts):
                return None
            if binding.mailbox.lamp_command:
                run_lamp_command(
                    binding.mailbox.lamp_command,
                    context=binding.mailbox.context,
                    mailbox=number,
                    counts=counts,
                )
            self._refresh(number)
            self.index.passes.set_meta(shown, str(counts))
            return counts

    def _refresh(self, number: str) -> None:
        try:
            self.store.refresh(number)
        except SyncError as error:
            _log.warning("mailbox %s: the voice-mail server was not told to count again: %s", number, error)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What stands around a change cannot undo it: it is logged, and done again with the next."""
        try:
            with self.index.database.trouble():
                yield
        except (EngineError, OSError) as error:
            _log.warning("%s", error)

    def mind_the_clock(self) -> None:
        """Move the deadlines along if the wall clock jumped."""
        jump = self._clock.jumped(self.index.passes.latest_pass())
        if jump:
            _log.warning("the clock jumped by %.0f s; deadlines move with it", jump)
            self.index.pairs.shift_all_deadlines(jump)
            self.index.queue.shift(jump)

    def close(self) -> None:
        """Stop what was started, and close the index."""
        self.stop()
        self.index.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
