"""What the engine remembers, in SQLite: the only package that speaks SQL."""

from __future__ import annotations

from pathlib import Path

from syncengine.index.database import Database
from syncengine.index.emails import EmailRow, Emails
from syncengine.index.hours import DAY, Hour, Hours
from syncengine.index.messages import Messages
from syncengine.index.pairs import Intent, Pairs, Pending
from syncengine.index.passes import HeldDelete, Passes, PassRecord
from syncengine.index.pop3 import DeleteState, Pop3Delete, Pop3Deletes
from syncengine.index.pop3mails import Pop3Mails
from syncengine.index.queue import DELETED_FIRST, Queue, Queued, QueueState
from syncengine.index.renames import Renames
from syncengine.index.reports import Reports
from syncengine.index.said import Notice, Said
from syncengine.index.views import AccountRow, Views
from syncengine.index.waits import Waits

__all__ = [
    "DAY",
    "DELETED_FIRST",
    "AccountRow",
    "Database",
    "DeleteState",
    "EmailRow",
    "Emails",
    "HeldDelete",
    "Hour",
    "Hours",
    "Index",
    "Intent",
    "Messages",
    "Notice",
    "Pairs",
    "PassRecord",
    "Passes",
    "Pending",
    "Pop3Delete",
    "Pop3Deletes",
    "Pop3Mails",
    "Queue",
    "QueueState",
    "Queued",
    "Reports",
    "Views",
    "Waits",
]


class Index:
    """The whole index: its tables by subject, over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.messages = Messages(database)
        self.views = Views(database)
        self.renames = Renames(database)
        self.pairs = Pairs(database)
        self.said = Said(database)
        self.queue = Queue(database)
        self.waits = Waits(database)
        self.pop3 = Pop3Deletes(database)
        self.reports = Reports(database)
        self.emails = Emails(database)
        self.passes = Passes(database)
        self.hours = Hours(database)

    @classmethod
    def open(cls, state_dir: Path) -> Index:
        """Open or make the index in ``state_dir``; raises ``EngineError`` if it cannot be used."""
        return cls(Database(state_dir))

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
