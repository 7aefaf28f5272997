"""Foreign text and addresses -> header fields (RFC 5322). Pure.

Whatever a caller is called, what comes out is one field: 7-bit, folded at 76, decoding back to the
text that went in.
"""

from __future__ import annotations

import re
import unicodedata
from email.header import Header
from email.utils import quote

from syncengine.errors import SyncError
from syncengine.rules.identity import ascii_domain

MAX_NAME = 80
"""Characters of a caller's name or number that are shown."""

_MAX_FIELD = 3 * MAX_NAME
_ADDRESS = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64})@([^@\s<>]{1,253})")
_JOINERS = "\u200c\u200d"  # Persian and Indic names and emoji need them; they reorder nothing


class AddressRefused(SyncError):
    """An address that cannot stand in a mail: not local@domain, or a local part outside ASCII."""


def clean(text: str, limit: int = MAX_NAME) -> str:
    """Return foreign text as one line: no controls, no bidirectional overrides, bounded."""
    line = " ".join("".join(map(_visible, text[: limit * 10])).split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def without_accents(text: str) -> str:
    """Return ``text`` in ASCII, accents dropped; '' when ASCII cannot write it."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return plain if plain.isascii() else ""


def unstructured(name: str, text: str) -> str:
    """Write a field of free text (RFC 5322 section 3.6.5), encoded where ASCII does not do (RFC 2047)."""
    text = clean(text, _MAX_FIELD)
    folded = _encoded(name, text, "us-ascii" if _is_plain(text) else "utf-8")
    if folded.startswith("\r\n"):  # a first word too long for its line: the fold would be read as a blank
        folded = text
    return f"{name}: {folded}"


def named_address(name: str, display: str, address: str) -> str:
    """Write a field of one address with a display name. Raises :class:`AddressRefused`."""
    display, spec = clean(display, _MAX_FIELD), checked_address(address)
    if _is_plain(display):
        phrase = f'"{quote(display)}"'
        fold = "" if len(name) + len(phrase) + len(spec) < 70 else "\r\n"
        return f"{name}: {phrase}{fold} <{spec}>"
    return f"{name}: {_encoded(name, display, 'utf-8')}\r\n <{spec}>"


def checked_address(address: str) -> str:
    """Return an address as it may stand in a field, its domain in IDNA. Raises :class:`AddressRefused`.

    A local part outside ASCII would need SMTPUTF8 (RFC 6531) on every server of the way.
    """
    match = _ADDRESS.fullmatch(address.strip())
    try:
        if match:
            return f"{match[1]}@{ascii_domain(match[2])}"
    except ValueError:
        pass
    raise AddressRefused(f"{clean(address)!r} cannot stand in a mail: write it as local@domain in ASCII")


def _encoded(name: str, text: str, charset: str) -> str:
    return Header(text, charset, maxlinelen=76, header_name=name).encode(linesep="\r\n")


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cc":
        return " "
    return "" if category in {"Cf", "Cs", "Co", "Cn"} and char not in _JOINERS else char


def _is_plain(text: str) -> bool:
    return text.isascii() and "=?" not in text  # what looks like an encoded word would be decoded
