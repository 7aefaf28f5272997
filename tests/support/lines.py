"""Cuts a byte stream into lines and IMAP literals (RFC 9051 section 4.3), so that faults strike whole lines.

Nothing is lost or added: the pieces joined are the stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole line with its end, or a part of a literal."""

    data: bytes
    is_line: bool

    @property
    def tag(self) -> bytes:
        """The first word of a line."""
        return self.data.split(b" ", 1)[0].strip()

    @property
    def announces(self) -> tuple[int, bool] | None:
        """The size of the literal that this line announces, and whether it comes unasked (LITERAL+)."""
        found = LITERAL.search(self.data) if self.is_line else None
        return (int(found[1]), bool(found[2])) if found else None


class LineSplitter:
    """One direction of one connection."""

    def __init__(self) -> None:
        self.partial = b""
        self._literal = 0
        self.waiting: bytes | None = None
        """The tag of a command whose literal was announced and waits for the server's ``+``."""
        self._tag = b""
        self._continues = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield the pieces that are complete now; what is left of a line waits in ``partial``."""
        stream, at = self.partial + data, 0
        while at < len(stream):
            if self._literal:
                part = stream[at : at + self._literal]
                self._literal -= len(part)
                self.waiting = None
                yield Piece(part, is_line=False)
                at += len(part)
                continue
            end = stream.find(b"\n", at) + 1
            if not end:
                break
            piece = self._line(stream[at:end])
            at = end
            yield piece
        self.partial = stream[at:]

    def skip(self, data: bytes) -> None:
        """Let data pass unseen, but for the start of the line that it may end in."""
        end = data.rfind(b"\n") + 1
        self.partial = data[end:] if end else self.partial + data
        self.give_up_literal()

    def give_up_literal(self) -> None:
        """The announced literal will not come: the command was refused."""
        self._literal, self.waiting, self._continues = 0, None, False

    def _line(self, line: bytes) -> Piece:
        piece = Piece(line, is_line=True)
        if not self._continues:
            self._tag = piece.tag
        announced = piece.announces
        self._continues = announced is not None
        if announced:
            self._literal, unasked = announced
            self.waiting = None if unasked else self._tag
        return piece
