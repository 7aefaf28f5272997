"""The words of the engine as frozen values.

IMAP's own words where they exist (RFC 9051, RFC 7162); the others are defined on the page
``docs/words.md``. Nothing here does anything: every module may import this one, it imports none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

Uid = NewType("Uid", int)
"""Unique identifier of a message in one folder under one UIDVALIDITY (RFC 9051 section 2.3.1.1)."""

UidValidity = NewType("UidValidity", int)
"""Generation of a folder's UIDs (RFC 9051 section 2.3.1.1)."""

ModSeq = NewType("ModSeq", int)
"""Modification sequence, 63 bits (RFC 7162 section 3.1)."""

Token = NewType("Token", str)
"""``vm-`` + 32 hex digits + ``-z``: the mark that identifies a voice or fax message wherever it is."""

TOKEN = re.compile(r"vm-([0-9a-f]{32})-z")
"""How a token looks; always used with ``fullmatch`` or on a whole line."""

SEEN = "\\Seen"
DELETED = "\\Deleted"
FLAGGED = "\\Flagged"


def token_of(message_id: str) -> Token:
    """Return the token of the message with this id (32 hex digits)."""
    return Token(f"vm-{message_id}-z")


def id_of(token: Token) -> str:
    """Return the id (32 hex digits) of the message that carries this token."""
    return token[3:35]


class Security(StrEnum):
    """How a connection is protected (RFC 8314); the manual's SSL yes and no are tls and none."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class SearchMode(StrEnum):
    """How messages are found again when their place is unknown (manual page 6)."""

    HEADER = "header"
    TEXT = "text"
    AUTO = "auto"


class Side(StrEnum):
    """One of the two places that tell the same story."""

    LOCAL = "local"
    REMOTE = "remote"


class State(StrEnum):
    """What the subscriber has done with a message; the values of the local side and of the base."""

    NEW = "new"
    HEARD = "heard"
    DELETED = "deleted"


class RemoteState(StrEnum):
    """What the account shows of a message; DELETED only with evidence, UNKNOWN without any sighting."""

    UNSEEN = "unseen"
    SEEN = "seen"
    DELETED = "deleted"
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """Why a message counts as deleted in the account."""

    ACT = "act"
    """It is only in Trash, or carries ``\\Deleted`` wherever it is live."""
    INFERRED = "inferred"
    """Its live sighting is gone and a sound look did not find it."""


class Kind(StrEnum):
    """What a message is."""

    VOICE = "voice"
    FAX = "fax"
    EMAIL = "email"


class Delivery(StrEnum):
    """How far a message's way to the account has come."""

    UNLINKED = "unlinked"
    NOT_SENT = "not-sent"
    QUEUED = "queued"
    SENT = "sent"
    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    UNDELIVERABLE = "undeliverable"


class Role(StrEnum):
    """What a folder means to one mailbox, given its sync mode."""

    LIVE = "live"
    """In scope: flags and disappearance count."""
    OUTSIDE = "outside"
    """An ordinary folder outside the scope: only ``\\Seen`` counts."""
    TRASH = "trash"
    JUNK = "junk"
    SENT = "sent"
    DRAFTS = "drafts"
    ALL = "all"
    """The server's view of everything (``\\All``): keeps alive what has no other live place."""


class Verb(StrEnum):
    """What an action does; the words of ``resync --json``."""

    MARK_HEARD = "mark-heard"
    MARK_NEW = "mark-new"
    DELETE = "delete"
    RESTORE = "restore"
    SEND = "send"
    APPEND = "append"
    ADOPT = "adopt"
    INDEX = "index"
    MOVE = "move"
    CREATE_FOLDER = "create-folder"


@dataclass(frozen=True, slots=True)
class LocalMessage:
    """One message of the voice-mail store, as the store knows it."""

    ref: str
    """The store's own identity of the message; never its place."""
    token: Token
    mailbox: str
    kind: Kind
    state: State
    received: datetime
    """When the call or fax came, with its zone."""
    caller_number: str = ""
    caller_name: str = ""
    duration: float | None = None
    """Seconds of sound; None for a fax."""
    pages: int | None = None
    urgent: bool = False
    private: bool = False
    deleted_at: datetime | None = None
    media_type: str = ""
    """Content type of the recording as it lies in the store, for example ``audio/wav``."""
    content: bool = True
    """False once the recording of a deleted message was given up: only its tombstone is left."""


