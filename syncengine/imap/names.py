"""Folder names between the wire and the engine: modified UTF-7 (RFC 3501 section 5.1.3). Pure.

A name that came from a server goes back to it byte for byte, however broken it is: what does not
survive the round trip is remembered beside its readable form.
"""

from __future__ import annotations

import re
from functools import lru_cache

from imapclient import imap_utf7

from syncengine.imap.errors import WireError

_FORBIDDEN = re.compile(rb"[\r\n\x00]")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def quoted(value: bytes) -> bytes:
    """``value`` as a quoted string; ``WireError`` for CR, LF or NUL, which no quoted string may hold."""
    if _FORBIDDEN.search(value):
        raise WireError("a line break or NUL cannot be sent")
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


class Names:
    """The names of one account: readable text to the bytes the server gave."""

    def __init__(self) -> None:
        self._odd: dict[str, bytes] = {}

    def learn(self, raw: bytes) -> str:
        """The readable form of a name as LIST, LSUB or STATUS gave it.

        INBOX is INBOX in any case (RFC 9051 section 5.1). Broken modified UTF-7 stays as it is, raw
        UTF-8 (RFC 6855) is read as such.
        """
        if raw.upper() == b"INBOX":
            return "INBOX"
        name = _decoded(raw)
        if name is not None and self._odd.get(name, raw) == raw:
            return name
        try:
            name = raw.decode("utf-8")
            if _CONTROL.search(name) or self._odd.get(name, raw) != raw:
                raise ValueError(name)
        except ValueError:
            name = raw.decode("ascii", "backslashreplace")
        self._odd[name] = raw
        return name

    def wire(self, name: str) -> bytes:
        """``name`` as a quoted argument of a command."""
        raw = self._odd.get(name)
        if raw is None:
            try:
                raw = bytes(imap_utf7.encode(name))
            except UnicodeError as error:
                raise WireError(f"no folder name: {name!r}") from error
        return quoted(raw)


@lru_cache(maxsize=4096)
def _decoded(raw: bytes) -> str | None:
    """The decoded name, None when encoding it again would not give the same bytes."""
    try:
        name = str(imap_utf7.decode(raw))
        return name if bytes(imap_utf7.encode(name)) == raw else None
    except (UnicodeError, ValueError):
        return None
