"""What concerns a mailbox as a whole: dirty marks, the last pass, held deletes, facts of the index."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syncengine.index.database import Database
from syncengine.model import Token


@dataclass(frozen=True, slots=True)
class PassRecord:
    """What is known of a mailbox's passes; times are seconds since the epoch."""

    dirty_since: float | None = None
    last_pass: float | None = None
    last_ok: float | None = None
    last_error: str | None = None
    next_try: float | None = None


@dataclass(frozen=True, slots=True)
class HeldDelete:
    """An inferred delete that the brake holds, since when."""

    token: Token
    since: float


class Passes:
    """Rows about whole mailboxes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, mailbox: str) -> PassRecord:
        """What is known of a mailbox's passes."""
        row = self._db.execute("SELECT * FROM passes WHERE mailbox = ?", [mailbox]).fetchone()
        if row is None:
            return PassRecord()
        return PassRecord(
            row["dirty_since"], row["last_pass"], row["last_ok"], row["last_error"], row["next_try"]
        )

    def mark_dirty(self, mailbox: str, now: float) -> None:
        """Leave a durable mark: something changed, whoever passes next must look again."""
        with self._db.write():
            self._db.execute(
                "INSERT INTO passes (mailbox, dirty_since) VALUES (?, ?)"
                " ON CONFLICT (mailbox) DO UPDATE SET"
                " dirty_since = coalesce(dirty_since, excluded.dirty_since)",
                [mailbox, now],
            )

    def take_dirty(self, mailbox: str) -> bool:
        """Take the mark away, before looking; whether there was one."""
        with self._db.write():
            cursor = self._db.execute(
                "UPDATE passes SET dirty_since = NULL WHERE mailbox = ? AND dirty_since IS NOT NULL",
                [mailbox],
            )
            return cursor.rowcount == 1

    def dirty(self) -> Mapping[str, float]:
        """Mailboxes that carry the mark, and since when (to some microseconds).

        All in one row: the interpreter's lock is let go at each, which in a busy service is a switch of
        threads for each.
        """
        row = self._db.execute(
            "SELECT json_group_object(mailbox, dirty_since) AS marks FROM passes"
            " WHERE dirty_since IS NOT NULL"
        ).fetchone()
        return dict(json.loads(row["marks"]))

    def record(self, mailbox: str, now: float, error: str | None) -> None:
        """Record how a pass ended."""
        with self._db.write():
            self._db.execute(
                "INSERT INTO passes (mailbox, last_pass, last_ok, last_error)"
                " VALUES (:mailbox, :now, CASE WHEN :error IS NULL THEN :now END, :error)"
                " ON CONFLICT (mailbox) DO UPDATE SET last_pass = :now, last_error = :error,"
                " last_ok = CASE WHEN :error IS NULL THEN :now ELSE last_ok END",
                {"mailbox": mailbox, "now": now, "error": error},
            )

    def latest_pass(self) -> float | None:
        """The latest time that a pass has recorded."""
        row = self._db.execute("SELECT max(last_pass) AS last FROM passes").fetchone()
        return row["last"] if row else None

    def plan(self, next_tries: Mapping[str, float | None]) -> None:
        """Record when the service will pass over mailboxes again."""
        with self._db.write():
            self._db.executemany(
                "INSERT INTO passes (mailbox, next_try) VALUES (?, ?)"
                " ON CONFLICT (mailbox) DO UPDATE SET next_try = excluded.next_try",
                next_tries.items(),
            )

    def looked(self, times: Mapping[str, float]) -> None:
        """Record that mailboxes were found as their last pass, which succeeded, had left them."""
        with self._db.write():
            self._db.executemany(
                "UPDATE passes SET last_pass = ?1, last_ok = ?1 WHERE mailbox = ?2 AND last_error IS NULL",
                [(when, mailbox) for mailbox, when in times.items()],
            )

    def account_outcome(self, account: int, now: float, *, ok: bool) -> float:
        """Record success or failure of an account's pass; how long it had been failing (s)."""
        with self._db.write():
            row = self._db.execute("SELECT failing_since FROM accounts WHERE id = ?", [account]).fetchone()
            since = row["failing_since"] if row else None
            if ok:
                self._db.execute(
                    "UPDATE accounts SET last_success = ?, failing_since = NULL WHERE id = ?", [now, account]
                )
                return max(0.0, now - since) if since is not None else 0.0
            self._db.execute(
                "UPDATE accounts SET failing_since = coalesce(failing_since, ?) WHERE id = ?", [now, account]
            )
            return 0.0

    # Inferred deletes: held, let through, applied

    def held(self, account: int) -> tuple[HeldDelete, ...]:
        """What the brake holds."""
        return self._inferred(account, "held")

    def allowed(self, account: int) -> frozenset[Token]:
        """Inferred deletes that the operator let through."""
        return frozenset(h.token for h in self._inferred(account, "allowed"))

    def _inferred(self, account: int, state: str) -> tuple[HeldDelete, ...]:
        rows = self._db.execute(
            "SELECT token, since FROM inferred WHERE account = ? AND state = ?", [account, state]
        )
        return tuple(HeldDelete(Token(row["token"]), row["since"]) for row in rows)

    def set_held(self, account: int, tokens: Iterable[Token], now: float) -> None:
        """What the brake holds now; what it held already keeps its age, the rest is forgotten."""
        tokens = set(tokens)
        with self._db.write():
            for held in self.held(account):
                if held.token not in tokens:
                    self._db.execute(
                        "DELETE FROM inferred WHERE account = ? AND token = ? AND state = 'held'",
                        [account, held.token],
                    )
            self._db.executemany(
                "INSERT INTO inferred (account, token, state, since) VALUES (?, ?, 'held', ?)"
                " ON CONFLICT (account, token) DO UPDATE SET state = 'held',"
                " since = CASE WHEN state = 'held' THEN since ELSE excluded.since END",
                [(account, token, now) for token in tokens],
            )

    def allow_held(self, account: int) -> int:
        """Let through exactly what is held now; how many."""
        with self._db.write():
            cursor = self._db.execute(
                "UPDATE inferred SET state = 'allowed' WHERE account = ? AND state = 'held'", [account]
            )
            return cursor.rowcount

    def end_allowance(self, account: int) -> None:
        """What was let through and did not have to be deleted is not let through another time."""
        with self._db.write():
            self._db.execute("DELETE FROM inferred WHERE account = ? AND state = 'allowed'", [account])

    def record_inferred(self, account: int, token: Token, now: float) -> None:
        """Record that an inferred delete was applied, for the count of the last 24 hours."""
        with self._db.write():
            self._db.execute(
                "INSERT INTO inferred (account, token, state, since) VALUES (?, ?, 'applied', ?)"
                " ON CONFLICT (account, token) DO UPDATE SET state = 'applied', since = excluded.since",
                [account, token, now],
            )

    def recent_inferred(self, account: int, since: float) -> int:
        """How many inferred deletes were applied since then."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM inferred WHERE account = ? AND state = 'applied' AND since >= ?",
            [account, since],
        ).fetchone()
        return int(row["n"])

    # Facts of the index itself

    def meta(self, name: str) -> str | None:
        """A fact about the index, such as the id of the voice store it belongs to."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
        return str(row["value"]) if row else None

    def set_meta(self, name: str, value: str) -> None:
        """Set a fact about the index."""
        with self._db.write():
            self._db.execute(
                "INSERT INTO meta (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                [name, value],
            )
