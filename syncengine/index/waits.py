"""Why rows of the queue wait: for a time, for the server, for a look, for other options.

A row that waits keeps its place: what goes on later goes on in the order in which it came.
"""

from __future__ import annotations

from syncengine.index.database import Database
from syncengine.model import Token


class Waits:
    """What whole mailboxes of the queue wait for."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def wake(self, mailbox: str) -> float | None:
        """When something of a mailbox is due next, seconds since the epoch; None if nothing is."""
        row = self._db.execute(
            "SELECT min(due) AS due FROM ("
            " SELECT min(next_try) AS due FROM queue WHERE mailbox = :mailbox AND state = 'due'"
            " UNION ALL SELECT min(copies_due) FROM queue WHERE mailbox = :mailbox)",
            {"mailbox": mailbox},
        ).fetchone()
        return None if row["due"] is None else float(row["due"])

    def doubtful(self, mailbox: str) -> float | None:
        """When something in doubt may be repeated where nothing can be looked up."""
        row = self._db.execute(
            "SELECT min(next_try) AS due FROM queue WHERE mailbox = ? AND state = 'in-doubt'", [mailbox]
        ).fetchone()
        return None if row["due"] is None else float(row["due"])

    def repeat_doubtful(self, mailbox: str, now: float) -> None:
        """What is in doubt where nothing can be looked up is due again when its time has come."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = 'due' WHERE mailbox = ? AND state = 'in-doubt'"
                " AND lease_owner IS NULL AND next_try <= ?",
                [mailbox, now],
            )

    def hold(self, mailbox: str, token: Token, now: float, until: float) -> None:
        """The server was not reachable for ``token``: what would be due waits as well, in its order."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET next_try = max(next_try, ?), held = 1 WHERE mailbox = ? AND state = 'due'"
                " AND (held OR next_try <= ? OR token = ?)",
                [until, mailbox, now, token],
            )

    def postpone(self, mailbox: str, now: float, until: float) -> None:
        """There was no room at the server: what is due asks again later, in its order."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET next_try = max(next_try, ?), held = 1 WHERE mailbox = ? AND state = 'due'"
                " AND (held OR next_try <= ?)",
                [until, mailbox, now],
            )
            self._db.execute(
                "UPDATE queue SET copies_due = ? WHERE mailbox = ? AND copies_due <= ?", [until, mailbox, now]
            )

    def block(self, mailbox: str, options: str, reply: str) -> None:
        """Nothing is sent under these options any more: whatever is due waits until they change."""
        with self._db.write():
            self._db.execute(
                "UPDATE queue SET state = 'blocked', options = ?, last_reply = ?, held = 0"
                " WHERE mailbox = ? AND state IN ('due', 'blocked')",
                [options, reply, mailbox],
            )

    def blocked(self, mailbox: str) -> bool:
        """Whether a mailbox waits for a changed configuration."""
        return (
            self._db.execute(
                "SELECT 1 FROM queue WHERE mailbox = ? AND state = 'blocked' LIMIT 1", [mailbox]
            ).fetchone()
            is not None
        )

    def unblock(self, mailbox: str, now: float, *, unless: str | None = None) -> int:
        """Go on with what was blocked, except under the options ``unless``; how many."""
        with self._db.write():
            cursor = self._db.execute(
                "UPDATE queue SET state = 'due', next_try = ?, options = NULL"
                " WHERE mailbox = ? AND state = 'blocked' AND options IS NOT ?",
                [now, mailbox, unless],
            )
            return cursor.rowcount
