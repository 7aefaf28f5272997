"""One SMTP attempt after another, exactly as recorded: per recipient, under a lease, first to last.

``delivery`` follows the synced address alone. A copy that has to wait is tried by itself afterwards:
it neither holds up the synced address nor lets it get the message twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, assert_never

from syncengine.engine.ledger import DOUBT_SECONDS, Ledger, wait
from syncengine.errors import SyncError
from syncengine.index import Index, Queued, QueueState
from syncengine.model import LocalMessage, Problem, State, Token, Verb, id_of
from syncengine.replica import VoiceStore
from syncengine.rules.replies import Phase, Result

if TYPE_CHECKING:
    from syncengine.delivery.account import SmtpSettings
    from syncengine.delivery.smtp import Attempt

_SESSION = (Phase.CONNECT, Phase.HELO, Phase.TLS, Phase.AUTH)
"""Where a deferral is the server's or the network's, not the message's: the whole queue waits."""
_UNDER_WAY = f"{Result.IN_DOUBT}: the message is under way"


class Post(Protocol):
    """How a mailbox's messages are written and sent."""

    @property
    def synced_address(self) -> str:
        """The recipient whose account is kept in step; the others are copies."""

    @property
    def copies(self) -> tuple[str, ...]:
        """Further recipients."""

    def smtp_settings(self) -> SmtpSettings:
        """The way out, with the password; raises ``SyncError`` where that cannot be read."""

    def fingerprint(self, way_out: SmtpSettings) -> str:
        """What changes when any option of the way out does; no secret can be told from it."""

    def write(self, message: LocalMessage, store: VoiceStore, resend: int, *, sound: bool = True) -> bytes:
        """Write the mail of a message; raises ``SyncError`` where it cannot be written now."""

    def send(
        self,
        raw: bytes,
        smaller: Callable[[], bytes],
        recipients: Sequence[str],
        way_out: SmtpSettings,
        *,
        token: Token,
        on_data: Callable[[tuple[str, ...]], None],
        on_progress: Callable[[], None],
    ) -> Attempt:
        """One SMTP attempt."""


