"""What both sides last agreed on, per account and token, and the intents behind every effect.

The base moves only for confirmed outcomes; an intent is recorded before its effect begins.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from syncengine.index.database import Database
from syncengine.model import Side, State, Token, Verb
from syncengine.rules.compare import Memory


@dataclass(frozen=True, slots=True)
class Intent:
    """An effect that was begun; open until its outcome is recorded."""

    id: int
    token: Token
    side: Side
    verb: Verb
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pending:
    """Something done on one side and not yet confirmed by the other."""

    token: Token
    what: str
    since: float
    deadline: float | None
    """When the engine stops expecting it; None = never."""
    expired: bool
    """The deadline passed and a complete look after it did not find it."""


_LIVE = (
    "SELECT s.token FROM sightings s JOIN folders f ON s.folder = f.id"
    " WHERE f.account = :account AND s.gone = '' AND s.uidvalidity IS f.uidvalidity AND f.role {role}"
)


class Pairs:
    """Bases, memories, intents and pending things of each account."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def memories(self, account: int) -> dict[Token, Memory]:
        """Everything remembered of an account's tokens."""
        rows = self._db.execute("SELECT * FROM pairs WHERE account = ?", [account])
        return {Token(row["token"]): _memory(row) for row in rows}

    def memory(self, account: int, token: Token) -> Memory | None:
        """What is remembered of one token."""
        row = self._db.execute(
            "SELECT * FROM pairs WHERE account = ? AND token = ?", [account, token]
        ).fetchone()
        return _memory(row) if row else None

    def details(self, account: int) -> dict[Token, sqlite3.Row]:
        """The rows themselves, for status and reports."""
        rows = self._db.execute("SELECT * FROM pairs WHERE account = ?", [account])
        return {Token(row["token"]): row for row in rows}

    def note_local(self, account: int, shown: Mapping[Token, State]) -> None:
        """Store what a proven listing of the voice-mail store showed; what it lacks was deleted there."""
        changed = []
        for token, memory in self.memories(account).items():
            state = shown.get(token)
            if state is None and memory.local is not None:
                state = State.DELETED
            if state is not memory.local:
                changed.append((state, account, token))
        if changed:
            with self._db.write():
                self._db.executemany("UPDATE pairs SET local = ? WHERE account = ? AND token = ?", changed)

    def note_sightings(self, account: int) -> None:
        """Bring memories up to date with the sightings just stored; give further copies their base."""
        key = {"account": account}
        with self._db.write():
            self._db.execute(
                "INSERT OR IGNORE INTO pairs (account, token) SELECT :account, token FROM ("
                + _LIVE.format(role="IN ('live', 'outside', 'trash', 'junk', 'all')")
                + ")",
                key,
            )
            live = _LIVE.format(role="= 'live'")
            aside = _LIVE.format(role="IN ('outside', 'junk', 'all')")
            trash = _LIVE.format(role="= 'trash'")
            self._db.execute(
                "UPDATE pairs SET sighted = 1, linked = 1, absent = 0, home = (SELECT f.name FROM sightings s"
                " JOIN folders f ON s.folder = f.id WHERE f.account = :account AND s.token = pairs.token"
                " AND s.gone = '' AND f.role = 'live' ORDER BY s.deleted, f.name LIMIT 1)"
                f" WHERE account = :account AND token IN ({live})",
                key,
            )
            self._db.execute(
                "UPDATE pairs SET linked = 0, absent = 0, sighted = 1 WHERE account = :account"
                f" AND base IS NOT 'deleted' AND token IN ({aside}) AND token NOT IN ({live})"
                f" AND token NOT IN ({trash})",
                key,
            )
            self._db.execute(
                f"UPDATE pairs SET trashed = 1, absent = 0 WHERE account = :account AND token IN ({trash})",
                key,
            )
            self._db.execute(
                f"UPDATE pairs SET spare = 1 WHERE account = :account AND token IN ({trash})"
                f" AND token IN ({live} AND NOT s.deleted) AND base IN ('new', 'heard')",
                key,
            )
            self._inherit(account)

    def _inherit(self, account: int) -> None:
        """The only copy of a message takes the message's base; a further copy has none of its own."""
        self._db.execute(
            "UPDATE sightings SET base_seen = (SELECT p.base = 'heard' FROM pairs p"
            "  WHERE p.account = :account AND p.token = sightings.token)"
            " WHERE base_seen IS NULL AND gone = ''"
            " AND folder IN (SELECT id FROM folders WHERE account = :account)"
            " AND token IN (SELECT token FROM pairs WHERE account = :account AND base IN ('new', 'heard'))"
            " AND NOT EXISTS (SELECT 1 FROM sightings o JOIN folders f ON o.folder = f.id"
            "  WHERE f.account = :account AND o.token = sightings.token AND o.gone = ''"
            "  AND o.base_seen IS NOT NULL AND NOT o.deleted AND f.role IN ('live', 'outside'))",
            {"account": account},
        )
        # A further copy that shows what was agreed has nothing to be brought to: what comes next is a change.
        self._db.execute(
            "UPDATE sightings SET base_seen = seen WHERE base_seen IS NULL AND gone = ''"
            " AND folder IN (SELECT id FROM folders WHERE account = :account)"
            " AND EXISTS (SELECT 1 FROM pairs p WHERE p.account = :account AND p.token = sightings.token"
            "  AND p.base IN ('new', 'heard') AND sightings.seen = (p.base = 'heard'))",
            {"account": account},
        )

    def home(self, account: int, token: Token) -> str:
        """The folder where a message was last live, '' when it never was."""
        row = self._db.execute(
            "SELECT home FROM pairs WHERE account = ? AND token = ?", [account, token]
        ).fetchone()
        return str(row["home"] or "") if row else ""

    def set_absent(self, account: int, tokens: Iterable[Token]) -> None:
        """Record that a sound look did not find these."""
        with self._db.write():
            self._db.executemany(
                "UPDATE pairs SET absent = 1 WHERE account = ? AND token = ?",
                [(account, token) for token in tokens],
            )

    def note_trashed(self, account: int, tokens: Iterable[Token]) -> None:
        """Record that we moved these to Trash."""
        with self._db.write():
            self._db.executemany(
                "UPDATE pairs SET trashed = 1 WHERE account = ? AND token = ?",
                [(account, token) for token in tokens],
            )

    def settle(self, account: int, token: Token, base: State, now: float, *, by_phone: bool = False) -> None:
        """Move the base: both sides are known to agree on ``base``."""
        with self._db.write():
            self._db.execute(
                "INSERT INTO pairs (account, token, base) VALUES (:account, :token, :base)"
                " ON CONFLICT (account, token) DO UPDATE SET base = :base,"
                " deleted_by_phone = CASE WHEN :base = 'deleted' THEN :phone ELSE 0 END,"
                " closed_at = CASE WHEN :base = 'deleted' THEN :now END, absent = 0,"
                " spare = CASE WHEN :base = 'deleted' THEN 0 ELSE spare END,"
                " trashed = CASE WHEN :base = 'deleted' THEN trashed ELSE 0 END,"
                " pending = NULL, pending_since = NULL, deadline = NULL, expired = 0, error = NULL",
                {"account": account, "token": token, "base": base, "now": now, "phone": by_phone},
            )
            if base is not State.DELETED:
                self._db.execute(
                    "UPDATE sightings SET base_seen = seen WHERE token = ? AND seen = ? AND gone = ''"
                    " AND folder IN (SELECT id FROM folders WHERE account = ?)",
                    [token, base is State.HEARD, account],
                )

    def handed_over(self, account: int, token: Token, base: State, now: float) -> None:
        """Record, before it begins, that a message goes to the account in this state; its time runs anew."""
        with self._db.write():
            self._db.execute(
                "INSERT INTO pairs (account, token, base, local, sent_at)"
                " VALUES (:account, :token, :base, :base, :now)"
                " ON CONFLICT (account, token) DO UPDATE SET base = :base, sent_at = :now, sighted = 0,"
                " absent = 0, linked = 1, trashed = 0, closed_at = NULL,"
                " pending = NULL, pending_since = NULL, deadline = NULL, expired = 0",
                {"account": account, "token": token, "base": base, "now": now},
            )

    def taken_back(self, account: int, token: Token, base: State | None) -> None:
        """The hand-over is known not to have happened: the pair is as it was."""
        with self._db.write():
            self._db.execute(
                "UPDATE pairs SET base = ?, sent_at = NULL WHERE account = ? AND token = ? AND sighted = 0",
                [base, account, token],
            )

    def set_error(self, account: int, token: Token, error: str | None) -> None:
        """Remember the last thing that went wrong with a message."""
        with self._db.write():
            self._db.execute(
                "UPDATE pairs SET error = ? WHERE account = ? AND token = ?", [error, account, token]
            )

    def refuse(self, account: int, token: Token, error: str) -> None:
        """Remember that a message cannot be adopted, so that it is said once."""
        with self._db.write():
            self._db.execute(
                "UPDATE pairs SET refused = 1, error = ? WHERE account = ? AND token = ?",
                [error, account, token],
            )

    # Intents

    def open_intent(
        self, account: int, token: Token, side: Side, verb: Verb, now: float, detail: Mapping[str, Any]
    ) -> int:
        """Record that an effect is about to begin."""
        with self._db.write():
            cursor = self._db.execute(
                "INSERT INTO intents (account, token, side, verb, detail, opened_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [account, token, side, verb, json.dumps(detail), now],
            )
            return int(cursor.lastrowid or 0)

    def close_intents(self, intents: Iterable[int], outcome: str, now: float) -> None:
        """Record what became of effects."""
        with self._db.write():
            self._db.executemany(
                "UPDATE intents SET closed_at = ?, outcome = ? WHERE id = ?",
                [(now, outcome, intent) for intent in intents],
            )

    def open_intents(self, account: int) -> tuple[Intent, ...]:
        """Effects without a recorded outcome: what a crash left open."""
        rows = self._db.execute(
            "SELECT * FROM intents WHERE account = ? AND closed_at IS NULL ORDER BY id", [account]
        )
        return tuple(
            Intent(
                row["id"],
                Token(row["token"]),
                Side(row["side"]),
                Verb(row["verb"]),
                json.loads(row["detail"]),
            )
            for row in rows
        )

    # Pending

    def pending(self, account: int) -> tuple[Pending, ...]:
        """What is not confirmed yet, the oldest first."""
        rows = self._db.execute(
            "SELECT * FROM pairs WHERE account = ? AND pending IS NOT NULL ORDER BY pending_since", [account]
        )
        return tuple(
            Pending(
                Token(row["token"]),
                row["pending"],
                row["pending_since"],
                row["deadline"],
                bool(row["expired"]),
            )
            for row in rows
        )

    def set_pending(self, account: int, wanted: Mapping[Token, str], now: float, timer: float) -> None:
        """What is pending now; what was pending already keeps its age and deadline. ``timer`` 0 = no end."""
        deadline = now + timer if timer else None
        with self._db.write():
            for pending in self.pending(account):
                if pending.token not in wanted:
                    self._db.execute(
                        "UPDATE pairs SET pending = NULL, pending_since = NULL, deadline = NULL, expired = 0"
                        " WHERE account = ? AND token = ?",
                        [account, pending.token],
                    )
            self._db.executemany(
                "UPDATE pairs SET pending_since = CASE WHEN pending IS ?1 THEN pending_since ELSE ?2 END,"
                " deadline = CASE WHEN pending IS ?1 THEN deadline ELSE ?3 END,"
                " expired = CASE WHEN pending IS ?1 THEN expired ELSE 0 END, pending = ?1"
                " WHERE account = ?4 AND token = ?5",
                [(what, now, deadline, account, token) for token, what in wanted.items()],
            )

    def shift_deadlines(self, account: int, seconds: float) -> None:
        """Move what is not expired later: the time in which no pass succeeded does not count."""
        with self._db.write():
            self._db.execute(
                "UPDATE pairs SET deadline = deadline + ? WHERE account = ? AND NOT expired",
                [seconds, account],
            )

    def shift_all_deadlines(self, seconds: float) -> None:
        """The wall clock jumped: every deadline and age moves with it, undo windows and tombstones too."""
        with self._db.write():
            self._db.execute(
                "UPDATE pairs SET deadline = deadline + :jump, pending_since = pending_since + :jump"
                " WHERE pending IS NOT NULL",
                {"jump": seconds},
            )
            self._db.execute("UPDATE pairs SET closed_at = closed_at + ?", [seconds])
            self._db.execute("UPDATE messages SET deleted_at = deleted_at + ?", [seconds])
            self._db.execute("UPDATE inferred SET since = since + ?", [seconds])

    def expire(self, account: int, tokens: Iterable[Token]) -> None:
        """A complete look after the deadline did not find these: ``unconfirmed``."""
        with self._db.write():
            self._db.executemany(
                "UPDATE pairs SET expired = 1 WHERE account = ? AND token = ?",
                [(account, token) for token in tokens],
            )

    def prune(self, account: int, before: float) -> None:
        """Forget what ended before ``before``: closed intents, places that are gone, agreed deletes."""
        values = {"account": account, "before": before}
        with self._db.write():
            self._db.execute("DELETE FROM intents WHERE account = :account AND closed_at < :before", values)
            self._db.execute(
                "DELETE FROM sightings WHERE gone != '' AND gone_at < :before"
                " AND folder IN (SELECT id FROM folders WHERE account = :account)",
                values,
            )
            agreed = (
                "SELECT token FROM pairs WHERE account = :account AND base = 'deleted'"
                " AND closed_at < :before AND token NOT IN (SELECT s.token FROM sightings s"
                " JOIN folders f ON s.folder = f.id WHERE f.account = :account AND s.gone = '')"
            )
            self._db.execute(
                "DELETE FROM messages WHERE content IS NULL AND deleted_at < :before"
                f" AND 'vm-' || id || '-z' IN ({agreed})",
                values,
            )
            self._db.execute(
                "DELETE FROM queue WHERE state IN ('sent', 'undeliverable', 'cancelled', 'not-sent')"
                " AND mailbox = (SELECT mailbox FROM accounts WHERE id = :account)"
                f" AND token IN ({agreed}) AND token NOT IN (SELECT 'vm-' || id || '-z' FROM messages)",
                values,
            )
            self._db.execute(
                f"DELETE FROM pairs WHERE account = :account AND token IN ({agreed})"
                " AND token NOT IN (SELECT 'vm-' || id || '-z' FROM messages)",
                values,
            )


def _memory(row: sqlite3.Row) -> Memory:
    return Memory(
        token=Token(row["token"]),
        base=State(row["base"]) if row["base"] else None,
        in_flight=row["sent_at"] is not None and not row["sighted"],
        sighted=bool(row["sighted"]),
        linked=bool(row["linked"]),
        absent=bool(row["absent"]),
        trashed=bool(row["trashed"]),
        deleted_by_phone=bool(row["deleted_by_phone"]),
        refused=bool(row["refused"]),
        spare=bool(row["spare"]),
        home=row["home"] or "",
        expired=bool(row["expired"]),
        local=State(row["local"]) if row["local"] else None,
    )
