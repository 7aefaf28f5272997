"""What the passes of each hour of the last day came to, per mailbox and for all of them together.

Invariant: at most 25 rows a mailbox, those of the hour that runs and of the 24 before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from syncengine.index.database import Database

HOUR = 3600
DAY = 24
_ALL = ""
"""Stands for all mailboxes together; no mailbox has a blank number."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour; ``start`` in seconds since the epoch."""

    start: int
    passes: int = 0
    failures: int = 0
    """Passes that failed; they are in ``passes`` too."""
    changes: int = 0
    """What was done at either side."""


class Hours:
    """The sums of passes by the hour."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, mailbox: str, now: float, changes: int, *, failed: bool) -> None:
        """Add a pass to its hour; what is older than a day is forgotten."""
        hour = int(now // HOUR)
        with self._db.write():
            self._db.executemany(
                "INSERT INTO hours (hour, mailbox, passes, failures, changes) VALUES (?, ?, 1, ?, ?)"
                " ON CONFLICT (hour, mailbox) DO UPDATE SET passes = passes + 1,"
                " failures = failures + excluded.failures, changes = changes + excluded.changes",
                [(hour, name, int(failed), changes) for name in (mailbox, _ALL)],
            )
            # Those ahead are from a clock that was: they would stay for as long as it was ahead.
            self._db.execute("DELETE FROM hours WHERE hour < ?", [hour - DAY])
            self._db.execute("DELETE FROM hours WHERE hour > ?", [hour])

    def day(self, now: float, mailbox: str = _ALL) -> tuple[Hour, ...]:
        """The hour that runs and the 23 before it, the oldest first; without a mailbox those of all."""
        last = int(now // HOUR)
        hours = range(last - DAY + 1, last + 1)
        rows = self._db.execute(
            f"SELECT * FROM hours WHERE mailbox = ? AND hour IN ({', '.join('?' * DAY)})", [mailbox, *hours]
        )
        known = {row["hour"]: (row["passes"], row["failures"], row["changes"]) for row in rows}
        return tuple(Hour(hour * HOUR, *known.get(hour, (0, 0, 0))) for hour in hours)
