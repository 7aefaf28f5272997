"""Delivery status notifications that were seen in the account and are still to be read.

Noted in the transaction that moves the folder's cursor, so that none is passed over by a crash.
"""

from __future__ import annotations

from syncengine.index.database import Database
from syncengine.model import Place, Uid, UidValidity


class Reports:
    """Places of notifications, per account."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def unread(self, account: int, most: int) -> tuple[Place, ...]:
        """Those in scope that nobody has read, the newest first."""
        rows = self._db.execute(
            "SELECT f.name, r.uidvalidity, r.uid FROM reports r JOIN folders f ON r.folder = f.id"
            " WHERE f.account = ? AND f.role = 'live' AND NOT r.read AND r.uidvalidity IS f.uidvalidity"
            " ORDER BY r.uid DESC LIMIT ?",
            [account, most],
        )
        return tuple(Place(row["name"], UidValidity(row["uidvalidity"]), Uid(row["uid"])) for row in rows)

    def read(self, account: int, place: Place) -> None:
        """Record that one was read, whatever it said."""
        with self._db.write():
            self._db.execute(
                "UPDATE reports SET read = 1 WHERE uidvalidity = ? AND uid = ?"
                " AND folder = (SELECT id FROM folders WHERE account = ? AND name = ?)",
                [place.uidvalidity, place.uid, account, place.folder],
            )

    def pass_over(self, account: int) -> None:
        """None of those noted so far can be about anything that is under way."""
        waiting = (
            "SELECT 1 FROM reports r JOIN folders f ON r.folder = f.id WHERE f.account = ? AND NOT r.read"
        )
        if self._db.execute(f"{waiting} LIMIT 1", [account]).fetchone() is None:
            return
        with self._db.write():
            self._db.execute(
                "UPDATE reports SET read = 1 WHERE folder IN (SELECT id FROM folders WHERE account = ?)",
                [account],
            )
