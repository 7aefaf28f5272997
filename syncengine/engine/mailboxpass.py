"""One pass over one mailbox: recover, observe, compare, plan, guard, apply, record.

Order is everything here. What a side showed is stored before anything is concluded from it; an
intent is stored before its effect begins; the base moves after the effect was confirmed. A pass that
dies at any line leaves a state from which the next one finds the same world.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from syncengine.engine.adopt import Adopter
from syncengine.engine.apply import Applier, planned
from syncengine.engine.binding import Binding
from syncengine.engine.bounces import Bounces
from syncengine.engine.cases import cases, notices, pending
from syncengine.engine.events import (
    DeliveryFailed,
    Event,
    Held,
    MessageDeleted,
    MessageHeard,
    MessageNew,
    MessageRestored,
    Reading,
)
from syncengine.engine.filing import Filing
from syncengine.engine.handover import Handover
from syncengine.engine.looking import Looking
from syncengine.engine.observe import Observer
from syncengine.engine.proof import proven_listing
from syncengine.engine.recovery import Recovery
from syncengine.engine.result import Result, Shown
from syncengine.engine.turns import Turns, at_once
from syncengine.errors import (
    AuthenticationFailed,
    ConnectionLost,
    FolderError,
    MailboxError,
    Throttled,
)
from syncengine.imap.scope import VOICE_FOLDER
from syncengine.index import AccountRow, Index, Notice, QueueState
from syncengine.model import LocalListing, Problem, ReportedAction, Side, State, Token, Verb, id_of
from syncengine.replica import Account
from syncengine.rules.guard import Guarded, guard
from syncengine.rules.plan import Action, Case, plan

_log = logging.getLogger(__name__)

_DAY = 24 * 3600.0
_TOMBSTONE_SECONDS = 30 * _DAY


class MailboxPass:
    """A pass over one mailbox whose account is kept in step over IMAP4."""

    def __init__(
        self,
        binding: Binding,
        index: Index,
        remote: Account,
        account: AccountRow,
        *,
        emit: Callable[[Event], None],
        result: Result,
        turns: Turns = at_once,
    ) -> None:
        self._binding = binding
        self._index = index
        self._remote = remote
        self._account = account
        self._emit = emit
        self._clock = binding.clock
        self._result = result
        self._turns = turns
        self._observer = Observer(
            index, account.id, remote, binding.roles, binding.recognise, binding.clock, told=self._told
        )
        self._looking = Looking(binding, index, account.id, self._observer, emit)
        self._bounces = Bounces(binding, index, account.id, remote, emit)
        self._store = 0
        self._filing = Filing(binding, index, account.id, remote, self._observer, self._result)

    @property
    def observer(self) -> Observer:
        """What was read of the account in this pass."""
        return self._observer

    @property
    def filing(self) -> Filing:
        """The folders of the account."""
        return self._filing

    @property
    def shown(self) -> Shown | None:
        """What both sides showed, None where the account was asked for more than its folders."""
        if self._remote.traffic.round_trips != self._observer.trips:
            return None
        return Shown(self._observer.listed, self._store)

    def run(self, *, full: bool = False, accept_deletes: bool = False) -> None:
        """Make the whole pass; raises ``MailboxError`` when it cannot go on."""
        if accept_deletes:
            self._index.passes.allow_held(self._account.id)
        listing = self._local()
        self._store = hash(listing)
        try:
            self._observe(whole=full)
        except (AuthenticationFailed, ConnectionLost, Throttled):
            self._send_anyway(listing)
            raise
        self._reached()
        Recovery(self._binding, self._index, self._account.id, self._remote, self._observer).recover()
        self._bounces.read()
        self._enqueue(listing)
        self._filing.create_folder()
        self._filing.file_arrivals()
        sound = self._looking.look(listing, full=full)
        guarded = self._guarded(self._cases(listing), sound=sound)
        self._record_without_effect(guarded)
        self._apply(guarded.plan.actions)
        self._hand_over()
        self._keep_books()

    def preview(self, *, full: bool = False, accept_deletes: bool = False) -> None:
        """What :meth:`run` would do, on an index that is thrown away: nothing is written anywhere."""
        if accept_deletes:
            self._index.passes.allow_held(self._account.id)
        listing = self._local()
        self._observe(whole=full)
        self._enqueue(listing)
        sound = self._looking.look(listing, full=full, purge=False)
        guarded = self._guarded(self._cases(listing), sound=sound)
        self._result.actions.extend(
            ReportedAction(Side.REMOTE, Verb.MOVE, id_of(token)) for token in self._filing.arrivals().values()
        )
        self._result.actions.extend(planned(guarded.plan.actions))
        self._result.held = len(guarded.held)
        if self._filing.lacks_folder:
            self._result.actions.insert(0, ReportedAction(Side.REMOTE, Verb.CREATE_FOLDER, None))
        verb = Verb.APPEND if self._binding.by_append else Verb.SEND
        self._result.actions.extend(
            ReportedAction(Side.REMOTE, verb, id_of(row.token))
            for row in self._index.queue.rows(self._binding.number)
            if row.state is QueueState.DUE
            and row.next_try <= self._clock()
            and row.token not in guarded.plan.cancelled
        )
        self._result.problems.extend(self._observer.problems)

    def _send_anyway(self, listing: LocalListing) -> None:
        """The account cannot be looked at: what is due by SMTP still goes out, once a look succeeded ever."""
        if self._account.looked and not self._binding.by_append:
            self._enqueue(listing)
            self._hand_over(with_account=False)

    # Observing

    def _local(self) -> LocalListing:
        listing = proven_listing(self._binding, self._index)
        self._index.pairs.note_local(self._account.id, {m.token: m.state for m in listing.messages})
        return listing

    def _observe(self, *, whole: bool) -> None:
        self._observer.list_folders()
        self._observer.observe(whole=whole or not self._account.looked)
        if self._observer.complete and not self._account.looked:
            self._index.views.set_looked(self._account.id)
        elif not self._observer.complete and not self._account.looked:
            raise MailboxError(
                f"mailbox {self._binding.number}: the first complete look failed"
                f" ({self._observer.problems[0].what}); nothing is sent before one succeeds"
            )

    def _reached(self) -> None:
        """The account answers: the time in which it did not is given back to what is pending."""
        failing = self._index.passes.account_outcome(self._account.id, self._clock(), ok=True)
        if failing:
            self._index.pairs.shift_deadlines(self._account.id, failing)

    def _told(self, folder: str, done: int, total: int) -> None:
        self._emit(Reading(self._binding.number, folder, done, total))

    def _enqueue(self, listing: LocalListing) -> None:
        self._binding.enqueue(self._index, listing.messages, self._clock())

    # Planning

    def _cases(self, listing: LocalListing) -> tuple[Case, ...]:
        return cases(self._index, self._account.id, listing.messages, self._clock())

    def _guarded(self, of: tuple[Case, ...], *, sound: bool) -> Guarded:
        """The plan without what is held; time lets through only what a sound look confirmed just now."""
        sync = self._binding.mailbox.sync
        now = self._clock()
        allowed = self._index.passes.allowed(self._account.id)
        if sound and sync.brake_release is not None:
            allowed |= {
                h.token
                for h in self._index.passes.held(self._account.id)
                if now - h.since >= sync.brake_release
            }
        return guard(
            plan(of, self._binding.policy),
            live=sum(1 for c in of if c.local is not None and c.local.state is not State.DELETED),
            recent=self._index.passes.recent_inferred(self._account.id, now - _DAY),
            limits=self._binding.limits,
            allowed=allowed,
        )

    def _record_without_effect(self, guarded: Guarded) -> None:
        now = self._clock()
        with self._index.database.write():
            for settled in guarded.plan.settled:
                self._index.pairs.settle(self._account.id, settled.token, settled.base, now, by_phone=True)
            for token in guarded.plan.cancelled:
                self._index.queue.cancel_deleted(self._binding.number, token)
            self._index.passes.set_held(self._account.id, (a.token for a in guarded.held), now)
        self._result.held = len(guarded.held)
        if guarded.held:
            self._emit(Held(self._binding.number, len(guarded.held)))

    # Acting

    def _apply(self, actions: tuple[Action, ...]) -> None:
        if not actions:
            return
        applier = Applier(
            self._index,
            self._account.id,
            self._remote,
            self._binding.store,
            Adopter(
                self._index,
                self._account.id,
                self._remote,
                self._binding.store,
                self._binding.number,
                self._binding.key.secret,
                self._binding.key.system_id,
                self._binding.media_type,
            ),
            self._filing.trash if any(_removes(a) for a in actions) else None,
            self._filing.home,
            self._binding.number,
            self._clock,
            self._applied,
        )
        try:
            applier.apply(actions)
        finally:
            self._result.actions.extend(applier.done)
            self._result.problems.extend(applier.problems)

    def _applied(self, action: Action) -> None:
        """Tell the listeners what the account's side has done to a message at the phone."""
        if action.side is not Side.LOCAL:
            return
        kind = {
            Verb.MARK_HEARD: MessageHeard,
            Verb.MARK_NEW: MessageNew,
            Verb.DELETE: MessageDeleted,
            Verb.RESTORE: MessageRestored,
            Verb.ADOPT: MessageHeard if action.seen else MessageNew,
        }[action.verb]
        self._emit(kind(self._binding.number, id_of(action.token)))

    def _hand_over(self, *, with_account: bool = True) -> None:
        listing = self._local()
        sync = self._binding.mailbox.sync
        handover = Handover(
            self._index,
            self._account.id,
            self._binding.number,
            self._binding.store,
            self._binding.post,
            self._clock,
            sync.delivery_expiry,
            sync.command_timeout,
            self._remote if with_account else None,
            self._binding.target(self._observer.folders.values()) if with_account else None,
            self._binding.by_append,
            turn=lambda: self._turns(self._binding),
        )
        try:
            handover.run({m.token: m for m in listing.messages})
        except FolderError as error:
            self._result.problems.append(Problem("handing over", str(error)))
        finally:
            self._result.actions.extend(handover.ledger.done)
            self._result.problems.extend(handover.ledger.problems)
            for token, reason in handover.ledger.failed:
                self._emit(DeliveryFailed(self._binding.number, id_of(token), reason))

    # Keeping the books

    def _keep_books(self) -> None:
        """What is pending now, computed from the stored view alone; then what has grown old."""
        now = self._clock()
        of = self._cases(self._local())
        timer = self._binding.pending_timer
        with self._index.database.write():
            self._index.pairs.set_pending(
                self._account.id, pending(of, plan(of, self._binding.policy)), now, timer
            )
            self._index.pairs.prune(self._account.id, now - _TOMBSTONE_SECONDS)
            self._index.queue.forget_purged(self._binding.number)
            self._index.passes.end_allowance(self._account.id)
            self._say(notices(of, filed=self._binding.filed_by_rule))
        self._result.problems.extend(self._observer.problems)

    def _say(self, found: Mapping[Token, tuple[Notice, str]]) -> None:
        """Say once of each message that it is where it does not count, or not filed."""
        news = self._index.said.renew(self._account.id, {t: notice for t, (notice, _) in found.items()})
        for token, notice in news.items():
            where = f"mailbox {self._binding.number}: message {id_of(token)}"
            match notice:
                case Notice.UNLINKED:
                    _log.warning("%s: unlinked: last seen in folder %s; kept", where, found[token][1])
                case Notice.UNFILED:
                    _log.warning("%s: arrived in INBOX, not filed into %s", where, VOICE_FOLDER)


def _removes(action: Action) -> bool:
    return action.side is Side.REMOTE and action.verb is Verb.DELETE
