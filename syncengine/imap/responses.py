"""What a server says, as values (RFC 9051 section 7, RFC 7162, RFC 4731, RFC 5819); ``wire`` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from syncengine.imap.tokens import Value
from syncengine.imap.uidset import UidSet

_NO_SECTIONS: Mapping[str, bytes | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Condition:
    """``OK``, ``NO``, ``BAD``, ``BYE`` or ``PREAUTH`` with its response code (RFC 9051 section 7.1)."""

    status: str
    code: str = ""
    """The response code's name in upper case, '' without one."""
    arguments: bytes = b""
    text: str = ""
    """What a person may read: printable, at most 200 characters, never a line break."""
    tag: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether a command was carried out."""
        return self.status == "OK"


class ServerBye(Exception):
    """The server said BYE: the connection is over. Never leaves this package."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition.text)
        self.condition = condition


class Fetch(NamedTuple):
    """FETCH data of one message that named its UID; a tuple, since they come by the hundred thousand.

    Sequence numbers are never kept.
    """

    uid: int
    flags: frozenset[str] | None = None
    modseq: int | None = None
    sections: Mapping[str, bytes | None] = _NO_SECTIONS
    """``BODY[...]`` sections by name in upper case, without the list of field names; NIL is None."""
    size: int | None = None
    """RFC822.SIZE."""
    arrived: bytes = b""
    """INTERNALDATE as the server wrote it."""
    structure: Value = None
    """BODYSTRUCTURE (section 7.5.2), tokenised."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """UIDs that are gone (RFC 7162 section 3.2.10)."""

    uids: UidSet
    earlier: bool


@dataclass(frozen=True, slots=True)
class Expunged:
    """A message is gone; the server gave only its sequence number."""


@dataclass(frozen=True, slots=True)
class Exists:
    """How many messages the selected folder holds."""

    count: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """SEARCH or ESEARCH. ``tag`` is the command's where the server named it."""

    uids: UidSet
    tag: bytes = b""


@dataclass(frozen=True, slots=True)
class Listed:
    """One LIST or LSUB line; the name still as the server's bytes."""

    raw: bytes
    delimiter: str | None
    attributes: frozenset[str]
    """In lower case."""
    lsub: bool


@dataclass(frozen=True, slots=True)
class StatusData:
    """STATUS of one folder: numbers by item in upper case."""

    raw: bytes
    items: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Words:
    """CAPABILITY, ENABLED, in upper case."""

    keyword: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The first personal namespace (RFC 2342): prefix as bytes, delimiter."""

    prefix: bytes
    delimiter: str | None


Response: TypeAlias = (
    Condition
    | Fetch
    | Vanished
    | Expunged
    | Exists
    | SearchResult
    | Listed
    | StatusData
    | Words
    | Namespaces
    | None
)
