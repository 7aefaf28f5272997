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
from syncengine.rules.replies import Result

_DECIDED = (Result.SUCCESS, Result.FAILURE)


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


_FARTHEST = 6 * 3600
"""Seconds: no wait is longer; a next try beyond it was written by a clock that was ahead."""

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
    """What is known of recipients, as ``result: reply``: an accepted one never gets it twice."""
    copies_tried: int = 0
    """How often copies were tried by themselves, after the synced address was settled."""

    @property
    def decided(self) -> dict[str, str]:
        """Recipients that took it or never will; the others are still to be asked."""
        return {a: reply for a, reply in self.recipients.items() if reply.startswith(_DECIDED)}

    @property
    def taken(self) -> dict[str, str]:
        """Recipients that took it."""
        return {a: reply for a, reply in self.recipients.items() if reply.startswith(Result.SUCCESS)}


class Queue:
    """Rows of the queue."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, mailbox: str, token: Token, state: QueueState, now: float) -> None:
        """Enter a message that has no row yet; one that has keeps it.

        What is due waits with the others where the mailbox waits for a changed configuration.
        """
        with self._db.write():
            blocked = self._db.execute(
                "SELECT options, last_reply FROM queue WHERE mailbox = ? AND state = 'blocked' LIMIT 1",
                [mailbox],
            ).fetchone()
            held = blocked if state is QueueState.DUE else None
            self._db.execute(
                "INSERT OR IGNORE INTO queue"
                " (token, mailbox, state, enqueued_at, next_try, options, last_reply, sequence)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(sequence), 0) + 1 FROM queue))",
                [
                    token,
                    mailbox,
                    QueueState.BLOCKED if held else state,
                    now,
                    now,
                    held["options"] if held else None,
                    held["last_reply"] if held else None,
                ],
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

    # Claims

    def claim(self, mailbox: str, owner: str, now: float, lease: float) -> Queued | None:
        """Claim the next message; None if nothing is due, or another attempt is in flight.

        As soon as anything is due, what waits only because the server was not reachable goes first,
        in its order.
        """
        return self._claimed(
            mailbox,
            owner,
            now,
            lease,
            "SELECT token FROM queue WHERE mailbox = :mailbox AND state = 'due'"
            " AND (next_try <= :now OR held) AND EXISTS"
            " (SELECT 1 FROM queue WHERE mailbox = :mailbox AND state = 'due' AND next_try <= :now)"
            " ORDER BY sequence LIMIT 1",
            # Its time begins with the first try, unless it waited while the same server was tried for others.
            "enqueued_at = CASE WHEN attempts = 0 AND NOT held THEN :now ELSE enqueued_at END,"
            # A try before its time, because a new message came, is none that the next wait grows by.
            " state = 'claimed', held = 0, attempts = attempts + (next_try <= :now)",
        )

    def claim_copies(self, mailbox: str, owner: str, now: float, lease: float) -> Queued | None:
        """Claim a message whose synced address is settled and whose copies are due."""
        return self._claimed(
            mailbox,
            owner,
            now,
            lease,
            "SELECT token FROM queue WHERE mailbox = :mailbox AND state IN ('sent', 'undeliverable')"
            " AND copies_due <= :now ORDER BY copies_due, sequence LIMIT 1",
            "copies_tried = copies_tried + 1",
        )

    def _claimed(
        self, mailbox: str, owner: str, now: float, lease: float, which: str, change: str
    ) -> Queued | None:
        values = {"mailbox": mailbox, "now": now, "owner": owner, "until": now + lease}
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = 'due', lease_owner = NULL, lease_until = NULL"
                " WHERE mailbox = :mailbox AND state = 'claimed' AND lease_until < :now",
                values,
            )
            self._db.execute(
                "UPDATE queue SET next_try = :now WHERE mailbox = :mailbox AND state = 'due'"
                f" AND next_try > :now + {_FARTHEST}",
                values,
            )
            busy = self._db.execute(
                "SELECT 1 FROM queue WHERE mailbox = :mailbox AND lease_until >= :now", values
            ).fetchone()
            row = None if busy else self._db.execute(which, values).fetchone()
            if row is None:
                return None
            self._db.execute(
                f"UPDATE queue SET {change}, lease_owner = :owner, lease_until = :until"
                " WHERE mailbox = :mailbox AND token = :token",
                values | {"token": row["token"]},
            )
        return self.get(mailbox, Token(row["token"]))

    def renew(self, mailbox: str, token: Token, owner: str, now: float, lease: float) -> bool:
        """Renew a claim while bytes flow; False if it was lost."""
        with self._db.write():
            cursor = self._db.execute(
                "UPDATE queue SET lease_until = ? WHERE mailbox = ? AND token = ? AND lease_owner = ?",
                [now + lease, mailbox, token, owner],
            )
            return cursor.rowcount == 1

    def release(self, mailbox: str, now: float) -> None:
        """Whoever had claims of this mailbox is gone: what had not begun is due again."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = CASE WHEN state = 'claimed' THEN 'due' ELSE state END,"
                " next_try = CASE WHEN state = 'claimed' THEN ? ELSE next_try END,"
                " lease_owner = NULL, lease_until = NULL WHERE mailbox = ? AND lease_owner IS NOT NULL",
                [now, mailbox],
            )

    # In doubt

    def doubt(self, mailbox: str, token: Token, recipients: Mapping[str, str], again: float) -> None:
        """From now on bytes of the message are under way; the claim and its lease stay.

        ``again``: when it may be repeated where nothing can be looked up.
        """
        self._under_way(mailbox, token, recipients, "state = 'in-doubt', next_try = ?", again)

    def doubt_copies(self, mailbox: str, token: Token, recipients: Mapping[str, str], again: float) -> None:
        """From now on bytes to copies are under way; they are not repeated before ``again``."""
        self._under_way(mailbox, token, recipients, "copies_due = ?", again)

    def _under_way(
        self, mailbox: str, token: Token, recipients: Mapping[str, str], change: str, again: float
    ) -> None:
        with self._db.write():
            self._db.execute(
                f"UPDATE queue SET {change}, recipients = ? WHERE mailbox = ? AND token = ?",
                [again, json.dumps(dict(recipients)), mailbox, token],
            )

    def arrived(self, mailbox: str, token: Token, now: float) -> None:
        """It was seen in the account: whoever was given it in the same transaction has it too.

        The copies that are still open are due then, but not where nothing is known of any sending: an
        index that was lost, or is older than the account, would give them all messages once more.
        """
        row = self.get(mailbox, token)
        if row is None:
            return
        begun = row.state is QueueState.IN_DOUBT or bool(row.recipients)
        seen = f"{Result.SUCCESS}: seen in the account"
        recipients = {
            a: seen if reply.startswith(Result.IN_DOUBT) else reply for a, reply in row.recipients.items()
        }
        copies_due = now if begun and row.resend == 1 else None
        self.settle(mailbox, token, QueueState.SENT, recipients=recipients, copies_due=copies_due)

    # What became of it

    def settle(
        self,
        mailbox: str,
        token: Token,
        state: QueueState,
        *,
        next_try: float = 0.0,
        reply: str | None = None,
        recipients: Mapping[str, str] | None = None,
        copies_due: float | None = None,
    ) -> None:
        """Record what became of a message; ends a claim. ``copies_due``: when copies are tried, if any."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = ?, next_try = ?, last_reply = coalesce(?, last_reply),"
                " recipients = coalesce(?, recipients), copies_due = ?, held = 0, options = NULL,"
                " lease_owner = NULL, lease_until = NULL WHERE mailbox = ? AND token = ?",
                [
                    state,
                    next_try,
                    reply,
                    json.dumps(dict(recipients)) if recipients is not None else None,
                    copies_due,
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
                "UPDATE queue SET state = ?, next_try = ?, held = 0, options = NULL,"
                " lease_owner = NULL, lease_until = NULL"
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

    def forget_purged(self, mailbox: str) -> None:
        """Drop what was given up and can never be sent: its content is gone."""
        with self._db.write():
            self._db.execute(
                "DELETE FROM queue WHERE mailbox = :mailbox"
                " AND state IN ('undeliverable', 'cancelled', 'not-sent') AND token IN"
                " (SELECT 'vm-' || id || '-z' FROM messages WHERE mailbox = :mailbox AND content IS NULL)",
                {"mailbox": mailbox},
            )

    def again(
        self, mailbox: str, token: Token, now: float, *, resend: bool, keep: Mapping[str, str] | None = None
    ) -> None:
        """Send once more; with ``resend`` under a new Message-ID, as servers drop one they have seen.

        ``keep``: recipients that are settled already.
        """
        with self._db.write():
            self._db.execute(
                "INSERT INTO queue (token, mailbox, state, enqueued_at, next_try, recipients, sequence)"
                " VALUES (:token, :mailbox, 'due', :now, :now, :keep,"
                "  (SELECT coalesce(max(sequence), 0) + 1 FROM queue))"
                " ON CONFLICT (mailbox, token) DO UPDATE SET state = 'due', next_try = :now, attempts = 0,"
                " enqueued_at = :now, recipients = :keep, resend = resend + :resend, copies_due = NULL,"
                " copies_tried = 0, held = 0, options = NULL, sequence = excluded.sequence",
                {
                    "token": token,
                    "mailbox": mailbox,
                    "now": now,
                    "resend": int(resend),
                    "keep": json.dumps(dict(keep or {})),
                },
            )

    def shift(self, seconds: float) -> None:
        """The wall clock jumped: every time moves with it."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET next_try = next_try + :jump, enqueued_at = enqueued_at + :jump,"
                " lease_until = lease_until + :jump, copies_due = copies_due + :jump"
                " WHERE state IN ('due', 'claimed', 'in-doubt', 'blocked') OR copies_due IS NOT NULL",
                {"jump": seconds},
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
        copies_tried=row["copies_tried"],
    )
