"""Sums over all mailboxes, for whoever watches the whole: cheap enough to be asked every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncengine.index.database import Database


@dataclass(frozen=True, slots=True)
class Totals:
    """How much waits; mailboxes' times are seconds since the epoch."""

    queue: Mapping[str, int]
    """Messages by the state of their sending."""
    pending: int
    unconfirmed: int
    held: int
    failing: int
    """Mailboxes whose last pass failed."""
    last_success: Mapping[str, float]
    """When each mailbox's last good pass was."""


def totals(database: Database) -> Totals:
    """Sum up the index."""
    queue = database.execute("SELECT state, count(*) AS n FROM queue GROUP BY state")
    pending = database.execute(
        "SELECT count(*) AS n, total(expired) AS expired FROM pairs WHERE pending IS NOT NULL"
    ).fetchone()
    held = database.execute("SELECT count(*) AS n FROM inferred WHERE state = 'held'").fetchone()
    passes = database.execute("SELECT mailbox, last_ok, last_error FROM passes").fetchall()
    return Totals(
        queue={row["state"]: row["n"] for row in queue},
        pending=pending["n"] - int(pending["expired"]),
        unconfirmed=int(pending["expired"]),
        held=held["n"],
        failing=sum(1 for row in passes if row["last_error"] is not None),
        last_success={row["mailbox"]: row["last_ok"] for row in passes if row["last_ok"] is not None},
    )
