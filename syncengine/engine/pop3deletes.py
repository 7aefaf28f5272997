"""POP3: an attempt to delete in the account what was deleted at the phone, and nothing else (manual page 4).

Three tries within an hour, then it is let go. What was deleted there and is restored at the phone is
sent anew, under a new Message-ID.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence, Set
from dataclasses import dataclass

from syncengine.delivery.account import Pop3Settings
from syncengine.engine.binding import Binding
from syncengine.errors import SyncError
from syncengine.index import DeleteState, Index, Pop3Delete, QueueState
from syncengine.model import LocalListing, ReportedAction, Side, State, Token, Verb, id_of
from syncengine.options.schema import Protocol

_log = logging.getLogger(__name__)

_WAITS = (15 * 60.0, 30 * 60.0)
"""Seconds after the first and the second try."""
_MOST_AT_ONCE = 50
_ON_ITS_WAY = (QueueState.SENT, QueueState.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Pop3Cleaner:
    """Deletes in one mailbox's POP3 account."""

    binding: Binding
    index: Index
    account: int

    def send_restored(self, listing: LocalListing) -> None:
        """Send anew what was deleted in the account and is back at the phone."""
        number, now = self.binding.number, self.binding.clock()
        known = self.index.pop3.all(number)
        for message in listing.messages:
            tried = known.get(message.token)
            if tried is None or message.state is State.DELETED:
                continue
            row = self.index.queue.get(number, message.token)
            # A try that a crash cut off has perhaps deleted it.
            gone = tried.state in (DeleteState.DELETED, DeleteState.TRYING)
            with self.index.database.write():
                self.index.pop3.forget(number, message.token)
                if gone and row is not None and row.state in _ON_ITS_WAY:
                    copies = {a: r for a, r in row.taken.items() if a in self.binding.post.copies}
                    self.index.queue.again(number, message.token, now, resend=True, keep=copies)

    def delete(self, listing: LocalListing) -> Sequence[ReportedAction]:
        """Try what is due; what was deleted, for the report. Failures are logged: it is only an attempt."""
        if self.binding.mailbox.protocol is not Protocol.POP3 or not self.binding.mailbox.pop3.server:
            return ()
        self._want(listing)
        now = self.binding.clock()
        due = [
            d
            for d in self.index.pop3.all(self.binding.number).values()
            if d.state in (DeleteState.DUE, DeleteState.TRYING) and d.next_try <= now
        ][:_MOST_AT_ONCE]
        if not due:
            return ()
        try:
            settings = self.binding.post.pop3_settings()
        except SyncError as error:
            self._failed(due, str(error))
            return ()
        return self._try_each(due, settings)

    def _want(self, listing: LocalListing) -> None:
        """Enter what was deleted at the phone after it was sent; forget what cannot come back any more."""
        number, now = self.binding.number, self.binding.clock()
        sent = {row.token for row in self.index.queue.rows(number) if row.state in _ON_ITS_WAY}
        there = {message.token: message for message in listing.messages if message.content}
        known = self.index.pop3.all(number)
        with self.index.database.write():
            for token in sent & there.keys() - known.keys():
                if there[token].state is State.DELETED:
                    self.index.pop3.wanted(number, token, now)
            for token in self._vanished(sent, listing) - known.keys():
                self.index.pop3.wanted(number, token, now)
                self.index.pairs.settle(self.account, token, State.DELETED, now, by_phone=True)
            for token, delete in known.items():
                if token not in there and delete.state in (DeleteState.DELETED, DeleteState.LET_GO):
                    self.index.pop3.forget(number, token)

    def _vanished(self, sent: Set[Token], listing: LocalListing) -> Set[Token]:
        """What a store without undo does not show any more: with its proof, that was the subscriber's act."""
        missing = sent - {message.token for message in listing.messages}
        if not missing:
            return missing
        memories = self.index.pairs.memories(self.account)
        return {t for t in missing if t in memories and memories[t].base in (State.NEW, State.HEARD)}

    def _try_each(self, due: Sequence[Pop3Delete], settings: Pop3Settings) -> Sequence[ReportedAction]:
        done = []
        for place, delete in enumerate(due):
            self.index.pop3.begin(self.binding.number, delete.token)
            try:
                deleted = self._try(delete, settings)
            except SyncError as error:
                self._later(delete, str(error))
                self._failed(due[place + 1 :], str(error))
                break
            if deleted:
                self.index.pop3.settle(self.binding.number, delete.token, DeleteState.DELETED, 0.0)
                done.append(ReportedAction(Side.REMOTE, Verb.DELETE, id_of(delete.token)))
            else:
                self._later(delete, f"{settings.server}: it was not found, or the server did not delete it")
        return done

    def _try(self, delete: Pop3Delete, settings: Pop3Settings) -> bool:
        from syncengine.delivery.pop3 import delete_by_token  # noqa: PLC0415 - POP3 mailboxes only

        number = self.binding.number
        account = f"{settings.server}:{settings.port} {settings.account}"
        result = delete_by_token(
            settings,
            delete.token,
            uidl_cache=self.index.pop3.uids(number, account),
            search_limit=self.binding.mailbox.pop3.search_limit,
            recognise=self.binding.recognise,
        )
        self.index.pop3.note_uids(number, account, result.seen, self.binding.clock())
        return result.deleted

    def _failed(self, due: Sequence[Pop3Delete], reason: str) -> None:
        """One connection that failed stands for the tries of all that were due."""
        for delete in due:
            self.index.pop3.begin(self.binding.number, delete.token)
            self._later(delete, reason)

    def _later(self, delete: Pop3Delete, reason: str) -> None:
        """Note a try that deleted nothing: once more later, or let go."""
        number, tries = self.binding.number, delete.tries + 1
        if tries <= len(_WAITS):
            again = self.binding.clock() + _WAITS[tries - 1]
            self.index.pop3.settle(number, delete.token, DeleteState.DUE, again)
        else:
            self.index.pop3.settle(number, delete.token, DeleteState.LET_GO, 0.0)
            _log.warning(
                "mailbox %s: message %s: deleted at the phone, not in the POP3 account, after %d tries: %s",
                number,
                id_of(delete.token),
                tries,
                reason,
            )
