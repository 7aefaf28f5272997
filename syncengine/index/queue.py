"""The durable queue: which messages are to be handed over, in which order, and what became of it.

One row a message. First in, first out per mailbox; a claim is a lease that a dead process loses.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from syncengine.index.database import Database
from syncengine.model import Token


class QueueState(StrEnum):
    """States of a queued message; the words of ``queue list --json`` and the final ones."""

    DUE = "due"
    CLAIMED = "claimed"
    IN_DOUBT = "in-doubt"
    BLOCKED = "blocked"
    UNDELIVERABLE = "undeliverable"
    CANCELLED = "cancelled"
    NOT_SENT = "not-sent"
    SENT = "sent"


DELETED_FIRST = "deleted at the phone before it was sent"
"""Why a message was cancelled by itself; restored, it is due again."""


@dataclass(frozen=True, slots=True)
class Queued:
    """One message's row in the queue."""

    token: Token
    mailbox: str
    state: QueueState
    resend: int
    """1 for the first sending; N sends with the Message-ID of the N-th."""
    attempts: int
    enqueued_at: float
    next_try: float
    last_reply: str | None
    recipients: Mapping[str, str]
    """Recipients that were decided, with their last reply: an accepted one never gets it twice."""


class Queue:
    """Rows of the queue."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, mailbox: str, token: Token, state: QueueState, now: float) -> None:
        """Enter a message that has no row yet; one that has keeps it."""
        with self._db.write():
            self._db.execute(
                "INSERT OR IGNORE INTO queue (token, mailbox, state, enqueued_at, next_try, sequence)"
                " VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(sequence), 0) + 1 FROM queue))",
                [token, mailbox, state, now, now],
            )

    def rows(self, mailbox: str | None = None) -> tuple[Queued, ...]:
        """All rows, of one mailbox or of all, in order."""
        where, values = ("WHERE mailbox = ?", [mailbox]) if mailbox else ("", [])
        rows = self._db.execute(f"SELECT * FROM queue {where} ORDER BY sequence", values)
        return tuple(map(_queued, rows))

    def get(self, mailbox: str, token: Token) -> Queued | None:
        """One message's row."""
        row = self._db.execute(
            "SELECT * FROM queue WHERE mailbox = ? AND token = ?", [mailbox, token]
        ).fetchone()
        return _queued(row) if row else None

    def claim(self, mailbox: str, owner: str, now: float, lease: float) -> Queued | None:
        """Claim the first message that is due; None if nothing is, or another attempt is in flight."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = 'due', lease_owner = NULL WHERE mailbox = ? AND state = 'claimed'"
                " AND lease_until < ?",
                [mailbox, now],
            )
            busy = self._db.execute(
                "SELECT 1 FROM queue WHERE mailbox = ? AND state = 'claimed'", [mailbox]
            ).fetchone()
            row = self._db.execute(
                "SELECT * FROM queue WHERE mailbox = ? AND state = 'due' AND next_try <= ?"
                " ORDER BY sequence LIMIT 1",
                [mailbox, now],
            ).fetchone()
            if busy or row is None:
                return None
            self._db.execute(
                "UPDATE queue SET state = 'claimed', lease_owner = ?, lease_until = ?,"
                " attempts = attempts + 1 WHERE mailbox = ? AND token = ?",
                [owner, now + lease, mailbox, row["token"]],
            )
        return self.get(mailbox, Token(row["token"]))

    def renew(self, mailbox: str, token: Token, owner: str, now: float, lease: float) -> bool:
        """Renew a claim while bytes flow; False if it was lost."""
        with self._db.write():
            cursor = self._db.execute(
                "UPDATE queue SET lease_until = ? WHERE mailbox = ? AND token = ? AND lease_owner = ?"
                " AND state IN ('claimed', 'in-doubt')",
                [now + lease, mailbox, token, owner],
            )
            return cursor.rowcount == 1

    def doubt(self, mailbox: str, token: Token) -> None:
        """From now on bytes of the message are under way; the claim and its lease stay."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = 'in-doubt' WHERE mailbox = ? AND token = ?", [mailbox, token]
            )

    def settle(
        self,
        mailbox: str,
        token: Token,
        state: QueueState,
        *,
        next_try: float = 0.0,
        reply: str | None = None,
        recipients: Mapping[str, str] | None = None,
    ) -> None:
        """Record what became of a message; ends a claim."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = ?, next_try = ?, last_reply = coalesce(?, last_reply),"
                " recipients = coalesce(?, recipients), lease_owner = NULL, lease_until = NULL"
                " WHERE mailbox = ? AND token = ?",
                [
                    state,
                    next_try,
                    reply,
                    json.dumps(dict(recipients)) if recipients is not None else None,
                    mailbox,
                    token,
                ],
            )

    def move(
        self,
        mailbox: str,
        states: Sequence[QueueState],
        to: QueueState,
        now: float,
        token: Token | None = None,
    ) -> int:
        """Bring rows from some states to another, of one message or all of a mailbox; how many."""
        marks = ", ".join("?" * len(states))
        only = "AND token = ?" if token else ""
        with self._db.write():
            cursor = self._db.execute(
                "UPDATE queue SET state = ?, next_try = ?, lease_owner = NULL, lease_until = NULL"
                f" WHERE mailbox = ? AND state IN ({marks}) {only}",
                [to, now, mailbox, *states, *([token] if token else [])],
            )
            return cursor.rowcount

    def cancel_deleted(self, mailbox: str, token: Token) -> None:
        """What is not on its way yet is not sent: the phone deleted it first."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = 'cancelled', last_reply = ?, lease_owner = NULL, lease_until = NULL"
                " WHERE mailbox = ? AND token = ? AND state IN ('due', 'claimed', 'blocked')",
                [DELETED_FIRST, mailbox, token],
            )

    def postpone(self, mailbox: str, until: float) -> None:
        """The server is not reachable: nothing of the mailbox is tried before ``until``, the order stays."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET next_try = max(next_try, ?) WHERE mailbox = ? AND state = 'due'",
                [until, mailbox],
            )

    def again(self, mailbox: str, token: Token, now: float, *, resend: bool) -> None:
        """Send once more; with ``resend`` under a new Message-ID, as servers drop one they have seen."""
        with self._db.write():
            self._db.execute(
                "INSERT INTO queue (token, mailbox, state, enqueued_at, next_try, sequence)"
                " VALUES (:token, :mailbox, 'due', :now, :now,"
                "  (SELECT coalesce(max(sequence), 0) + 1 FROM queue))"
                " ON CONFLICT (mailbox, token) DO UPDATE SET state = 'due', next_try = :now, attempts = 0,"
                " enqueued_at = :now, recipients = '{}', resend = resend + :resend,"
                " sequence = excluded.sequence",
                {"token": token, "mailbox": mailbox, "now": now, "resend": int(resend)},
            )


def _queued(row: sqlite3.Row) -> Queued:
    return Queued(
        token=Token(row["token"]),
        mailbox=row["mailbox"],
        state=QueueState(row["state"]),
        resend=row["resend"],
        attempts=row["attempts"],
        enqueued_at=row["enqueued_at"],
        next_try=row["next_try"],
        last_reply=row["last_reply"],
        recipients=json.loads(row["recipients"]),
    )
