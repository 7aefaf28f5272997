"""The e-mails' part of a pass, behind that of the voice messages: what the account shows, what the phone did.

Nothing here is braked, lights a lamp or can be undone; a mail that left the scope leaves the index
without a word. A delete is always a move to Trash, never an expunge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from syncengine.engine.binding import Binding
from syncengine.engine.events import Event, Reading
from syncengine.engine.filing import INBOX, Filing
from syncengine.engine.observe import Observer
from syncengine.engine.result import Result
from syncengine.errors import FolderError
from syncengine.imap.replica import ImapAccount
from syncengine.index import EmailRow, Index
from syncengine.index.emails import Shown
from syncengine.model import (
    Cursor,
    FlagChange,
    Outcome,
    Place,
    Problem,
    ReportedAction,
    Role,
    Side,
    Token,
    Uid,
    Verb,
)
from syncengine.options.schema import SyncMode

_MANY = 1000
"""Mails whose listing takes a while."""

NOT_OURS = Token("")
"""Stands where a voice message would have its token: what lies there must carry none."""

_VERBS = {
    "mark-heard": Verb.MARK_HEARD,
    "mark-new": Verb.MARK_NEW,
    "delete": Verb.DELETE,
    "restore": Verb.RESTORE,
}


class Beside(Protocol):
    """What the voice messages' part of the pass has found out already."""

    @property
    def observer(self) -> Observer:
        """The folders and what they mean."""

    @property
    def filing(self) -> Filing:
        """The folders that a pass makes."""


@dataclass(frozen=True, slots=True)
class EmailPass:
    """A pass over the e-mails of one account."""

    binding: Binding
    index: Index
    account: int
    remote: ImapAccount
    beside: Beside
    result: Result
    emit: Callable[[Event], None]

    def run(self, *, whole: bool) -> None:
        """Read what the account shows, then carry over what the phone did."""
        scope = self._scope()
        self.index.emails.forget_outside(self.account, scope)
        self._observe(scope, whole=whole)
        self._mark()
        self._delete()
        self._restore()

    # What the account shows

    def _scope(self) -> Sequence[str]:
        """The folders whose e-mails are listed; INBOX not where the voice folder alone is looked at."""
        observer = self.beside.observer
        live = [name for name in sorted(observer.folders) if observer.roles[name] is Role.LIVE]
        alone = self.binding.mailbox.sync_mode is SyncMode.VOICE_MAIL_FOLDER
        return [name for name in live if name != INBOX] if alone else live

    def _observe(self, names: Sequence[str], *, whole: bool) -> None:
        observer, cursors = self.beside.observer, self.index.emails.cursors(self.account)
        fresh = {n: observer.folders[n].messages or 0 for n in names if whole or n not in cursors}
        done = 0
        for name in names:
            self._read(name, cursors.get(name), done, sum(fresh.values()), whole=whole)
            done += fresh.get(name, 0)
        for name in sorted(cursors.keys() & observer.folders.keys()):
            if observer.roles[name] is Role.TRASH:
                # Only what the phone put there is of interest, not what came since.
                uidnext = observer.folders[name].uidnext or cursors[name].uidnext
                self._read(name, replace(cursors[name], uidnext=Uid(max(uidnext, cursors[name].uidnext))))

    def _read(
        self, name: str, cursor: Cursor | None, done: int = 0, total: int = 0, *, whole: bool = False
    ) -> None:
        emails, folder = self.index.emails, self.beside.observer.folders[name]
        try:
            for delta in self.remote.emails(
                folder, cursor, lambda: emails.known_uids(self.account, name), whole=whole
            ):
                if total >= _MANY:
                    self.emit(Reading(self.binding.number, name, done, total))
                self._shown(emails.apply(self.account, delta))
                done += len(delta.found)
        except FolderError as error:
            self.result.problems.append(Problem(f"folder {name}", str(error)))

    def _shown(self, shown: Shown) -> None:
        if shown.listed:
            self.result.actions.append(ReportedAction(Side.LOCAL, Verb.INDEX, None, shown.listed))
        for verb, ids in ((Verb.MARK_HEARD, shown.heard), (Verb.MARK_NEW, shown.new)):
            self.result.actions.extend(ReportedAction(Side.LOCAL, verb, email) for email in ids)

    # What the phone did

    def _mark(self) -> None:
        rows = [r for r in self._touched() if r.heard is not None and not r.trashed]
        if not rows:
            return
        cursors = self.index.emails.cursors(self.account)
        changes = [
            FlagChange(NOT_OURS, r.place, bool(r.heard), cursors[r.place.folder].highestmodseq) for r in rows
        ]
        outcomes = self.remote.mark(changes)
        self.index.emails.record_marked(self.account, zip(rows, outcomes, strict=True))
        for row, outcome in zip(rows, outcomes, strict=True):
            self._became(row, Verb.MARK_HEARD if row.heard else Verb.MARK_NEW, outcome)

    def _delete(self) -> None:
        rows = [r for r in self._touched() if r.pending == "delete"]
        if not rows:
            return
        trash = self.beside.filing.trash_made("the e-mail stays where it is")
        if trash is not None:
            self._move(rows, trash.name, Verb.DELETE)

    def _restore(self) -> None:
        by_folder: dict[str, list[EmailRow]] = {}
        for row in self._touched():
            if row.pending == "restore":
                there = row.home in self.beside.observer.folders
                by_folder.setdefault(row.home if row.home and there else INBOX, []).append(row)
        for folder, rows in by_folder.items():
            self._move(rows, folder, Verb.RESTORE)

    def _move(self, rows: Sequence[EmailRow], folder: str, verb: Verb) -> None:
        targets: dict[Place, Token] = {row.place: NOT_OURS for row in rows}
        outcomes = self.remote.move(targets, folder)
        self.index.emails.record_moved(self.account, zip(rows, outcomes, strict=True))
        for row, outcome in zip(rows, outcomes, strict=True):
            self._became(row, verb, outcome)

    def _touched(self) -> Iterator[EmailRow]:
        """What the phone has changed and is to be carried over now."""
        roles = self.beside.observer.roles
        return (
            row
            for row in self.index.emails.touched(self.account)
            if row.pending and (row.trashed or roles.get(row.place.folder) is Role.LIVE)
        )

    def _became(self, row: EmailRow, verb: Verb, outcome: Outcome) -> None:
        if outcome.done:
            self.result.actions.append(ReportedAction(Side.REMOTE, verb, row.id))
        elif outcome.error:
            self.result.problems.append(Problem(f"message {row.id}", outcome.error))


def planned_emails(rows: Iterable[EmailRow]) -> Iterator[ReportedAction]:
    """What a pass would carry over."""
    return (ReportedAction(Side.REMOTE, _VERBS[word], r.id) for r in rows if (word := r.pending) is not None)
