"""What was said of messages, so that it is said once: durable, and forgotten when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from syncengine.index.database import Database
from syncengine.model import Token


class Notice(StrEnum):
    """What is said once of a message."""

    UNLINKED = "unlinked"
    """It is found only where the sync mode does not look, or nowhere after its folder changed."""
    UNFILED = "unfiled"
    """It arrived in INBOX, and the sync mode is voice-mail-folder."""


class Said:
    """What was said of the messages of each account (``pairs.said``)."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def renew(self, account: int, holds: Mapping[Token, Notice]) -> dict[Token, Notice]:
        """Store what holds now, and return what of it was not said yet."""
        rows = self._db.execute(
            "SELECT token, said FROM pairs WHERE account = ? AND said IS NOT NULL", [account]
        )
        said = {Token(row["token"]): Notice(row["said"]) for row in rows}
        over = said.keys() - holds.keys()
        news = {token: notice for token, notice in holds.items() if said.get(token) is not notice}
        if over or news:
            changes: list[tuple[Notice | None, int, Token]] = [(None, account, token) for token in over]
            changes += [(notice, account, token) for token, notice in news.items()]
            with self._db.write():
                self._db.executemany("UPDATE pairs SET said = ? WHERE account = ? AND token = ?", changes)
        return news
