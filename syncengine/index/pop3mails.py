"""E-mails of a POP3 account's INBOX: listed here, marked here, and never touched there.

A copy is always left on the server: what the subscriber hears or deletes at the phone is remembered in
this table alone, by the server's unique-id (UIDL, RFC 1939 section 7).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from syncengine.index.database import Database
from syncengine.index.emails import EmailRow, email_id
from syncengine.model import Place, Uid, UidValidity

OURS = -1
"""Stands for the size of a voice or fax message, which is no e-mail."""


@dataclass(frozen=True, slots=True)
class Pop3Row(EmailRow):
    """One e-mail; its place is INBOX, and the message's number in the session that listed it last."""

    uidl: str = ""


class Pop3Mails:
    """The e-mails of one mailbox's POP3 account."""

    def __init__(self, database: Database, mailbox: str, account: str) -> None:
        self._db = database
        self._mailbox = mailbox
        self._account = account

    def known(self) -> frozenset[str]:
        """The unique-ids that were looked at."""
        rows = self._db.execute(
            "SELECT uidl FROM pop3_emails WHERE mailbox = ? AND account = ?", [self._mailbox, self._account]
        )
        return frozenset(row["uidl"] for row in rows)

    def apply(self, listed: Mapping[str, int], heads: Mapping[str, tuple[int, bytes]], now: float) -> None:
        """Store what the server lists (unique-id -> number) and what is new in it (size, head)."""
        with self._db.write():
            self._db.executemany(
                "DELETE FROM pop3_emails WHERE mailbox = ? AND account = ? AND uidl = ?",
                [(self._mailbox, self._account, uidl) for uidl in self.known() - listed.keys()],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO pop3_emails (mailbox, account, uidl, number, size, head, first_seen)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (self._mailbox, self._account, uidl, listed[uidl], size, head, now)
                    for uidl, (size, head) in heads.items()
                ],
            )
            self._db.executemany(
                "UPDATE pop3_emails SET number = ? WHERE mailbox = ? AND account = ? AND uidl = ?"
                " AND number != ?",
                [(n, self._mailbox, self._account, uidl, n) for uidl, n in listed.items()],
            )

    def latest_first(self) -> Iterator[EmailRow]:
        """Every e-mail, the highest number first, read one by one."""
        return self._each(" ORDER BY number DESC")

    def to_hear(self, most: int) -> tuple[EmailRow, ...]:
        """What a caller is offered: what is new first, the latest first; ``most`` at most."""
        return tuple(self._each(" AND removed_at IS NULL ORDER BY heard, number DESC LIMIT ?", most))

    def find(self, prefix: str) -> tuple[EmailRow, ...]:
        """The e-mails whose ids begin so."""
        return tuple(row for row in self.latest_first() if row.id.startswith(prefix))

    def say_heard(self, row: EmailRow, heard: bool, now: float) -> bool:  # noqa: ARG002 - no time is kept
        """Heard or new at the phone; False when the mail is not there any more."""
        return self._set(row, "heard = ?", heard)

    def say_removed(self, row: EmailRow, removed: bool, now: float) -> bool:
        """Deleted or restored at the phone; False when the mail is not there any more."""
        return self._set(row, "removed_at = ?", now if removed else None)

    def _set(self, row: EmailRow, change: str, value: object) -> bool:
        uidl = row.uidl if isinstance(row, Pop3Row) else ""
        with self._db.write():
            cursor = self._db.execute(
                f"UPDATE pop3_emails SET {change} WHERE mailbox = ? AND account = ? AND uidl = ?",
                [value, self._mailbox, self._account, uidl],
            )
            return cursor.rowcount == 1

    def _each(self, where: str, *values: object) -> Iterator[EmailRow]:
        for row in self._db.execute(
            "SELECT * FROM pop3_emails WHERE mailbox = ? AND account = ? AND size != ?" + where,
            [self._mailbox, self._account, OURS, *values],
        ):
            yield self._row(row)

    def _row(self, row: sqlite3.Row) -> Pop3Row:
        return Pop3Row(
            place=Place("INBOX", UidValidity(0), Uid(row["number"])),
            trashed=row["removed_at"] is not None,
            seen=bool(row["heard"]),
            deleted=False,
            arrived=int(row["first_seen"]),
            size=row["size"],
            head=row["head"],
            heard=None,
            removed=row["removed_at"] is not None,
            changed_at=row["removed_at"],
            home=None,
            id=email_id(self._account, "INBOX", "UIDL", row["uidl"]),
            error=None,
            uidl=row["uidl"],
        )
