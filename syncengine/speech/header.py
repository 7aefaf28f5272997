"""Header texts and parts as characters, whatever the sender did to them. Pure; never raises.

A charset is a name that a stranger wrote: only names of text charsets are looked up, and what does
not decode is replaced, never refused.
"""

from __future__ import annotations

import binascii
import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parseaddr

MAX_HEADER = 2000
"""Characters of one header text that are kept."""

_ENCODED_WORD = re.compile(r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?=")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}
"""What a charset's label means in mail: the superset that programs write (WHATWG Encoding, section 4.2)."""

_NO_CHARSETS = frozenset(
    {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"}
)
"""Python's codecs that turn octets into text and are no charset of any mail."""


def decoded(data: bytes, charset: str) -> str:
    """Return ``data`` as text: by its charset, UTF-8 where that is missing, unknown or not true."""
    codec = _codec(charset)
    if codec in ("", "cp1252", "utf-8"):  # the labels that are wrong most often
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            # Cut in the middle of a character is still UTF-8.
            if error.start >= len(data) - 3 and data[: error.start].strip(_ASCII):
                return data[: error.start].decode("utf-8-sig")
            codec = "utf-8" if codec == "utf-8" else "cp1252"
    elif _surely_utf8(data):
        codec = "utf-8"
    try:
        return data.decode(codec, "replace")
    except (LookupError, ValueError):  # one of Python's codecs that are no charset, as "rot13"
        return decoded(data, "")


def _surely_utf8(data: bytes) -> bool:
    """Whether so many octets form UTF-8 that no other charset is meant, whatever the label says."""
    if len(data.translate(None, _ASCII)) < _NO_ACCIDENT:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_NO_ACCIDENT = 12
_ASCII = bytes(range(128))


def text(raw: bytes | str) -> str:
    """Return a header's text in one line: unfolded, encoded words decoded (RFC 2047), bounded.

    Raw 8-bit octets are taken for UTF-8, else for Windows-1252. Broken words are left out.
    """
    line = decoded(raw[: 4 * MAX_HEADER], "") if isinstance(raw, bytes) else raw[: 4 * MAX_HEADER]
    line = _CONTROLS.sub(" ", line)
    if "=?" in line:
        line = _words(line)
    return " ".join(_CONTROLS.sub(" ", line).split())[:MAX_HEADER]


def address(raw: bytes | str) -> tuple[str, str]:
    """Return display name and address of a From field, each '' where there is none.

    The address is taken before anything is decoded: an encoded display name cannot become one.
    """
    line = decoded(raw[: 4 * MAX_HEADER], "") if isinstance(raw, bytes) else raw[: 4 * MAX_HEADER]
    line = _CONTROLS.sub(" ", line)
    name, found = parseaddr(line)
    if not found and not name and "<" in line:
        name, _, rest = line.partition("<")
        found = rest.partition(">")[0]
    return text(name.strip().strip("\"'")), text(found) if "@" in found else ""


def _words(line: str) -> str:
    try:
        return _joined(line)
    except (HeaderParseError, binascii.Error, ValueError):
        return _ENCODED_WORD.sub(lambda word: _word(word[0]), line)


def _word(word: str) -> str:
    try:
        return _joined(word)
    except (HeaderParseError, binascii.Error, ValueError):
        return ""


def _joined(line: str) -> str:
    return "".join(
        part if isinstance(part, str) else decoded(part, charset or "")
        for part, charset in decode_header(line)
    )


def _codec(charset: str) -> str:
    label = charset.strip().strip("\"'").lower().partition("*")[0]  # RFC 2231 section 5: charset*language
    if not label or not label.isascii() or len(label) > 40 or "\0" in label:
        return ""
    if label in ("utf8mb4", "unicode-1-1-utf-8"):
        label = "utf-8"
    label = re.sub(r"^(?:win|x-windows|x-cp)-?(?=\d)", "cp", label).removesuffix("-i").removesuffix("-e")
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    return "" if name in _NO_CHARSETS else _MEANT.get(name, name)
