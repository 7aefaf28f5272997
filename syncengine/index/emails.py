"""E-mails as the account shows them, and what the phone did with them that is not there yet.

An e-mail has no state at the phone of its own: it is what the account shows, until the phone says
otherwise (``heard``, ``removed``), and again from the moment the account shows that. What a folder
showed and the cursor behind it are stored in one transaction.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from syncengine.index.database import Database
from syncengine.model import (
    DELETED,
    SEEN,
    Cursor,
    FlagState,
    FolderDelta,
    ModSeq,
    Outcome,
    Place,
    Role,
    Uid,
    UidValidity,
)

if TYPE_CHECKING:
    from syncengine.imap.envelopes import Envelope

_ROWS = (
    "SELECT e.*, f.name, f.role, h.name AS home_name FROM folders f JOIN emails e ON e.folder = f.id"
    " LEFT JOIN folders h ON h.id = e.home"
    " WHERE f.account = ? AND (f.role = 'live' OR e.home IS NOT NULL)"
)
_TOUCHED = _ROWS.replace("emails e", "emails e INDEXED BY emails_touched") + " AND e.changed_at IS NOT NULL"
"""By the index of the few, which SQLite does not choose by itself."""


@dataclass(frozen=True, slots=True)
class EmailRow:
    """One e-mail at its place."""

    place: Place
    trashed: bool
    """It lies in Trash, where the phone's delete has put it."""
    seen: bool
    deleted: bool
    """Carries ``\\Deleted``."""
    arrived: int
    size: int
    head: bytes
    heard: bool | None
    """What the phone said and the account does not show yet."""
    removed: bool
    """Deleted at the phone."""
    changed_at: float | None
    """When the phone changed it last; None when it never did, or all of it is in the account."""
    home: str | None
    """The folder it came from, where it is trashed."""
    id: str
    error: str | None

    @property
    def is_heard(self) -> bool:
        """Whether the subscriber has heard or read it."""
        return self.seen if self.heard is None else self.heard

    @property
    def pending(self) -> str | None:
        """What the account does not show yet, in a word; None when nothing."""
        if self.removed is not self.trashed:
            return "delete" if self.removed else "restore"
        if self.heard is None or self.removed:
            return None
        return "mark-heard" if self.heard else "mark-new"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is new in the index after a folder was read."""

    listed: int = 0
    """E-mails that were not known before."""
    heard: tuple[str, ...] = ()
    """Ids of what was read in a mail program."""
    new: tuple[str, ...] = ()
    """Marked unread there."""


class Emails:
    """The e-mails of accounts that are kept in step."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # What the account shows

    def cursors(self, account: int) -> dict[str, Cursor]:
        """Where the reading of each folder may resume."""
        rows = self._db.execute(
            "SELECT f.name, c.* FROM email_folders c JOIN folders f ON f.id = c.folder WHERE f.account = ?",
            [account],
        )
        return {row["name"]: _cursor(row) for row in rows}

    def known_uids(self, account: int, folder: str) -> Sequence[Uid]:
        """UIDs of the e-mails known in a folder, ascending; read when they are first asked for."""
        return _Known(self._db, self._folder(account, folder))

    def forget_outside(self, account: int, scope: Collection[str]) -> None:
        """Forget the e-mails of folders that left the scope; what the phone put into Trash stays."""
        stale = (
            "SELECT c.folder FROM email_folders c JOIN folders f ON f.id = c.folder WHERE f.account = ?"
            " AND f.role != 'trash' AND f.name NOT IN (SELECT value FROM json_each(?))"
        )
        values = [account, json.dumps(list(scope))]
        if self._db.execute(stale, values).fetchone() is None:
            return
        with self._db.write():
            for table in ("emails", "email_folders"):
                self._db.execute(f"DELETE FROM {table} WHERE folder IN ({stale})", values)

    def apply(self, account: int, delta: FolderDelta) -> Shown:
        """Store what a folder showed, with its cursor; what is in Trash is never listed anew."""
        from syncengine.imap.envelopes import Envelope  # noqa: PLC0415 - only a pass brings them

        cursor = delta.cursor
        with self._db.write():
            row = self._db.execute(
                "SELECT id, role FROM folders WHERE account = ? AND name = ?", [account, cursor.folder]
            ).fetchone()
            if row is None:
                return Shown()
            folder = int(row["id"])
            if delta.reset:
                self._db.execute("DELETE FROM emails WHERE folder = ?", [folder])
            self._move_cursor(folder, cursor)
            envelopes = [f for f in delta.found if isinstance(f, Envelope)]
            listed = self._list(folder, envelopes) if row["role"] == Role.LIVE else 0
            heard, new = self._flags(account, folder, delta)
            self._db.execute(
                "DELETE FROM emails WHERE folder = ? AND uid IN (SELECT value FROM json_each(?))",
                [folder, json.dumps(delta.vanished)],
            )
            self._drop_ours(folder, cursor.uidvalidity)
        return Shown(listed, heard, new)

    def _list(self, folder: int, envelopes: Sequence[Envelope]) -> int:
        if not envelopes:
            return 0
        last = self._db.execute("SELECT max(uid) FROM emails WHERE folder = ?", [folder]).fetchone()[0] or 0
        known = self._known(folder, [uid for e in envelopes if (uid := e.place.uid) <= last])
        self._db.insert(
            "emails (folder, uid, uidvalidity, seen, deleted, arrived, size, head)",
            [
                (
                    folder,
                    e.place.uid,
                    e.place.uidvalidity,
                    SEEN in e.flags,
                    DELETED in e.flags,
                    e.arrived,
                    e.size,
                    e.head,
                )
                for e in envelopes
            ],
            "ON CONFLICT (folder, uid) DO UPDATE SET seen = excluded.seen, deleted = excluded.deleted,"
            " arrived = excluded.arrived, size = excluded.size, head = excluded.head",
        )
        return len(envelopes) - len(known)

    def _known(self, folder: int, uids: Sequence[int]) -> dict[int, sqlite3.Row]:
        if not uids:
            return {}
        rows = self._db.execute(
            "SELECT uid, seen, deleted, heard, id FROM emails WHERE folder = ?"
            " AND uid IN (SELECT value FROM json_each(?))",
            [folder, json.dumps(uids)],
        )
        return {row["uid"]: row for row in rows}

    def _flags(
        self, account: int, folder: int, delta: FolderDelta
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Store the flags that differ; what was read, and what was marked unread."""
        if not delta.flags:
            return (), ()
        known = self._known(folder, [state.uid for state in delta.flags])
        changed: list[tuple[bool, bool, int, int]] = []
        heard: list[str] = []
        new: list[str] = []
        owner = self._account(account)
        for state in delta.flags:
            before = known.get(state.uid)
            seen, deleted = SEEN in state.flags, DELETED in state.flags
            if before is None or (before["seen"], before["deleted"]) == (seen, deleted):
                continue
            changed.append((seen, deleted, folder, state.uid))
            if before["seen"] != seen and before["heard"] != seen:
                email = before["id"] or email_id(
                    owner, delta.cursor.folder, delta.cursor.uidvalidity, state.uid
                )
                (heard if seen else new).append(email)
        self._db.executemany("UPDATE emails SET seen = ?, deleted = ? WHERE folder = ? AND uid = ?", changed)
        self._settle(folder, [row[3] for row in changed])
        return tuple(heard), tuple(new)

    def _settle(self, folder: int, uids: Collection[int]) -> None:
        """What the account shows as the phone has it is in step."""
        self._db.execute(
            "UPDATE emails SET heard = NULL, changed_at = CASE WHEN removed THEN changed_at END, error = NULL"
            " WHERE folder = ? AND uid IN (SELECT value FROM json_each(?)) AND heard = seen",
            [folder, json.dumps(list(uids))],
        )

    def _drop_ours(self, folder: int, validity: UidValidity) -> None:
        """A voice or fax message that was recognised otherwise than by its own field is no e-mail."""
        self._db.execute(
            "DELETE FROM emails WHERE folder = ? AND uid IN"
            " (SELECT uid FROM sightings WHERE folder = ? AND uidvalidity = ?)",
            [folder, folder, validity],
        )

    def _move_cursor(self, folder: int, cursor: Cursor) -> None:
        self._db.execute(
            "INSERT INTO email_folders (folder, uidvalidity, uidnext, highestmodseq, messages)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (folder) DO UPDATE SET"
            " uidvalidity = excluded.uidvalidity, uidnext = excluded.uidnext,"
            " highestmodseq = excluded.highestmodseq, messages = excluded.messages",
            [folder, cursor.uidvalidity, cursor.uidnext, cursor.highestmodseq, cursor.messages],
        )

    # What the phone sees and says

    def touched(self, account: int) -> tuple[EmailRow, ...]:
        """What the phone has changed: not yet in the account, or in Trash from where it can be restored."""
        return tuple(self._read(_TOUCHED + " ORDER BY e.folder, e.uid", account))

    def waiting(self, account: int) -> int:
        """How many changes of the phone may still have to be carried over."""
        return int(
            self._db.execute(
                "SELECT count(*) FROM emails INDEXED BY emails_touched WHERE changed_at IS NOT NULL"
                " AND folder IN (SELECT id FROM folders WHERE account = ?)",
                [account],
            ).fetchone()[0]
        )

    def latest_first(self, account: int) -> Iterator[EmailRow]:
        """Every e-mail, what arrived last first, read one by one."""
        return self._each(account, " ORDER BY e.arrived DESC, e.folder DESC, e.uid DESC")

    def to_hear(self, account: int, most: int) -> tuple[EmailRow, ...]:
        """What a caller is offered: what is new first, the latest first; ``most`` at most."""
        return self._rows(
            account,
            " AND f.role = 'live' AND NOT e.removed AND NOT e.deleted"
            " ORDER BY coalesce(e.heard, e.seen), e.arrived DESC, e.uid DESC LIMIT ?",
            most,
        )

    def find(self, account: int, prefix: str) -> tuple[EmailRow, ...]:
        """The e-mails whose ids begin so, two at most."""
        owner = self._account(account)
        found: list[tuple[int, int]] = []
        rows = self._db.execute(
            "SELECT e.folder, e.uid, e.uidvalidity, e.id, f.name FROM folders f"
            " JOIN emails e ON e.folder = f.id WHERE f.account = ?",
            [account],
        )
        for folder, uid, uidvalidity, fixed, name in rows:
            if (fixed or email_id(owner, name, uidvalidity, uid)).startswith(prefix):
                found.append((folder, uid))
                if len(found) == 2:
                    break
        return tuple(
            row for at in found for row in self._rows(account, " AND e.folder = ? AND e.uid = ?", *at)
        )

    def say_heard(self, account: int, row: EmailRow, heard: bool, now: float) -> bool:
        """Heard or new at the phone; False when the mail is not there any more."""
        return self._say(
            account,
            row,
            "heard = CASE WHEN seen = :value THEN NULL ELSE :value END,"
            " changed_at = CASE WHEN seen = :value AND NOT removed THEN NULL ELSE :now END",
            {"value": heard, "now": now},
        )

    def say_removed(self, account: int, row: EmailRow, removed: bool, now: float) -> bool:
        """Deleted or restored at the phone; False when the mail is not there any more."""
        return self._say(
            account,
            row,
            "removed = :value, changed_at = CASE WHEN :value OR heard IS NOT NULL OR home IS NOT NULL"
            " THEN :now END",
            {"value": removed, "now": now},
        )

    def _say(self, account: int, row: EmailRow, change: str, values: dict[str, object]) -> bool:
        with self._db.write():
            cursor = self._db.execute(
                f"UPDATE emails SET {change}, error = NULL WHERE uid = :uid AND uidvalidity = :validity"
                " AND folder = (SELECT id FROM folders WHERE account = :account AND name = :folder)",
                values
                | {
                    "uid": row.place.uid,
                    "validity": row.place.uidvalidity,
                    "account": account,
                    "folder": row.place.folder,
                },
            )
            return cursor.rowcount == 1

    # What became of it in the account

    def record_marked(self, account: int, outcomes: Iterable[tuple[EmailRow, Outcome]]) -> None:
        """Record the flags that the server's own FETCH showed after our STORE."""
        shown: dict[str, list[FlagState]] = {}
        with self._db.write():
            for row, outcome in outcomes:
                if outcome.flags is not None:
                    shown.setdefault(row.place.folder, []).append(outcome.flags)
                if outcome.error is not None:
                    self._fail(self._folder(account, row.place.folder), row, outcome.error)
            for name, states in shown.items():
                folder = self._folder(account, name)
                self._db.executemany(
                    "UPDATE emails SET seen = ?, deleted = ? WHERE folder = ? AND uid = ?",
                    [(SEEN in s.flags, DELETED in s.flags, folder, s.uid) for s in states],
                )
                self._settle(folder, [state.uid for state in states])

    def record_moved(self, account: int, outcomes: Iterable[tuple[EmailRow, Outcome]]) -> None:
        """Record where mails are now; one whose new place the server did not name is let go of."""
        with self._db.write():
            for row, outcome in outcomes:
                folder = self._folder(account, row.place.folder)
                if not outcome.done:
                    self._fail(folder, row, outcome.error)
                    continue
                if outcome.place is not None:
                    self._place(account, row, folder, outcome.place)
                self._db.execute("DELETE FROM emails WHERE folder = ? AND uid = ?", [folder, row.place.uid])

    def _place(self, account: int, row: EmailRow, old: int, place: Place) -> None:
        """The mail under its new UID; its id stays what it was, so that it can be restored by it."""
        new = self._folder(account, place.folder)
        if new == old:
            return
        if self._validity(new) != place.uidvalidity:
            self._db.execute("DELETE FROM emails WHERE folder = ?", [new])
            self._move_cursor(new, Cursor(place.folder, place.uidvalidity, Uid(place.uid + 1)))
        self._db.execute(
            "INSERT OR REPLACE INTO emails (folder, uid, uidvalidity, seen, deleted, arrived, size, head,"
            "  heard, removed, changed_at, home, id)"
            " SELECT :new, :uid, :validity, seen, 0, arrived, size, head, heard, removed,"
            "  CASE WHEN :home IS NOT NULL OR heard IS NOT NULL THEN changed_at END, :home, :id"
            " FROM emails WHERE folder = :old AND uid = :old_uid",
            {
                "new": new,
                "uid": place.uid,
                "validity": place.uidvalidity,
                "home": None if row.trashed else old,
                "id": row.id,
                "old": old,
                "old_uid": row.place.uid,
            },
        )

    def _fail(self, folder: int, row: EmailRow, error: str | None) -> None:
        if error is not None:
            self._db.execute(
                "UPDATE emails SET error = ? WHERE folder = ? AND uid = ?", [error, folder, row.place.uid]
            )

    def _validity(self, folder: int) -> int | None:
        row = self._db.execute("SELECT uidvalidity FROM email_folders WHERE folder = ?", [folder]).fetchone()
        return int(row[0]) if row else None

    def _folder(self, account: int, name: str) -> int:
        row = self._db.execute(
            "SELECT id FROM folders WHERE account = ? AND name = ?", [account, name]
        ).fetchone()
        return int(row[0]) if row else 0

    def _account(self, account: int) -> str:
        row = self._db.execute("SELECT host, login FROM accounts WHERE id = ?", [account]).fetchone()
        return f"{row['login']}@{row['host']}"

    def _rows(self, account: int, where: str, *values: object) -> tuple[EmailRow, ...]:
        return tuple(self._each(account, where, *values))

    def _each(self, account: int, where: str, *values: object) -> Iterator[EmailRow]:
        return self._read(_ROWS + where, account, *values)

    def _read(self, query: str, account: int, *values: object) -> Iterator[EmailRow]:
        owner = self._account(account)
        for row in self._db.execute(query, [account, *values]):
            yield _row(row, row["id"] or email_id(owner, row["name"], row["uidvalidity"], row["uid"]))


class _Known(Sequence[Uid]):
    """UIDs of a folder. A folder in which nothing happened costs no reading of them all."""

    def __init__(self, database: Database, folder: int) -> None:
        self._db = database
        self._folder = folder
        self._uids: list[Uid] | None = None

    def __bool__(self) -> bool:
        found = self._db.execute("SELECT 1 FROM emails WHERE folder = ? LIMIT 1", [self._folder])
        return found.fetchone() is not None

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Uid]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> Uid: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Uid]: ...
    def __getitem__(self, index: int | slice) -> Uid | Sequence[Uid]:
        return self._all()[index]

    def _all(self) -> list[Uid]:
        if self._uids is None:
            rows = self._db.execute("SELECT uid FROM emails WHERE folder = ? ORDER BY uid", [self._folder])
            self._uids = [row[0] for row in rows]
        return self._uids


def email_id(account: str, folder: str, generation: str | int, uid: str | int) -> str:
    """The id of an e-mail: 32 hex digits of SHA-256 over account, folder, UIDVALIDITY, UID."""
    text = f"{account}\0{folder}\0{generation}\0{uid}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _cursor(row: sqlite3.Row) -> Cursor:
    modseq = row["highestmodseq"]
    return Cursor(
        row["name"],
        UidValidity(row["uidvalidity"]),
        Uid(row["uidnext"]),
        ModSeq(modseq) if modseq is not None else None,
        row["messages"],
    )


def _row(row: sqlite3.Row, email_id: str) -> EmailRow:
    return EmailRow(
        place=Place(row["name"], UidValidity(row["uidvalidity"]), Uid(row["uid"])),
        trashed=row["home"] is not None,
        seen=bool(row["seen"]),
        deleted=bool(row["deleted"]),
        arrived=row["arrived"],
        size=row["size"],
        head=row["head"],
        heard=None if row["heard"] is None else bool(row["heard"]),
        removed=bool(row["removed"]),
        changed_at=row["changed_at"],
        home=row["home_name"],
        id=email_id,
        error=row["error"],
    )
