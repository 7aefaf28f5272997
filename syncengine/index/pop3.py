"""Tries to delete messages over POP3, and the unique-ids (UIDL) whose messages were looked at.

A try is recorded as begun before the connection is: after a crash it counts as perhaps done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from syncengine.index.database import Database
from syncengine.model import Token

_KEEP_SECONDS = 90 * 86400.0


class DeleteState(StrEnum):
    """How far the delete of a message in a POP3 account has come."""

    DUE = "due"
    TRYING = "trying"
    DELETED = "deleted"
    LET_GO = "let-go"


@dataclass(frozen=True, slots=True)
class Pop3Delete:
    """One message that was deleted at the phone after it was sent."""

    token: Token
    state: DeleteState
    tries: int
    next_try: float


class Pop3Deletes:
    """Rows of the deletes and of the unique-ids."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self, mailbox: str) -> dict[Token, Pop3Delete]:
        """What was tried or is to be tried for a mailbox."""
        rows = self._db.execute(
            "SELECT * FROM pop3_deletes WHERE mailbox = ? ORDER BY next_try, token", [mailbox]
        )
        return {Token(row["token"]): _delete(row) for row in rows}

    def wanted(self, mailbox: str, token: Token, now: float) -> None:
        """A message is to be deleted; one that is known keeps what is known of it."""
        with self._db.write():
            self._db.execute(
                "INSERT OR IGNORE INTO pop3_deletes (mailbox, token, state, next_try)"
                " VALUES (?, ?, 'due', ?)",
                [mailbox, token, now],
            )

    def begin(self, mailbox: str, token: Token) -> None:
        """A try begins."""
        with self._db.write():
            self._db.execute(
                "UPDATE pop3_deletes SET state = 'trying', tries = tries + 1 WHERE mailbox = ? AND token = ?",
                [mailbox, token],
            )

    def settle(self, mailbox: str, token: Token, state: DeleteState, next_try: float) -> None:
        """Record what became of a try."""
        with self._db.write():
            self._db.execute(
                "UPDATE pop3_deletes SET state = ?, next_try = ? WHERE mailbox = ? AND token = ?",
                [state, next_try, mailbox, token],
            )

    def forget(self, mailbox: str, token: Token) -> None:
        """The message is there again, or gone for good."""
        with self._db.write():
            self._db.execute("DELETE FROM pop3_deletes WHERE mailbox = ? AND token = ?", [mailbox, token])

    def wake(self, mailbox: str) -> float | None:
        """When the next try is due, seconds since the epoch; None if none is."""
        row = self._db.execute(
            "SELECT min(next_try) AS due FROM pop3_deletes WHERE mailbox = ? AND state IN ('due', 'trying')",
            [mailbox],
        ).fetchone()
        return None if row["due"] is None else float(row["due"])

    def uids(self, mailbox: str, account: str) -> dict[str, Token | None]:
        """Unique-id -> token of the messages of an account that were looked at."""
        rows = self._db.execute(
            "SELECT uidl, token FROM pop3_uids WHERE mailbox = ? AND account = ?", [mailbox, account]
        )
        return {row["uidl"]: Token(row["token"]) if row["token"] else None for row in rows}

    def note_uids(self, mailbox: str, account: str, seen: Mapping[str, Token | None], now: float) -> None:
        """Remember what messages were looked at; what was not seen for long is forgotten."""
        with self._db.write():
            self._db.executemany(
                "INSERT INTO pop3_uids (mailbox, account, uidl, token, seen_at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (mailbox, account, uidl) DO UPDATE SET token = excluded.token,"
                " seen_at = excluded.seen_at",
                [(mailbox, account, uidl, token, now) for uidl, token in seen.items()],
            )
            self._db.execute(
                "DELETE FROM pop3_uids WHERE mailbox = ? AND seen_at < ?", [mailbox, now - _KEEP_SECONDS]
            )


def _delete(row: sqlite3.Row) -> Pop3Delete:
    return Pop3Delete(Token(row["token"]), DeleteState(row["state"]), row["tries"], row["next_try"])