@dataclass(slots=True)
class Sender:
    """Sends one mailbox's messages."""

    index: Index
    account: int
    mailbox: str
    store: VoiceStore
    post: Post
    ledger: Ledger
    owner: str
    lease: float
    answered: Callable[[], None] = lambda: None
    """Called when the server has answered anything at all."""
    _settings: SmtpSettings | None = field(default=None, init=False)
    _began: bool = field(default=False, init=False)

    def unblock(self) -> None:
        """Go on with what waits for a changed configuration, if it has changed."""
        if not self.index.waits.blocked(self.mailbox):
            return
        try:
            now_in_force = self.post.fingerprint(self._way_out())
        except SyncError:
            return
        self.index.waits.unblock(self.mailbox, self.ledger.clock(), unless=now_in_force)

    def send(self, queued: Queued, message: LocalMessage) -> bool:
        """Try a claimed message once; False when the rest of the queue has to wait."""
        if self.post.synced_address in queued.taken:
            self.ledger.settle(queued, QueueState.SENT, copies_due=self.ledger.clock())
            return True
        recipients = [self.post.synced_address, *self._open_copies(queued)]
        before = self.index.pairs.memory(self.account, queued.token)
        try:
            raw = self.post.write(message, self.store, queued.resend)
        except SyncError as error:
            self.ledger.defer(queued, str(error))
            return True
        try:
            self._way_out()
        except SyncError as error:
            until = self.ledger.defer(queued, str(error))
            self.index.waits.hold(self.mailbox, queued.token, self.ledger.clock(), until)
            return False
        attempt = self._attempt(queued, message, raw, recipients)
        with self.index.database.write():
            in_flight = before is not None and before.in_flight
            if self._began and not in_flight and not _perhaps_taken(attempt, self.post.synced_address):
                base = before.base if before else None
                self.index.pairs.taken_back(self.account, queued.token, base)
            return self._record(queued, attempt)

    def send_copies(self, messages: Mapping[Token, LocalMessage]) -> None:
        """Try the copies that are due by themselves; their synced address is settled."""
        queue, clock = self.index.queue, self.ledger.clock
        while (queued := queue.claim_copies(self.mailbox, self.owner, clock(), self.lease)) is not None:
            message = messages.get(queued.token)
            recipients = self._open_copies(queued)
            if message is None or message.state is State.DELETED or not message.content or not recipients:
                self.ledger.settle(queued, queued.state)
            elif not self._send_copies(queued, message, recipients):
                return

    def _send_copies(self, queued: Queued, message: LocalMessage, recipients: Sequence[str]) -> bool:
        try:
            raw = self.post.write(message, self.store, queued.resend)
            self._way_out()
        except SyncError as error:
            later = self.ledger.clock() + wait(queued.copies_tried)
            self.ledger.settle(queued, queued.state, copies_due=later)
            self.ledger.complain(queued, f"copies are not sent yet: {error}")
            return False
        attempt = self._attempt(queued, message, raw, recipients)
        merged = _merged(queued, attempt)
        due = (
            None
            if self.ledger.expired(queued, queued.copies_tried)
            else self._copies_due(attempt, queued.copies_tried)
        )
        with self.index.database.write():
            self.ledger.settle(queued, queued.state, recipients=merged, copies_due=due)
        self._tell_copies(queued, attempt)
        return not (attempt.broken or attempt.phase in _SESSION)

    # One attempt

    def _attempt(
        self, queued: Queued, message: LocalMessage, raw: bytes, recipients: Sequence[str]
    ) -> Attempt:
        self._began = False

        def on_data(accepted: tuple[str, ...]) -> None:
            with self.index.database.write():
                self._keep_lease(queued)
                self._under_way(queued, accepted)
            self._began = True

        attempt = self.post.send(
            raw,
            lambda: self.post.write(message, self.store, queued.resend, sound=False),
            recipients,
            self._way_out(),
            token=queued.token,
            on_data=on_data,
            on_progress=lambda: self._keep_lease(queued),
        )
        if not attempt.broken or attempt.phase not in (Phase.CONNECT, Phase.TLS):
            self.answered()
        return attempt

    def _way_out(self) -> SmtpSettings:
        """The options of the way out; a password command runs once for all messages of a run."""
        if self._settings is None:
            self._settings = self.post.smtp_settings()
        return self._settings

    def _keep_lease(self, queued: Queued) -> None:
        now = self.ledger.clock()
        if not self.index.queue.renew(self.mailbox, queued.token, self.owner, now, self.lease):
            raise SyncError(f"message {id_of(queued.token)}: another process took over its sending")

    def _under_way(self, queued: Queued, accepted: tuple[str, ...]) -> None:
        """From here on these recipients may have it, whatever is heard of it."""
        now = self.ledger.clock()
        recipients = queued.decided | dict.fromkeys(accepted, _UNDER_WAY)
        if self.post.synced_address in accepted:
            self.index.pairs.handed_over(self.account, queued.token, State.NEW, now)
            self.index.queue.doubt(self.mailbox, queued.token, recipients, now + DOUBT_SECONDS)
        else:
            self.index.queue.doubt_copies(self.mailbox, queued.token, recipients, now + DOUBT_SECONDS)

    # What became of it

    def _record(self, queued: Queued, attempt: Attempt) -> bool:
        outcome = next(o for o in attempt.recipients if o.address == self.post.synced_address)
        recipients, reply, ledger = _merged(queued, attempt), outcome.reply, self.ledger
        copies_due = self._copies_due(attempt, 1)
        self._tell_copies(queued, attempt)
        match outcome.result:
            case Result.SUCCESS:
                ledger.settle(queued, QueueState.SENT, reply, recipients=recipients, copies_due=copies_due)
                ledger.handed_over(queued, Verb.SEND)
                self.index.waits.unblock(self.mailbox, ledger.clock())
                return True
            case Result.FAILURE | Result.TOO_LARGE:
                ledger.fail(queued, reply, recipients=recipients, copies=copies_due is not None)
                return not attempt.broken
            case Result.DEFERRAL:
                until = ledger.defer(queued, reply, recipients=recipients, copies=copies_due is not None)
                if attempt.phase in _SESSION:
                    self.index.waits.hold(self.mailbox, queued.token, ledger.clock(), until)
                return not (attempt.broken or attempt.phase in _SESSION)
            case Result.IN_DOUBT:
                again = ledger.clock() + DOUBT_SECONDS
                ledger.settle(queued, QueueState.IN_DOUBT, reply, recipients=recipients, next_try=again)
                ledger.complain(queued, f"nobody knows whether the server took it: {reply}")
                return False
            case Result.CONFIGURATION:
                self._block(queued, reply, recipients)
                return False
            case _:
                assert_never(outcome.result)

    def _block(self, queued: Queued, reply: str, recipients: Mapping[str, str]) -> None:
        """The settings do not fit: said once, and nothing is tried until they change."""
        text = f"{reply}; nothing is sent until the options change"
        self.ledger.settle(queued, QueueState.BLOCKED, reply, recipients=recipients)
        self.index.waits.block(self.mailbox, self.post.fingerprint(self._way_out()), reply)
        self.ledger.problems.append(Problem("smtp", text))
        self.ledger.failed.append((queued.token, text))

    def _open_copies(self, queued: Queued) -> list[str]:
        return [address for address in self.post.copies if address not in queued.decided]

    def _copies_due(self, attempt: Attempt, tries: int) -> float | None:
        """When copies are tried by themselves; None when every one of them is decided."""
        results = {o.result for o in attempt.recipients if o.address != self.post.synced_address}
        if Result.IN_DOUBT in results:
            return self.ledger.clock() + DOUBT_SECONDS
        if results <= {Result.SUCCESS, Result.FAILURE, Result.TOO_LARGE}:
            return None
        return self.ledger.clock() + wait(tries)

    def _tell_copies(self, queued: Queued, attempt: Attempt) -> None:
        for outcome in attempt.recipients:
            if outcome.address != self.post.synced_address and outcome.result is not Result.SUCCESS:
                self.ledger.complain(queued, f"copy to {outcome.address}: {outcome.result}: {outcome.reply}")


def _merged(queued: Queued, attempt: Attempt) -> dict[str, str]:
    """What is known of every recipient now; one that has to wait is to be asked again."""
    kept = (Result.SUCCESS, Result.FAILURE, Result.IN_DOUBT)
    new = {o.address: f"{o.result}: {o.reply}" for o in attempt.recipients if o.result in kept}
    return queued.decided | new


def _perhaps_taken(attempt: Attempt, address: str) -> bool:
    return any(
        o.address == address and o.result in (Result.SUCCESS, Result.IN_DOUBT) for o in attempt.recipients
    )
