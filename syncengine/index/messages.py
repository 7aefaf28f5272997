"""The built-in voice store's rows: one message a row, its recording a file beside the index."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from syncengine.index.database import Database
from syncengine.model import Kind, LocalMessage, State, id_of, token_of


class Messages:
    """Messages of the built-in store. Changes are compare-and-set on the state."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, mailbox: str) -> tuple[LocalMessage, ...]:
        """Every message of a mailbox, tombstones too, the oldest first."""
        rows = self._db.execute("SELECT * FROM messages WHERE mailbox = ? ORDER BY received, id", [mailbox])
        return tuple(map(_message, rows))

    def get(self, message_id: str) -> LocalMessage | None:
        """The message with this id."""
        row = self._db.execute("SELECT * FROM messages WHERE id = ?", [message_id]).fetchone()
        return _message(row) if row else None

    def content(self, message_id: str) -> str | None:
        """Name of the file that holds the recording, None when it was given up."""
        row = self._db.execute("SELECT content FROM messages WHERE id = ?", [message_id]).fetchone()
        return row["content"] if row else None

    def kept(self) -> dict[str, bool]:
        """Ids of all messages, and whether the recording of each is still kept."""
        rows = self._db.execute("SELECT id, content IS NOT NULL FROM messages")
        return {message_id: bool(kept) for message_id, kept in rows}

    def add_again(self, message: LocalMessage, content: str, now: float) -> bool:
        """Insert a message that may have been sent: its account is read whole before anything is sent."""
        with self._db.write():
            self._db.execute("UPDATE accounts SET looked = 0 WHERE mailbox = ?", [message.mailbox])
            return self.add(message, content, now)

    def add(self, message: LocalMessage, content: str, now: float) -> bool:
        """Insert a message; False if its id is there already."""
        with self._db.write():
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO messages (id, mailbox, kind, state, received, caller_number,"
                " caller_name, duration, pages, urgent, private, media_type, content, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    id_of(message.token),
                    message.mailbox,
                    message.kind,
                    message.state,
                    message.received.isoformat(),
                    _text(message.caller_number),
                    _text(message.caller_name),
                    message.duration,
                    message.pages,
                    message.urgent,
                    message.private,
                    message.media_type,
                    content,
                    now,
                ],
            )
            return cursor.rowcount == 1

    def change(self, message_id: str, expected: State, wanted: State, now: float) -> bool:
        """Compare-and-set the state; deleting notes when, and what it was before."""
        with self._db.write():
            cursor = self._db.execute(
                "UPDATE messages SET state = :wanted,"
                " before_delete = CASE WHEN :wanted = 'deleted' THEN state END,"
                " deleted_at = CASE WHEN :wanted = 'deleted' THEN :now END"
                " WHERE id = :id AND state = :expected AND content IS NOT NULL",
                {"id": message_id, "expected": expected, "wanted": wanted, "now": now},
            )
            return cursor.rowcount == 1

    def before_delete(self, message_id: str) -> State:
        """What a deleted message was before; what restoring brings back."""
        row = self._db.execute("SELECT before_delete FROM messages WHERE id = ?", [message_id]).fetchone()
        return State(row["before_delete"]) if row and row["before_delete"] else State.NEW

    def purge(self, message_id: str) -> str | None:
        """Forget the content of a deleted message; the file's name if there was one to remove."""
        with self._db.write():
            row = self._db.execute(
                "SELECT content FROM messages WHERE id = ? AND state = 'deleted'", [message_id]
            ).fetchone()
            if row is None or row["content"] is None:
                return None
            self._db.execute("UPDATE messages SET content = NULL WHERE id = ?", [message_id])
            return str(row["content"])


def _message(row: sqlite3.Row) -> LocalMessage:
    deleted = row["deleted_at"]
    received = datetime.fromisoformat(row["received"])
    return LocalMessage(
        ref=row["id"],
        token=token_of(row["id"]),
        mailbox=row["mailbox"],
        kind=Kind(row["kind"]),
        state=State(row["state"]),
        received=received,
        caller_number=row["caller_number"],
        caller_name=row["caller_name"],
        duration=row["duration"],
        pages=row["pages"],
        urgent=bool(row["urgent"]),
        private=bool(row["private"]),
        deleted_at=datetime.fromtimestamp(deleted, received.tzinfo) if deleted is not None else None,
        media_type=row["media_type"],
        content=row["content"] is not None,
    )


def _text(value: str) -> str:
    """Lone surrogates cannot be stored (SQLite text is UTF-8)."""
    return value.encode("utf-8", "replace").decode("utf-8")
