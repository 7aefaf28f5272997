"""Commands as values, and what came back. Pure.

A command is text and literals in turn; no text holds a line break (``names.quoted`` refuses it), so
no value from outside can become a command of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from syncengine.imap.errors import WireError
from syncengine.imap.names import quoted
from syncengine.imap.responses import (
    Condition,
    Exists,
    Expunged,
    Fetch,
    Listed,
    Namespaces,
    Response,
    SearchResult,
    StatusData,
    Vanished,
    Words,
)
from syncengine.imap.uidset import UidSet

_BREAK = re.compile(rb"[\r\n\x00]")
_PLAIN = re.compile(rb"[\x20-\x7e]*")


_HEAVY = 10
"""What a folder or a line of text weighs beside a message."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command without its tag: text, literal, text, ... and so on."""

    parts: tuple[bytes, ...]
    selects: bool = False
    """Whether it opens a folder: what came before its completion is not about that folder."""
    secret: bool = False
    """Whether it must not be traced."""
    deflates: bool = False
    """Whether both directions are compressed behind its OK."""

    def __post_init__(self) -> None:
        if any(_BREAK.search(text) for text in self.parts[::2]):
            raise WireError("a line break or NUL inside a command")


def command(*parts: bytes, selects: bool = False) -> Command:
    """A command from text and literals in turn."""
    return Command(parts, selects)


COMPRESS = Command((b"COMPRESS DEFLATE",), deflates=True)
"""RFC 4978; always the last of what is sent together, since nothing may follow before its answer."""


def login_command(account: str, password: str) -> Command:
    """LOGIN; what does not fit into a quoted string travels as literal, in UTF-8."""
    parts = [b"LOGIN "]
    for value in (account.encode(), password.encode()):
        if _PLAIN.fullmatch(value):
            parts[-1] += quoted(value) + b" "
        else:
            parts += [value, b" "]
    parts[-1] = parts[-1][:-1]
    return Command(tuple(parts), secret=True)


@dataclass(slots=True)
class Untagged:
    """Everything one exchange brought without a tag, whichever command it came in: the one place."""

    fetches: list[Fetch] = field(default_factory=list)
    vanished: list[UidSet] = field(default_factory=list)
    earlier: list[UidSet] = field(default_factory=list)
    """VANISHED (EARLIER): history, not counted against EXISTS."""
    expunged: int = 0
    """Messages that went by sequence number: which ones has to be found out."""
    exists: int | None = None
    codes: dict[str, bytes] = field(default_factory=dict)
    opened: Mapping[str, bytes] | None = None
    """The codes as they stood when SELECT completed."""
    opened_exists: int | None = None
    searches: list[SearchResult] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)
    statuses: list[StatusData] = field(default_factory=list)
    words: dict[str, frozenset[str]] = field(default_factory=dict)
    namespaces: Namespaces | None = None
    weight: int = 0
    """How many values this holds, ranges counted one by one: what memory it takes."""

    def take(self, response: Response) -> None:
        """Route one response."""
        self.weight += _weight(response)
        match response:
            case None:
                pass
            case Fetch():
                self.fetches.append(response)
            case Vanished(uids, earlier):
                self._gone(uids, earlier=earlier)
            case Expunged():
                self.expunged += 1
                self.exists = max(0, self.exists - 1) if self.exists is not None else None
            case Exists(count):
                self.exists = count
            case SearchResult():
                self.searches.append(response)
            case Listed():
                self.listed.append(response)
            case StatusData():
                self.statuses.append(response)
            case Words(keyword, words):
                self.words[keyword] = words
            case Namespaces():
                self.namespaces = response
            case Condition():
                self._code(response)
            case _:
                assert_never(response)

    def take_all(self, fetches: list[Fetch]) -> None:
        """Route many FETCHes."""
        self.weight += len(fetches)
        self.fetches += fetches

    def completed_select(self, *, forget: bool) -> None:
        """SELECT is done: keep what it said apart from what follows.

        ``forget``: without QRESYNC there is no ``[CLOSED]``, and FETCH or EXPUNGE seen so far can
        only be about the folder that was left (RFC 7162 section 3.2.11).
        """
        if forget:
            self._left_folder()
        self.opened = dict(self.codes)
        self.opened_exists = self.exists

    def _gone(self, uids: UidSet, *, earlier: bool) -> None:
        if earlier:
            self.earlier.append(uids)
            return
        self.vanished.append(uids)
        if self.exists is not None:
            self.exists = max(0, self.exists - len(uids))

    def _code(self, condition: Condition) -> None:
        if condition.code == "CLOSED":
            self._left_folder()
            self.exists = None
        elif condition.ok and condition.code:
            self.codes[condition.code] = condition.arguments

    def _left_folder(self) -> None:
        self.fetches.clear()
        self.vanished.clear()
        self.earlier.clear()
        self.expunged = 0


def _weight(response: Response) -> int:
    """An account has a hundred thousand folders at most, and no line is for nothing."""
    match response:
        case SearchResult() | Vanished():
            return len(response.uids.ranges) + 1
        case Listed() | StatusData() | Condition():
            return _HEAVY
        case _:
            return 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of the commands of one exchange, in their order, and all that came with them."""

    results: tuple[Condition, ...]
    untagged: Untagged
    tags: tuple[bytes, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every command was carried out."""
        return all(result.ok for result in self.results)

    @property
    def refusal(self) -> str:
        """What the server said to the first command it refused, '' without any."""
        for result in self.results:
            if not result.ok:
                return f"{result.status} {result.text}".strip()
        return ""
