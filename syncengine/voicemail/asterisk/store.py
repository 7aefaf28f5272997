"""The Asterisk spool as the engine's voice store.

Every change is compare-and-set and addressed by the message's own identity. A message that is missing
counts as deleted at the phone only with proof: the marks read before and after, and a mailbox that
stood still meanwhile.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from syncengine.errors import StoreUnproven, SyncError
from syncengine.model import Kind, LocalListing, LocalMessage, State, Token, id_of
from syncengine.rules.identity import derive_token
from syncengine.voicemail.asterisk.ami import Ami, AmiUnavailable
from syncengine.voicemail.asterisk.box import Box, How
from syncengine.voicemail.asterisk.holds import Hold, Phase, Record, new_message
from syncengine.voicemail.asterisk.identity import Known, Seen, recognise
from syncengine.voicemail.asterisk.info import MessageInfo, caller_text, render_info
from syncengine.voicemail.asterisk.layout import (
    INBOX,
    OLD,
    TEXT,
    URGENT,
    Entry,
    file_name,
    media_type,
    state_of,
)
from syncengine.voicemail.asterisk.look import Look
from syncengine.voicemail.asterisk.memory import Memory
from syncengine.voicemail.asterisk.sound import for_asterisk
from syncengine.voicemail.asterisk.spool import Spool

_log = logging.getLogger(__name__)

_KEEP_LINKS = 24 * 3600.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class _View:
    """One mailbox as it was just seen: messages that are there, and deleted ones that are held."""

    live: Mapping[str, Known]
    held: Mapping[str, Hold]
    gone: tuple[Known, ...]
    look: Look
    remembered: Mapping[str, Known]

    def entry(self, known: Known) -> Entry:
        return self.look.entries[known.seen.folder, known.seen.number]

    def altered(self, known: Known) -> bool:
        """Whether it is not what it was when it was last listed: perhaps a renumbering is under way."""
        before = self.remembered.get(known.ref)
        return before is None or before.seen.second != known.seen.second


class AsteriskStore:
    """A voice store in Asterisk's spool; ``secret`` keys the tokens, ``context_of`` maps mailboxes."""

    def __init__(
        self,
        spool: Path,
        state_dir: Path,
        secret: bytes,
        *,
        context_of: Callable[[str], str] = lambda _: "default",
        how: How | None = None,
        ami: Ami | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._memory = Memory(state_dir)
        self._spool = Spool(spool, self._memory, how or How())
        self._secret = secret
        self._context_of = context_of
        self._ami = ami
        self._clock = clock
        self._said: dict[str, str] = {}
        self._warned: dict[str, str] = {}

    def prepare(self) -> None:
        """Mark the spool on first use, and take up what a crash left open; raises ``EngineError``."""
        self._spool.prepare()
        for box in self._spool.boxes():
            with self._exclusive(box):
                try:
                    box.repair()
                except (SyncError, OSError) as error:
                    _log.warning("mailbox %s: is put in order at its next look: %s", box.mailbox, error)

    def listing(self, mailbox: str) -> LocalListing:
        """List one mailbox: what is there, and what this adapter deleted and still holds."""
        box = self._box(mailbox)
        with self._exclusive(box):
            doubt = self._spool.doubt(box)
            view = self._view(box)
            doubt = doubt or view.look.unsettled or _vanished(box, view) or self._spool.doubt(box)
            if not doubt:
                self._remember(box, view)
            self._say(mailbox, doubt)
            self._warn(mailbox, _at_the_end(box, view))
            messages = [self._message(box, k, state_of(k.seen.folder)) for k in view.live.values()]
            messages += [self._deleted(box, hold) for hold in view.held.values()]
            return LocalListing(self._spool.store_id, not doubt, tuple(messages))

    def content(self, message: LocalMessage) -> Path:
        """Path of the recording to send, PCM where there is one.

        It is a second name of the file, good for a day: in the folder itself another message may
        stand under that name a moment later.
        """
        box, name = self._box(message.mailbox), id_of(message.token)
        with self._exclusive(box):
            view = self._view(box)
            if hold := view.held.get(message.ref):
                seen, source = hold.record.known.seen, hold.file(hold.record.known.seen.suffix)
            elif known := view.live.get(message.ref):
                seen = known.seen
                source = box.folder / seen.folder / file_name(seen.number, seen.suffix)
            else:
                raise SyncError(f"message {name}: it is not in the spool any more")
            if not seen.suffix:
                raise SyncError(f"message {name}: its recording is not there any more")
            return box.linked(source, f"{name}-{seen.digest[:16]}{seen.suffix}", seen.digest)

    def change(self, message: LocalMessage, wanted: State) -> bool:
        """Compare-and-set: heard = moved to Old, new = to INBOX or Urgent, deleted = held, and back.

        Raises ``SyncError`` where a folder is full or stays locked: then nothing was changed.
        """
        box = self._box(message.mailbox)
        with self._exclusive(box):
            if doubt := self._spool.doubt(box):
                raise StoreUnproven(f"{doubt}; nothing was changed")
            for attempt in range(_TRIES):
                view = self._view(box)
                if hold := view.held.get(message.ref):
                    return message.state is State.DELETED is not wanted and self._restore(box, hold, wanted)
                known = view.live.get(message.ref)
                if (
                    known is None
                    or state_of(known.seen.folder) is not message.state
                    or wanted is message.state
                ):
                    return False
                if view.look.unsettled:
                    raise SyncError(f"{box.folder}: {view.look.unsettled}; nothing was changed")
                if (attempt or not view.altered(known)) and self._apply(box, view, known, wanted):
                    return True
                box.distrust()
            return False

    def restored_state(self, message: LocalMessage) -> State:
        """What a deleted message was before it was deleted."""
        box = self._box(message.mailbox)
        with self._exclusive(box):
            hold = box.repair().get(message.ref)
            return hold.record.before if hold else State.NEW

    def adopt(self, message: LocalMessage, content: bytes) -> LocalMessage:
        """Put a message found in the account into the spool, under the token it carries there."""
        if message.kind is Kind.FAX:
            raise SyncError("Asterisk's voice mail keeps no faxes; the message stays in the account only")
        suffix, sound, seconds = for_asterisk(content, message.media_type)
        box = self._box(message.mailbox)
        with self._exclusive(box):
            box.folder.mkdir(parents=True, exist_ok=True)
            if doubt := self._spool.doubt(box):
                raise StoreUnproven(f"{doubt}; nothing was taken in")
            for known in self._view(box).live.values():
                if self._token(known) == message.token:
                    return self._message(box, known, state_of(known.seen.folder))
            known = _adopted(message, self._prefix(box), seconds)
            target = OLD if message.state is State.HEARD else _inbox(known.seen)
            record = Record(known, message.state, target, {}, Phase.PUTTING, target)
            text = render_info(known.seen.info, message.mailbox)
            box.put_new(new_message(box.held, record, {suffix: sound, TEXT: text}))
            return replace(message, ref=known.ref, media_type=media_type(suffix))

    def purge(self, message: LocalMessage) -> bool:
        """Give up a deleted message for good; False if it was restored."""
        box = self._box(message.mailbox)
        with self._exclusive(box):
            hold = self._view(box).held.get(message.ref)
            if hold is not None:
                hold.drop()
            return hold is not None

    def sweep(self) -> int:
        """Remove the second names of recordings that were sent long ago; how many."""
        count = 0
        for box in self._spool.boxes():
            try:
                with self._exclusive(box):
                    count += box.sweep(_KEEP_LINKS, self._clock())
            except StoreUnproven as error:
                _log.warning("mailbox %s: is swept another day: %s", box.mailbox, error)
        return count

    def refresh(self, mailbox: str) -> None:
        """Have Asterisk count the mailbox again, for its lamps; nothing without the manager interface."""
        if self._ami is not None:
            box = self._box(mailbox)
            self._ami.refresh(box.context, box.mailbox)

    # Seeing

    def _box(self, mailbox: str) -> Box:
        return self._spool.box(self._context_of(mailbox), mailbox)

    @contextmanager
    def _exclusive(self, box: Box) -> Iterator[None]:
        try:
            with self._memory.exclusive(box.context, box.mailbox):
                yield
        except OSError as error:
            where = error.filename or box.folder
            raise StoreUnproven(f"{where}: {error.strerror or error}; it is tried again") from error

    def _view(self, box: Box) -> _View:
        try:
            held = box.repair()
        except (SyncError, OSError) as error:
            raise StoreUnproven(f"{box.folder}: what was begun there cannot be finished: {error}") from error
        remembered = {k.ref: k for k in self._memory.load(box.context, box.mailbox)}
        there = [k for k in remembered.values() if not k.gone and k.ref not in held]
        away = [hold.record.known for hold in held.values()]
        away += [k for k in remembered.values() if k.gone and k.ref not in held]
        look = box.look([*there, *away])
        live = {k.ref: k for k in recognise(there, look.seen, self._prefix(box), away=away)}
        if not look.unsettled:
            for ref in live.keys() & held.keys():
                held.pop(ref).drop()  # back in the spool by another hand, recording and all
        missed = [k for ref, k in remembered.items() if ref not in live and ref not in held]
        gone = tuple(k if k.gone else replace(k, gone=self._clock()) for k in missed)
        return _View(live, held, gone, look, remembered)

    def _remember(self, box: Box, view: _View) -> None:
        known = {k.ref: k for k in (*view.live.values(), *view.gone)}
        known |= {ref: hold.record.known for ref, hold in view.held.items()}
        if known != view.remembered:
            self._memory.save(box.context, box.mailbox, list(known.values()), self._clock())

    def _say(self, mailbox: str, doubt: str) -> None:
        if doubt and self._said.get(mailbox) != doubt:
            _log.warning("mailbox %s: nothing is concluded from what is missing: %s", mailbox, doubt)
        self._said[mailbox] = doubt

    def _warn(self, mailbox: str, text: str) -> None:
        if text and self._warned.get(mailbox) != text:
            _log.warning("mailbox %s: %s", mailbox, text)
        self._warned[mailbox] = text

    def _prefix(self, box: Box) -> str:
        return f"{box.context}/{box.mailbox}/"

    def _token(self, known: Known) -> Token:
        return Token(known.token) or derive_token(self._secret, self._spool.store_id, known.ref)

    def _message(self, box: Box, known: Known, state: State) -> LocalMessage:
        info = known.seen.info
        number, name = info.caller
        return LocalMessage(
            ref=known.ref,
            token=self._token(known),
            mailbox=box.mailbox,
            kind=Kind.VOICE,
            state=state,
            received=info.received or datetime.fromtimestamp(known.seen.text[2] // 10**9, UTC),
            caller_number=number,
            caller_name=name,
            duration=info.seconds,
            urgent=info.urgent or known.seen.folder == URGENT,
            media_type=media_type(known.seen.suffix),
        )

    def _deleted(self, box: Box, hold: Hold) -> LocalMessage:
        message = self._message(box, hold.record.known, State.DELETED)
        return replace(message, deleted_at=datetime.fromtimestamp(hold.record.deleted_at, UTC))

    # Changing

    def _apply(self, box: Box, view: _View, known: Known, wanted: State) -> bool:
        target = {State.HEARD: OLD, State.NEW: _inbox(known.seen), State.DELETED: ""}[wanted]
        if self._ami is not None and _unique(known, view):
            try:
                if self._by_asterisk(self._ami, box, known, view.entry(known), target):
                    return True
            except AmiUnavailable as error:
                _log.info("mailbox %s: changed in its files: %s", box.mailbox, error)
            view = self._view(box)
            if view.live.get(known.ref) != known:
                return False
        if wanted is State.DELETED:
            return box.delete(known, view.entry(known), self._clock())
        return box.move(known, view.entry(known), target)

    def _by_asterisk(self, ami: Ami, box: Box, known: Known, entry: Entry, target: str) -> bool:
        """Have Asterisk do it; it is done when the files show it, whatever Asterisk says."""
        where = (box.context, box.mailbox, entry.folder, known.seen.info.msg_id)
        if target:
            box.room_in(target)
            if not ami.move(*where, target):
                return False
            now = self._view(box).live.get(known.ref)
            return now is not None and now.seen.folder == target
        hold = box.keep(known, entry, self._clock())
        if hold is None:
            return False
        try:
            ami.remove(*where)
        except AmiUnavailable:
            hold.drop()
            raise
        return box.settle(hold) is not None

    def _restore(self, box: Box, hold: Hold, wanted: State) -> bool:
        origin = hold.record.origin
        if wanted is State.NEW:
            target = _inbox(hold.record.known.seen)
        else:
            target = origin if state_of(origin) is State.HEARD else OLD
        box.put_back(hold, target)
        return True


def _vanished(box: Box, view: _View) -> str:
    for known in view.gone:
        before = view.remembered[known.ref]
        if not before.gone and not (box.folder / before.seen.folder).is_dir():
            return f"{box.folder / before.seen.folder} is gone, and with it the messages in it"
    return ""


def _at_the_end(box: Box, view: _View) -> str:
    """Say where Asterisk has no number left although there is room; only a login at the phone closes gaps."""
    for folder in (INBOX, URGENT):
        numbers = [number for at, number in view.look.entries if at == folder]
        if len(numbers) < box.maxmsg <= max(numbers, default=-1) + 1:
            return (
                f"{folder} has room, but its last message has number {max(numbers)} and maxmsg is"
                f" {box.maxmsg}: Asterisk takes no more there until the subscriber logs in at the phone"
            )
    return ""


def _inbox(seen: Seen) -> str:
    return URGENT if seen.info.urgent else INBOX


def _unique(known: Known, view: _View) -> bool:
    """Whether Asterisk means this message when it is told its id: it takes the first that has it."""
    msg_id = known.seen.info.msg_id
    return bool(msg_id) and sum(k.seen.info.msg_id == msg_id for k in view.live.values()) == 1


def _adopted(message: LocalMessage, prefix: str, seconds: float) -> Known:
    second = int(message.received.timestamp())
    msg_id = f"{second}-{secrets.token_hex(4)}"
    ref = f"{prefix}{msg_id}"
    info = MessageInfo(
        msg_id=msg_id,
        origtime=str(second),
        callerid=caller_text(message.caller_number, message.caller_name),
        duration=str(round(message.duration or seconds)),
        flag="Urgent" if message.urgent else "",
        mark=f"{message.token} {ref}",
    )
    return Known(ref, Seen(INBOX, 0, info, (0, 0, 0), (0, 0, 0), "", ""), message.token)
