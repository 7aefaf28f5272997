"""Folders that hold messages of ours under a new name: they stay in scope, subscribed or not."""

from __future__ import annotations

from syncengine.index.database import Database


class Renames:
    """Rows about folders that appeared when one in scope went (``folders.follows``)."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def kept(self, account: int) -> frozenset[str]:
        """Folders that hold our messages under a new name."""
        return self._names(account, sure=True)

    def suspected(self, account: int) -> frozenset[str]:
        """Folders that appeared when one in scope went and were not decided about yet."""
        return self._names(account, sure=False)

    def _names(self, account: int, *, sure: bool) -> frozenset[str]:
        rows = self._db.execute("SELECT name FROM folders WHERE account = ? AND follows = ?", [account, sure])
        return frozenset(row["name"] for row in rows)

    def decide(self, account: int) -> None:
        """Keep those suspected that hold messages of ours whose own folder is gone; forget the others."""
        with self._db.write():
            self._db.execute(
                "UPDATE folders SET follows = CASE WHEN EXISTS (SELECT 1 FROM sightings s JOIN pairs p"
                "  ON p.account = folders.account AND p.token = s.token"
                "  WHERE s.folder = folders.id AND s.gone = '' AND NOT EXISTS (SELECT 1 FROM folders h"
                "   WHERE h.account = folders.account AND h.name = p.home)) THEN 1 END"
                " WHERE account = ? AND follows = 0",
                [account],
            )
