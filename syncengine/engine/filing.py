"""The folders a pass needs in the account: made once when missing, and what belongs in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncengine.engine.binding import Binding
from syncengine.engine.observe import Observer
from syncengine.engine.result import Result
from syncengine.errors import FolderError
from syncengine.imap.scope import VOICE_FOLDER, trash_folder
from syncengine.index import Index
from syncengine.model import Folder, Place, Problem, ReportedAction, Role, Side, State, Token, Verb, id_of
from syncengine.options.schema import DeleteTo
from syncengine.replica import Account

INBOX = "INBOX"


@dataclass(frozen=True, slots=True)
class Filing:
    """Folders of one account during one pass."""

    binding: Binding
    index: Index
    account: int
    remote: Account
    observer: Observer
    result: Result

    @property
    def lacks_folder(self) -> bool:
        """Whether Voice Mail Messages is to be made: not while another folder holds our messages."""
        if not self.binding.missing_voice_folder(self.observer.folders.values()):
            return False
        known = self.index.views.known_uids(self.account).keys() - {INBOX}
        return not any(self.observer.roles.get(n) in (Role.LIVE, Role.OUTSIDE) for n in known)

    def create_folder(self) -> None:
        """Make and subscribe Voice Mail Messages if the sync mode uses it and it is missing."""
        if not self.lacks_folder:
            return
        try:
            self._create(VOICE_FOLDER)
        except FolderError as error:
            self.result.problems.append(Problem(f"folder {VOICE_FOLDER}", str(error)))

    @property
    def trash(self) -> Folder | None:
        """Where deleted messages go; made when missing; None = they are expunged by UID."""
        if self.binding.mailbox.sync.delete_to is DeleteTo.EXPUNGE:
            return None
        return self.trash_made("deleted messages are expunged instead")

    def trash_made(self, otherwise: str) -> Folder | None:
        """Trash, made when missing; None where the server refuses that, and ``otherwise`` is said."""
        found = trash_folder(self.observer.folders.values())
        if found is None:
            reason = "made, but not listed"
            try:
                self._create("Trash", special_use="\\Trash")
            except FolderError as error:
                reason = str(error)
            found = trash_folder(self.observer.folders.values())
            if found is None:
                self.result.problems.append(Problem("folder Trash", f"{reason}; {otherwise}"))
        return found

    def home(self, token: Token) -> str:
        """The folder a message came from, while it is there."""
        home = self.index.pairs.home(self.account, token)
        if home in self.observer.folders:
            return home
        return self.binding.target(self.observer.folders.values())

    def file_arrivals(self) -> None:
        """``file_into_folder``: what arrived in INBOX moves to Voice Mail Messages."""
        moves = self.arrivals()
        if not moves:
            return
        target = self.binding.target(self.observer.folders.values())
        intents = self._begin(moves)
        outcomes = self.remote.move(moves, target)
        with self.index.database.write():
            self.index.pairs.close_intents(intents, "done", self.binding.clock())
            for place, outcome in zip(moves, outcomes, strict=True):
                if outcome.done:
                    seen = self.index.views.was_seen(self.account, place)
                    self.index.views.record_removed(self.account, [place], self.binding.clock())
                    if outcome.place is not None:
                        self.index.views.record_placed(self.account, outcome.token, outcome.place, seen=seen)
                    self.result.actions.append(ReportedAction(Side.REMOTE, Verb.MOVE, id_of(outcome.token)))
                elif outcome.error:
                    where = f"message {id_of(outcome.token)}"
                    self.result.problems.append(Problem(where, f"not filed: {outcome.error}"))
            self.index.pairs.note_sightings(self.account)

    def _begin(self, moves: Mapping[Place, Token]) -> list[int]:
        now = self.binding.clock()
        with self.index.database.write():
            return [
                self.index.pairs.open_intent(
                    self.account,
                    token,
                    Side.REMOTE,
                    Verb.MOVE,
                    now,
                    {"places": [[place.folder, place.uidvalidity, place.uid]]},
                )
                for place, token in moves.items()
            ]

    def arrivals(self) -> dict[Place, Token]:
        """What lies in INBOX and is to be filed: messages that both sides know, nothing that looks so."""
        target = self.binding.target(self.observer.folders.values())
        if not self.binding.mailbox.file_into_folder or target == INBOX:
            return {}
        sightings = self.index.views.sightings(self.account, self.binding.clock())
        memories = self.index.pairs.memories(self.account)
        return {
            s.place: token
            for token, copies in sightings.items()
            if token in memories and memories[token].base in (State.NEW, State.HEARD)
            for s in copies
            if s.place.folder == INBOX and s.role is Role.LIVE and not s.deleted
        }

    def _create(self, name: str, *, special_use: str | None = None) -> None:
        self.remote.create(name, special_use=special_use)
        self.result.actions.append(ReportedAction(Side.REMOTE, Verb.CREATE_FOLDER, None))
        self.observer.observe_made()