@dataclass(frozen=True, slots=True)
class LocalListing:
    """What the voice-mail store showed of one mailbox.

    ``proven`` says that the store's marker was read before and after a complete listing: only then
    is a missing message the subscriber's act.
    """

    store_id: str
    proven: bool
    messages: tuple[LocalMessage, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """One IMAP folder as LIST and STATUS show it. None = the server did not say."""

    name: str
    delimiter: str | None
    attributes: frozenset[str]
    """LIST attributes in lower case, special-use among them (RFC 9051 section 7.3.1, RFC 6154)."""
    subscribed: bool = True
    uidvalidity: UidValidity | None = None
    uidnext: Uid | None = None
    highestmodseq: ModSeq | None = None
    messages: int | None = None

    @property
    def selectable(self) -> bool:
        """Whether the folder can hold messages."""
        return not self.attributes & {"\\noselect", "\\nonexistent"}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the observation of one folder may resume.

    ``uidnext``: the headers of every UID below it were read. ``highestmodseq``: flags and
    disappearances are known up to it (RFC 7162); None where the server has no CONDSTORE.
    ``messages``: how many the folder held then; None where it was not read to its end.
    """

    folder: str
    uidvalidity: UidValidity
    uidnext: Uid
    highestmodseq: ModSeq | None = None
    messages: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One message at one place: (folder, UIDVALIDITY, UID)."""

    folder: str
    uidvalidity: UidValidity
    uid: Uid


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """The header fields by which a message is recognised; unfolded and decoded, '' when missing."""

    message_id: str = ""
    vm_uuid: str = ""
    vm_system: str = ""
    vm_mailbox: str = ""
    vm_auth: str = ""
    original_message_id: str = ""
    """X-Microsoft-Original-Message-ID or X-Google-Original-Message-ID."""
    references: str = ""
    in_reply_to: str = ""
    sender: str = ""
    """The From field."""
    report_type: str = ""
    """The ``report-type`` parameter of a multipart/report (RFC 6522), else ''."""


@dataclass(frozen=True, slots=True)
class Found:
    """A message whose header fields were read at a place."""

    place: Place
    flags: frozenset[str]
    header: HeaderFields
    modseq: ModSeq | None = None


@dataclass(frozen=True, slots=True)
class FlagState:
    """Flags that the server's own FETCH showed for a UID."""

    uid: Uid
    flags: frozenset[str]
    modseq: ModSeq | None = None


@dataclass(frozen=True, slots=True)
class FolderDelta:
    """What one folder showed since its cursor; stored in one transaction together with ``cursor``.

    ``reset``: the folder's identity changed (another UIDVALIDITY, or UIDNEXT or HIGHESTMODSEQ below
    the recorded one), nothing known of it holds any more and it was read from the start.
    ``vanished`` are UIDs of ours that the server reported gone (VANISHED, EXPUNGE, or missing from a
    complete listing that agreed with EXISTS).
    """

    cursor: Cursor
    reset: bool = False
    found: tuple[Found, ...] = ()
    flags: tuple[FlagState, ...] = ()
    vanished: tuple[Uid, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A token seen at a place, with its flags, as the index remembers it."""

    token: Token
    place: Place
    role: Role
    seen: bool
    deleted: bool
    """Carries ``\\Deleted``."""
    modseq: ModSeq | None = None
    base_seen: bool | None = None
    """``\\Seen`` as last agreed for this copy; None = a further copy, its first flags are no change."""
    doubtful: bool = False
    """Contradicts our own STORE of less than a minute ago without a higher MODSEQ: not yet believed."""
    message_id: str = ""
    """Its Message-ID: equal ones in one folder are copies of one delivery."""


@dataclass(frozen=True, slots=True)
class FlagChange:
    """``\\Seen`` to be set or cleared at a place."""

    token: Token
    place: Place
    seen: bool
    unchanged_since: ModSeq | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one effect. ``done`` only when the server's (or store's) own answer shows it."""

    token: Token
    done: bool
    error: str | None = None
    place: Place | None = None
    """Where the message is now, if the server said so (APPENDUID, COPYUID)."""
    flags: FlagState | None = None
    """Flags as the server's FETCH showed them afterwards."""
    moved_on: bool = False
    """The message changed or moved meanwhile: no failure, the next pass looks at it again."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counted wire traffic of one connection: trips are client writes after a server write."""

    round_trips: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def since(self, before: Traffic) -> Traffic:
        """What came after ``before`` on the same connection."""
        return Traffic(
            self.round_trips - before.round_trips,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong in a pass, in one line."""

    where: str
    what: str
    settled: bool = False
    """Whether it is only to be known: what was to be done is done as far as the server can, the pass is no
    failure, and nothing is tried again."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass did; the object of ``resync --json``."""

    mailbox: str
    ok: bool
    held: bool = False
    dry_run: bool = False
    actions: tuple[ReportedAction, ...] = ()
    errors: tuple[Problem, ...] = ()
    traffic: Traffic = field(default_factory=Traffic)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReportedAction:
    """One action of a report; ``message`` is the id, None where the action is not about one message."""

    side: Side
    verb: Verb
    message: str | None
    count: int = 1
