"""The third step of finding a message again: the server's SEARCH, in the mailbox's search mode.

A hit is never believed: its header fields are fetched and recognised, and a hit of a text search
whose fields a gateway has stripped must be a mail of our own with a line ``Ref: token``. That nothing
is found proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from syncengine.errors import FolderError
from syncengine.imap.commands import command
from syncengine.imap.found import found_in, headers
from syncengine.imap.names import quoted
from syncengine.imap.session import Opened, Session, searched
from syncengine.imap.stripped import may_be_ours, reference
from syncengine.imap.uidset import UidSet, chunks
from syncengine.model import Folder, Found, Place, SearchMode, Token
from syncengine.replica import Recognise
from syncengine.rules.identity import parse_header_block

Hits = tuple[tuple[Token, Found], ...]

_TOKENS = 50
"""Tokens of one SEARCH: about 4 kB, below the 8,192 octets of RFC 7162 section 4."""
_MOST_HITS = 5_000
"""Hits looked at for one SEARCH; Gmail once answered with the whole folder."""
_MOST_BODIES = 200


class ServerMemory(Protocol):
    """What is remembered of a server beyond one connection."""

    def header_search_broken(self, host: str) -> bool:
        """Whether SEARCH HEADER was caught not to work there."""

    def note_header_search_broken(self, host: str) -> None:
        """Remember that it was."""


@dataclass(slots=True)
class ProcessMemory:
    """Remembers as long as the object lives."""

    hosts: set[str] = field(default_factory=set)

    def header_search_broken(self, host: str) -> bool:
        """Whether it was noted before."""
        return host in self.hosts

    def note_header_search_broken(self, host: str) -> None:
        """Note it."""
        self.hosts.add(host)


@dataclass(slots=True)
class Finder:
    """Searches the folders of one account."""

    session: Session
    recognise: Recognise
    memory: ServerMemory = field(default_factory=ProcessMemory)
    witnesses: dict[str, tuple[Token, Place]] = field(default_factory=dict)
    """Per folder a message known to lie there with its header: SEARCH HEADER has to find it."""

    def note(self, found: Sequence[Found]) -> None:
        """Learn a witness from messages of one folder whose headers were read."""
        for item in reversed(found):
            token = item.header.vm_uuid and self.recognise(item.header)
            if token and token == item.header.vm_uuid:
                self.witnesses[item.place.folder] = (token, item.place)
                return

    def search(self, folder: Folder, tokens: Sequence[Token]) -> Hits:
        """See :meth:`syncengine.replica.Account.search`. Raises ``FolderError`` when SEARCH is refused."""
        if not tokens:
            return ()
        settings = self.session.settings
        opened, _ = self.session.open(folder.name)
        match settings.search_mode:
            case SearchMode.HEADER:
                return self._named(opened, tokens, self._header(opened, tokens))
            case SearchMode.TEXT:
                return self._text(opened, tokens)
            case SearchMode.AUTO:
                return self._auto(opened, tokens)

    def _auto(self, opened: Opened, tokens: Sequence[Token]) -> Hits:
        """Gmail in its own way; else header, or text where header search is or turns out broken."""
        settings = self.session.settings
        if settings.domain and self.session.offers("X-GM-EXT-1"):
            return self._named(opened, tokens, self._gmail(opened, tokens, settings.domain))
        if not self.memory.header_search_broken(settings.host):
            witness = self._witness(opened)
            asked = [*tokens, witness[0]] if witness else tokens
            try:
                uids = self._header(opened, asked)
            except FolderError:
                uids = None
            if uids is not None and not (witness and self._missed(witness, uids)):
                hits = self._named(opened, tokens, uids)
                return hits if hits or witness else self._doubted(opened, tokens)
            self.memory.note_header_search_broken(settings.host)
        return self._text(opened, tokens)

    def _doubted(self, opened: Opened, tokens: Sequence[Token]) -> Hits:
        """An empty header search that no witness vouches for: text may catch it lying (Yahoo)."""
        hits = self._text(opened, tokens)
        if any(found.header.vm_uuid == token for token, found in hits):
            self.memory.note_header_search_broken(self.session.settings.host)
        return hits

    def _witness(self, opened: Opened) -> tuple[Token, Place] | None:
        witness = self.witnesses.get(opened.folder)
        return witness if witness and witness[1].uidvalidity == opened.uidvalidity else None

    def _missed(self, witness: tuple[Token, Place], uids: Collection[int]) -> bool:
        """Whether the witness still lies there although the search did not find it."""
        token, place = witness
        if place.uid in uids:
            return False
        reply = self.session.run([headers(str(place.uid), modseq=False)])
        there = found_in(place.folder, place.uidvalidity, reply, 1)
        return any(item.place == place and item.header.vm_uuid == token for item in there)

    # the three ways to ask

    def _header(self, opened: Opened, tokens: Sequence[Token]) -> list[int]:
        return self._ask(opened, tokens, lambda batch: _any(batch, "HEADER X-VM-Message-UUID"))

    def _text(self, opened: Opened, tokens: Sequence[Token]) -> Hits:
        uids = self._ask(opened, tokens, lambda batch: _any(batch, "TEXT"))
        hits: list[tuple[Token, Found]] = []
        bodies = 0
        for found in self._look(opened, uids):
            token = self.recognise(found.header)
            if token is None and bodies < _MOST_BODIES and may_be_ours(self.session, found):
                bodies += 1
                token = reference(self.session, found.place.uid)
            if token in tokens and token:
                hits.append((token, found))
        return tuple(hits)

    def _gmail(self, opened: Opened, tokens: Sequence[Token], domain: str) -> list[int]:
        """Gmail searches whole words only and answers HEADER wrongly; it knows rfc822msgid."""

        def query(batch: Sequence[Token]) -> bytes:
            ids = " OR ".join(f"rfc822msgid:{token}@{domain}" for token in batch)
            return b"X-GM-RAW " + quoted(ids.encode())

        return self._ask(opened, tokens, query)

    def _ask(
        self, opened: Opened, tokens: Sequence[Token], query: Callable[[Sequence[Token]], bytes]
    ) -> list[int]:
        """UIDs of the hits, the newest first; ``FolderError`` when the server refuses to search."""
        batches = [tokens[at : at + _TOKENS] for at in range(0, len(tokens), _TOKENS)]
        reply = self.session.run([command(b"UID SEARCH " + query(batch)) for batch in batches])
        if not reply.ok:
            raise FolderError(
                f"folder {opened.folder}: SEARCH refused: {reply.refusal}; set search_mode to text or auto"
            )
        return _newest(searched(reply.untagged), _MOST_HITS * len(batches))

    # verification

    def _named(self, opened: Opened, tokens: Sequence[Token], uids: Sequence[int]) -> Hits:
        wanted = frozenset(tokens)
        hits = ((self.recognise(found.header), found) for found in self._look(opened, uids))
        return tuple((token, found) for token, found in hits if token in wanted and token)

    def _look(self, opened: Opened, uids: Sequence[int]) -> Iterator[Found]:
        for text, _ in chunks(uids, count=500):
            reply = self.session.run([headers(text, modseq=opened.highestmodseq is not None)])
            yield from found_in(opened.folder, opened.uidvalidity, reply, 1, read=parse_header_block)


def _any(tokens: Sequence[Token], key: str) -> bytes:
    """``OR a OR b c``: any of the tokens, as prefix notation (RFC 9051 section 6.4.4)."""
    keys = [f'{key} "{token}"' for token in tokens]
    return ("".join(f"OR {item} " for item in keys[:-1]) + keys[-1]).encode("ascii")


def _newest(uids: UidSet, limit: int) -> list[int]:
    kept: list[int] = []
    for low, high in reversed(uids.ranges):
        kept.extend(range(high, max(low, high - (limit - len(kept)) + 1) - 1, -1))
        if len(kept) >= limit:
            break
    return kept
