"""The stored view of the e-mail side: accounts, folders with their cursors, sightings.

What a folder showed and the cursor behind it are stored in one transaction, so that a cursor never
runs ahead of what is known. A UID that we removed is never sighted again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from syncengine.index.database import Database
from syncengine.model import (
    DELETED,
    SEEN,
    Cursor,
    FlagState,
    FolderDelta,
    Found,
    HeaderFields,
    ModSeq,
    Outcome,
    Place,
    Role,
    Sighting,
    Token,
    Uid,
    UidValidity,
)

_MOST_REPORTS = 100
_DOUBT_SECONDS = 60.0
"""How long a flag that contradicts our own STORE is not believed (without a higher MODSEQ)."""

_DISTRUSTED = "-"


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account of one mailbox: what bases and sightings belong to."""

    id: int
    looked: bool
    """A complete look over all folders was made: before it nothing is sent."""
    last_success: float | None
    failing_since: float | None


class Views:
    """Accounts, folders and sightings."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find_account(self, mailbox: str, host: str, login: str) -> AccountRow | None:
        """The account of a mailbox, None if it was never passed over."""
        row = self._db.execute(
            "SELECT * FROM accounts WHERE mailbox = ? AND host = ? AND login = ?",
            [mailbox, host.lower(), login],
        ).fetchone()
        if row is None:
            return None
        return AccountRow(row["id"], bool(row["looked"]), row["last_success"], row["failing_since"])

    def account(self, mailbox: str, host: str, login: str) -> AccountRow:
        """The account of a mailbox, made when first seen."""
        found = self.find_account(mailbox, host, login)
        if found is not None:
            return found
        with self._db.write():
            self._db.execute(
                "INSERT OR IGNORE INTO accounts (mailbox, host, login) VALUES (?, ?, ?)",
                [mailbox, host.lower(), login],
            )
        return self.account(mailbox, host, login)

    def set_looked(self, account: int) -> None:
        """Record that every folder has been read once without error."""
        with self._db.write():
            self._db.execute("UPDATE accounts SET looked = 1 WHERE id = ?", [account])

    def cursors(self, account: int) -> dict[str, Cursor]:
        """Where each folder's observation may resume."""
        rows = self._db.execute(
            "SELECT * FROM folders WHERE account = ? AND uidvalidity IS NOT NULL AND uidnext IS NOT NULL",
            [account],
        )
        return {row["name"]: _cursor(row) for row in rows}

    def store_folders(self, account: int, roles: Mapping[str, Role]) -> None:
        """Store the folders and what they mean now; what lay in a folder that is gone is unlinked.

        What appears while a live one that held messages of ours goes may be that one, renamed.
        """
        with self._db.write():
            known = {
                row["name"]: row
                for row in self._db.execute("SELECT * FROM folders WHERE account = ?", [account])
            }
            gone = known.keys() - roles.keys()
            held = self.known_uids(account).keys() if gone else frozenset()
            renamed = any(known[name]["role"] == Role.LIVE and name in held for name in gone)
            changed = [
                (account, name, role, 0 if renamed and name not in known else None)
                for name, role in roles.items()
                if name not in known or known[name]["role"] != role
            ]
            self._db.executemany(
                "INSERT INTO folders (account, name, role, follows) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (account, name) DO UPDATE SET role = excluded.role",
                changed,
            )
            for name in gone:
                self._forget(account, known[name]["id"])
                self._db.execute("DELETE FROM folders WHERE id = ?", [known[name]["id"]])

    def apply(
        self, account: int, delta: FolderDelta, recognise: Callable[[HeaderFields], Token | None], now: float
    ) -> None:
        """Store what a folder showed, and its cursor, in one transaction."""
        cursor = delta.cursor
        with self._db.write():
            folder = self._folder(account, cursor.folder)
            if folder is None:
                return
            if delta.reset:
                self._forget(account, folder)
            self._db.execute(
                "UPDATE folders SET uidvalidity = ?, uidnext = ?, highestmodseq = ?, messages = ?"
                " WHERE id = ?",
                [cursor.uidvalidity, cursor.uidnext, cursor.highestmodseq, cursor.messages, folder],
            )
            self._store_found(
                folder, ((f, token) for f in delta.found if (token := recognise(f.header)) is not None)
            )
            self._note_reports(folder, delta.found)
            self._flags(folder, cursor.uidvalidity, delta.flags, now)
            self._db.executemany(
                "UPDATE sightings SET gone = 'vanished', gone_at = ?"
                " WHERE folder = ? AND uidvalidity = ? AND uid = ? AND gone = ''",
                [(now, folder, cursor.uidvalidity, uid) for uid in delta.vanished],
            )

    def add_found(self, account: int, hits: Iterable[tuple[Token, Found]]) -> None:
        """Store what a search found and verified; it moves no cursor."""
        with self._db.write():
            for token, found in hits:
                folder = self._folder(account, found.place.folder)
                if folder is not None:
                    self._store_found(folder, [(found, token)])

    def _store_found(self, folder: int, found: Iterable[tuple[Found, Token]]) -> None:
        self._db.executemany(
            "INSERT INTO sightings (folder, uidvalidity, uid, token, message_id, seen, deleted, modseq)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folder, uidvalidity, uid) DO UPDATE SET"
            " token = excluded.token, message_id = excluded.message_id, seen = excluded.seen,"
            " deleted = excluded.deleted, modseq = excluded.modseq, gone = '' WHERE gone != 'removed'",
            [
                (
                    folder,
                    f.place.uidvalidity,
                    f.place.uid,
                    token,
                    f.header.message_id[:200],
                    SEEN in f.flags,
                    DELETED in f.flags,
                    f.modseq,
                )
                for f, token in found
            ],
        )

    def _note_reports(self, folder: int, found: Iterable[Found]) -> None:
        """Remember the newest delivery status notifications of a folder until they were read."""
        reports = [f.place for f in found if f.header.report_type == "delivery-status"]
        self._db.executemany(
            "INSERT OR IGNORE INTO reports (folder, uidvalidity, uid) VALUES (?, ?, ?)",
            [(folder, place.uidvalidity, place.uid) for place in reports[-_MOST_REPORTS:]],
        )

    def _flags(self, folder: int, validity: UidValidity, flags: Iterable[FlagState], now: float) -> None:
        self._db.executemany(
            "UPDATE sightings SET seen = :seen, deleted = :deleted, modseq = coalesce(:modseq, modseq),"
            " gone = '', stored_at = CASE WHEN stored_seen IS :seen THEN stored_at"
            "  WHEN :modseq IS NOT NULL OR seen = :seen OR stored_at < :doubt THEN NULL ELSE stored_at END"
            " WHERE folder = :folder AND uidvalidity = :validity AND uid = :uid AND gone != 'removed'"
            " AND NOT (:modseq IS NOT NULL AND modseq IS NOT NULL AND modseq > :modseq)",
            [
                {
                    "seen": SEEN in f.flags,
                    "deleted": DELETED in f.flags,
                    "modseq": f.modseq,
                    "doubt": now - _DOUBT_SECONDS,
                    "folder": folder,
                    "validity": validity,
                    "uid": f.uid,
                }
                for f in flags
            ],
        )

    def sightings(self, account: int, now: float) -> dict[Token, list[Sighting]]:
        """Every present sighting of an account, by token."""
        rows = self._db.execute(
            "SELECT s.*, f.name, f.role FROM folders f JOIN sightings s ON s.folder = f.id"
            " WHERE f.account = ? AND s.gone = '' AND s.uidvalidity IS f.uidvalidity",
            [account],
        )
        found: dict[Token, list[Sighting]] = {}
        for row in rows:
            sighting = _sighting(row, now)
            found.setdefault(sighting.token, []).append(sighting)
        return found

    def known_uids(self, account: int, *, vanished: bool = False) -> dict[str, list[Uid]]:
        """UIDs of ours per folder, ascending; with those that vanished where a look asks again."""
        gone = "('', 'vanished')" if vanished else "('')"
        rows = self._db.execute(
            "SELECT f.name, s.uid FROM folders f JOIN sightings s ON s.folder = f.id"
            f" WHERE f.account = ? AND s.uidvalidity IS f.uidvalidity AND s.gone IN {gone}"
            " ORDER BY f.name, s.uid",
            [account],
        )
        known: dict[str, list[Uid]] = {}
        for row in rows:
            known.setdefault(row["name"], []).append(row["uid"])
        return known

    def record_stored(self, account: int, outcomes: Sequence[tuple[Place, Outcome]], now: float) -> None:
        """Record flags that the server's own FETCH confirmed after our STORE."""
        with self._db.write():
            for place, outcome in outcomes:
                folder = self._folder(account, place.folder)
                if folder is None or outcome.flags is None:
                    continue
                seen = SEEN in outcome.flags.flags
                self._db.execute(
                    "UPDATE sightings SET seen = :seen, deleted = :deleted,"
                    " modseq = coalesce(:modseq, modseq),"
                    " base_seen = CASE WHEN :done THEN :seen ELSE base_seen END,"
                    " stored_seen = CASE WHEN :done THEN :seen ELSE stored_seen END,"
                    " stored_at = CASE WHEN :done THEN :now ELSE stored_at END"
                    " WHERE folder = :folder AND uidvalidity = :validity AND uid = :uid",
                    {
                        "seen": seen,
                        "deleted": DELETED in outcome.flags.flags,
                        "modseq": outcome.flags.modseq,
                        "done": outcome.done,
                        "now": now,
                        "folder": folder,
                        "validity": place.uidvalidity,
                        "uid": place.uid,
                    },
                )

    def record_removed(self, account: int, places: Iterable[Place], now: float) -> None:
        """Record UIDs that we moved away or expunged: they are never sighted again."""
        with self._db.write():
            self._db.executemany(
                "UPDATE sightings SET gone = 'removed', gone_at = ? WHERE uidvalidity = ? AND uid = ?"
                " AND folder = (SELECT id FROM folders WHERE account = ? AND name = ?)",
                [(now, p.uidvalidity, p.uid, account, p.folder) for p in places],
            )

    def record_placed(
        self, account: int, token: Token, place: Place, *, seen: bool, message_id: str = ""
    ) -> None:
        """Record where a message of ours was put (APPENDUID, COPYUID), with what was agreed for it."""
        with self._db.write():
            folder = self._folder(account, place.folder)
            if folder is None:
                return
            self._db.execute(
                "INSERT OR IGNORE INTO sightings"
                " (folder, uidvalidity, uid, token, message_id, seen, deleted, base_seen)"
                " VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
                [folder, place.uidvalidity, place.uid, token, message_id, seen, seen],
            )

    def busiest_folder(self, account: int) -> str | None:
        """The live folder that holds most of our messages, None where there is none yet."""
        row = self._db.execute(
            "SELECT f.name FROM sightings s JOIN folders f ON s.folder = f.id"
            " WHERE f.account = ? AND f.role = 'live' AND s.gone = ''"
            " GROUP BY f.id ORDER BY count(*) DESC, f.name LIMIT 1",
            [account],
        ).fetchone()
        return str(row["name"]) if row else None

    def was_seen(self, account: int, place: Place) -> bool:
        """Whether the copy at a place was read when it was last looked at."""
        row = self._db.execute(
            "SELECT s.seen FROM sightings s JOIN folders f ON s.folder = f.id"
            " WHERE f.account = ? AND f.name = ? AND s.uidvalidity = ? AND s.uid = ?",
            [account, place.folder, place.uidvalidity, place.uid],
        ).fetchone()
        return bool(row and row["seen"])

    def header_search_broken(self, host: str) -> bool:
        """Whether a server's header search was caught lying or refusing."""
        row = self._db.execute(
            "SELECT header_search_broken FROM servers WHERE host = ?", [host.lower()]
        ).fetchone()
        return bool(row and row["header_search_broken"])

    def capabilities(self, host: str) -> frozenset[str]:
        """What a server offered the last time, so that login and first commands can travel together."""
        known = self._capabilities(host)
        return frozenset() if known == _DISTRUSTED else _words(known)

    def note_capabilities(self, host: str, capabilities: frozenset[str]) -> None:
        """Remember what a server offers; written only when it changed."""
        words = " ".join(sorted(capabilities))
        if words and self._capabilities(host) not in (words, _DISTRUSTED):
            self._set_capabilities(host, words)

    def distrust_capabilities(self, host: str) -> None:
        """Ask this server anew each time: trusting what it offered before broke a login."""
        if self.capabilities(host):
            self._set_capabilities(host, _DISTRUSTED)

    def _capabilities(self, host: str) -> str:
        row = self._db.execute("SELECT capabilities FROM servers WHERE host = ?", [host.lower()]).fetchone()
        return str(row["capabilities"]) if row else ""

    def _set_capabilities(self, host: str, words: str) -> None:
        with self._db.write():
            self._db.execute(
                "INSERT INTO servers (host, capabilities) VALUES (?, ?)"
                " ON CONFLICT (host) DO UPDATE SET capabilities = excluded.capabilities",
                [host.lower(), words],
            )

    def note_header_search_broken(self, host: str) -> None:
        """Remember for this server that header search cannot be relied on."""
        with self._db.write():
            self._db.execute(
                "INSERT INTO servers (host, header_search_broken) VALUES (?, 1)"
                " ON CONFLICT (host) DO UPDATE SET header_search_broken = 1",
                [host.lower()],
            )

    def _folder(self, account: int, name: str) -> int | None:
        row = self._db.execute(
            "SELECT id FROM folders WHERE account = ? AND name = ?", [account, name]
        ).fetchone()
        return int(row["id"]) if row else None

    def _forget(self, account: int, folder: int) -> None:
        """A changed identity: what was sighted there is unlinked until it is found again by token."""
        self._db.execute(
            "UPDATE pairs SET linked = 0 WHERE account = ? AND token IN"
            " (SELECT token FROM sightings WHERE folder = ? AND gone = '')",
            [account, folder],
        )
        self._db.execute("DELETE FROM sightings WHERE folder = ?", [folder])
        self._db.execute("DELETE FROM reports WHERE folder = ?", [folder])
        self._db.execute(
            "UPDATE folders SET uidvalidity = NULL, uidnext = NULL, highestmodseq = NULL, messages = NULL"
            " WHERE id = ?",
            [folder],
        )


def _cursor(row: sqlite3.Row) -> Cursor:
    modseq = row["highestmodseq"]
    return Cursor(
        row["name"],
        UidValidity(row["uidvalidity"]),
        Uid(row["uidnext"]),
        ModSeq(modseq) if modseq is not None else None,
        row["messages"],
    )


def _sighting(row: sqlite3.Row, now: float) -> Sighting:
    seen = bool(row["seen"])
    doubtful = (
        row["stored_at"] is not None
        and bool(row["stored_seen"]) != seen
        and now - row["stored_at"] < _DOUBT_SECONDS
    )
    return Sighting(
        token=Token(row["token"]),
        place=Place(row["name"], UidValidity(row["uidvalidity"]), Uid(row["uid"])),
        role=Role(row["role"]),
        seen=seen,
        deleted=bool(row["deleted"]),
        modseq=ModSeq(row["modseq"]) if row["modseq"] is not None else None,
        base_seen=None if row["base_seen"] is None else bool(row["base_seen"]),
        doubtful=doubtful,
        message_id=row["message_id"],
    )


@lru_cache(maxsize=64)
def _words(known: str) -> frozenset[str]:
    """The same object for the same words: thousands of connections to one server share it."""
    return frozenset(known.split())
