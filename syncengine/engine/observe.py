"""Observing the account: what each folder shows goes into the stored view, its cursor with it.

Also the *sound look*: every selectable folder read up to its UIDNEXT without error, and every UIDNEXT
unchanged at the end. Only after one does a disappearance count.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from syncengine.errors import FolderError, MailboxError
from syncengine.index import Index
from syncengine.model import Cursor, Folder, HeaderFields, Problem, Role, Token, Uid
from syncengine.replica import Account

_log = logging.getLogger(__name__)

_MANY = 1000
"""Messages whose headers take a while to read."""

Roles = Callable[[Collection[Folder], Collection[str]], Mapping[str, Role]]
"""What folders mean, given those that hold our messages under a new name."""


@dataclass(slots=True)
class Observer:
    """Reads one account into the index. ``complete`` turns False with the first folder that failed."""

    index: Index
    account: int
    remote: Account
    roles_of: Roles
    recognise: Callable[[HeaderFields], Token | None]
    clock: Callable[[], float]
    folders: dict[str, Folder] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    listed: int = 0
    """The folders with their numbers as they were listed first, as a hash."""
    trips: int = 0
    """Round trips on the connection when they had been listed."""
    told: Callable[[str, int, int], None] | None = None
    """Called in a long reading at each folder: its name, messages read so far, messages to be read."""

    @property
    def complete(self) -> bool:
        """Whether every folder that was asked for has been read without error."""
        return not self.problems

    def list_folders(self) -> None:
        """Read the folder list; an empty one is no evidence of anything and ends the pass."""
        everything = self.remote.folders()
        if not self.listed:
            self.listed, self.trips = hash(everything), self.remote.traffic.round_trips
        listed = [f for f in everything if f.selectable]
        if not listed:
            raise MailboxError("the server lists no folder at all; nothing is concluded from that")
        self.folders = {f.name: f for f in listed}
        self._assign()
        self.cursors = self.index.views.cursors(self.account)

    def _assign(self) -> None:
        kept = self.index.renames.kept(self.account)
        self.roles = dict(self.roles_of(self.folders.values(), kept))
        self.index.views.store_folders(self.account, self.roles)

    def observe(self, *, whole: bool) -> None:
        """Read what is watched: live folders, Trash, and wherever else messages of ours were sighted.

        A folder that appeared when one in scope went, too: it may be the same under a new name.
        """
        known = self.index.views.known_uids(self.account)
        watched = (Role.LIVE, Role.TRASH)
        renamed = self.index.renames.suspected(self.account)
        taken = known.keys() | renamed
        names = [n for n in sorted(self.folders) if whole or n in taken or self.roles[n] in watched]
        self._read_each(names, known, whole=whole)
        if renamed and self.complete:
            self.index.renames.decide(self.account)
            self._assign()
        self.index.pairs.note_sightings(self.account)

    def observe_made(self) -> None:
        """Read the folders that were made since the list was read."""
        self.list_folders()
        for name in self.folders.keys() - self.cursors.keys():
            self._read(name, (), whole=False)

    def look(self, tokens: Collection[Token]) -> bool:
        """Make a sound look for ``tokens``: True if it was sound, whatever it found."""
        if self.problems:
            return False
        for _ in range(2):
            known = self.index.views.known_uids(self.account, vanished=True)
            self._read_each(sorted(self.folders), known, whole=False)
            self._search(tokens)
            self.index.pairs.note_sightings(self.account)
            if self.problems:
                return False
            before = {n: (f.uidvalidity, f.uidnext) for n, f in self.folders.items()}
            self.list_folders()
            if before == {n: (f.uidvalidity, f.uidnext) for n, f in self.folders.items()}:
                return self._read_to_the_end()
        return False

    def _read_to_the_end(self) -> bool:
        for name, folder in self.folders.items():
            cursor = self.cursors.get(name)
            if cursor is None or cursor.uidvalidity != folder.uidvalidity:
                return False
            if folder.uidnext is None or cursor.uidnext < folder.uidnext:
                return False
        return True

    def _search(self, tokens: Collection[Token]) -> None:
        """SEARCH may find what the header fields did not show; that it finds nothing proves nothing."""
        lost = sorted(set(tokens) - self.index.views.sightings(self.account, self.clock()).keys())
        if not lost:
            return
        for name in sorted(self.folders):
            if self.roles[name] in (Role.SENT, Role.DRAFTS):
                continue
            try:
                hits = self.remote.search(self.folders[name], lost)
            except FolderError as error:
                self._failed(name, error)
                continue
            self.index.views.add_found(self.account, hits)

    def _read_each(
        self, names: Collection[str], known: Mapping[str, Collection[Uid]], *, whole: bool
    ) -> None:
        """Read folders in turn, telling how far this is where much is read from the start."""
        fresh = {n: self.folders[n].messages or 0 for n in names if whole or n not in self.cursors}
        done, total = 0, sum(fresh.values())
        for name in names:
            if self.told is not None and total >= _MANY:
                self.told(name, done, total)
            self._read(name, known.get(name, ()), whole=whole)
            done += fresh.get(name, 0)

    def _read(self, name: str, known: Collection[Uid], *, whole: bool) -> None:
        cursor = self.cursors.get(name)
        try:
            for delta in self.remote.observe(self.folders[name], cursor, list(known), whole=whole):
                self.index.views.apply(self.account, delta, self.recognise, self.clock())
                self.cursors[name] = delta.cursor
        except FolderError as error:
            self._failed(name, error)

    def _failed(self, name: str, error: FolderError) -> None:
        _log.warning("folder %s: %s", name, error)
        self.problems.append(Problem(f"folder {name}", str(error)))
