"""What waits in every mailbox at once, for a list of all of them: a few sums, no message is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncengine.index.database import Database
from syncengine.index.passes import PassRecord

AccountKey = tuple[str, str, str]
"""Mailbox, host in lower case, login."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Sums of all mailboxes; what stands in none of them has nothing."""

    pending: Mapping[AccountKey, int]
    """What was pending in each account when it was last passed over."""
    held: Mapping[AccountKey, int]
    """Deletes that the brake holds."""
    queued: Mapping[str, int]
    """Messages of a mailbox that are still to be sent."""
    blocked: Mapping[str, str]
    """Why nothing is sent until the options change."""
    passes: Mapping[str, PassRecord]


def overview(database: Database) -> Overview:
    """Sum up every mailbox."""
    accounts: dict[int, AccountKey] = {
        row["id"]: (row["mailbox"], row["host"], row["login"])
        for row in database.execute("SELECT id, mailbox, host, login FROM accounts")
    }
    pending = database.execute(
        "SELECT account, count(*) AS n FROM pairs WHERE pending IS NOT NULL GROUP BY account"
    )
    held = database.execute(
        "SELECT account, count(*) AS n FROM inferred WHERE state = 'held' GROUP BY account"
    )
    queued = database.execute(
        "SELECT mailbox, count(*) AS n FROM queue WHERE state IN ('due', 'claimed', 'blocked')"
        " GROUP BY mailbox"
    )
    blocked = database.execute(
        "SELECT mailbox, min(last_reply) AS reply FROM queue WHERE state = 'blocked' GROUP BY mailbox"
    )
    passes = database.execute("SELECT * FROM passes")
    return Overview(
        pending={accounts[row["account"]]: row["n"] for row in pending},
        held={accounts[row["account"]]: row["n"] for row in held},
        queued={row["mailbox"]: row["n"] for row in queued},
        blocked={row["mailbox"]: row["reply"] or "" for row in blocked},
        passes={
            row["mailbox"]: PassRecord(
                row["dirty_since"], row["last_pass"], row["last_ok"], row["last_error"], row["next_try"]
            )
            for row in passes
        },
    )
