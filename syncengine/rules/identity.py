"""Whose message this is: header fields -> token, and the key that proves it. Pure.

Everything compared here is compared exactly and whole: a server's substring hit, a reply, a forward
or a copy resent to another mailbox's account is never taken for a message of ours. Nothing that a
header may hold raises.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Collection
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import quote

from syncengine.model import TOKEN, HeaderFields, Token, token_of

HEADER_NAMES = (
    "X-VM-Message-UUID",
    "X-VM-System",
    "X-VM-Mailbox",
    "X-VM-Auth",
    "Message-ID",
    "X-Microsoft-Original-Message-ID",
    "X-Google-Original-Message-ID",
    "References",
    "In-Reply-To",
    "From",
    "Content-Type",
)
"""The header fields to fetch; :func:`parse_header_block` reads exactly these."""

MAX_BLOCK = 64 * 1024
"""Octets of a header block that are looked at."""

MAX_VALUE = 4096
"""Characters of one field's value that are kept."""

_WANTED = frozenset(name.lower() for name in HEADER_NAMES)
_UNFOLD = re.compile(r"\r?\n(?=[ \t])")
_LINE = re.compile(r"\r?\n")
_REPORT_TYPE = re.compile(r";\s*report-type\s*=\s*\"?([^\";\s]+)", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<(vm-[0-9a-f]{32}-z)(?:\.[0-9]{1,6})?@([^<>@\s]+)>")
_REF_LINE = re.compile(r"^Ref: (vm-[0-9a-f]{32}-z)\r?$", re.MULTILINE)
_MAX_TEXT = 256 * 1024


def ascii_domain(domain: str) -> str:
    """Return a domain name as it stands in identifiers: lower case, IDNA (RFC 3490).

    Raises ``ValueError`` for what is no domain name.
    """
    name = domain.strip().rstrip(".").lower()
    if not name.isascii():
        name = name.encode("idna").decode("ascii")  # UnicodeError is a ValueError
    if not re.fullmatch(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", name) or len(name) > 253:
        raise ValueError("not a domain name")
    return name


def mailbox_mark(mailbox: str) -> str:
    """Return what stands in ``X-VM-Mailbox``: delimited, so that 10 is no substring of 100."""
    return f"mb-{quote(mailbox, safe='', errors='replace')}-z"


def message_id(token: Token, domain: str, *, copy: int = 1) -> str:
    """Return the Message-ID of the ``copy``-th sending; a copy from 2 on is no duplicate to servers."""
    number = f".{copy}" if copy > 1 else ""
    return f"<{token}{number}@{ascii_domain(domain)}>"


def thread_id(token: Token, domain: str) -> str:
    """Return the one id in ``References``: it survives where Message-ID is rewritten."""
    return f"<{token}@thread.{ascii_domain(domain)}>"


def parse_header_block(data: bytes) -> HeaderFields:
    """Read the fields of :data:`HEADER_NAMES` from what ``BODY[HEADER.FIELDS (...)]`` returned.

    Names in any case (Exchange lower-cases them), folded values joined, encoded words decoded
    (RFC 2047) except in From, where decoding could make an address out of a display name. Of a
    repeated field the first counts. Bounded; never raises.
    """
    text = _UNFOLD.sub("", data[:MAX_BLOCK].decode("utf-8", "replace"))
    fields: dict[str, str] = {}
    for line in _LINE.split(text):
        name, colon, value = line.partition(":")
        key = name.strip().lower()
        if colon and key in _WANTED and key not in fields:
            fields[key] = _plain(value, decode=key != "from")
    return HeaderFields(
        message_id=fields.get("message-id", ""),
        vm_uuid=fields.get("x-vm-message-uuid", ""),
        vm_system=fields.get("x-vm-system", ""),
        vm_mailbox=fields.get("x-vm-mailbox", ""),
        vm_auth=fields.get("x-vm-auth", ""),
        original_message_id=fields.get("x-microsoft-original-message-id", "")
        or fields.get("x-google-original-message-id", ""),
        references=fields.get("references", ""),
        in_reply_to=fields.get("in-reply-to", ""),
        sender=fields.get("from", ""),
        report_type=_report_type(fields.get("content-type", "")),
    )


def recognise(
    header: HeaderFields, *, domain: str, mailbox: str, own_addresses: Collection[str]
) -> Token | None:
    """Return the token of the message with this header, None when it is not a message of ours.

    In this order: X-VM-Message-UUID; Message-ID, or the original one that Microsoft's and Google's
    servers keep when they replace it; and, where a gateway stripped both, the single id of our
    References in a mail from ``own_addresses``. A reply (In-Reply-To), a report (RFC 6522) and a
    message of another mailbox are never ours, nor is one whose identifiers contradict each other.
    """
    if header.in_reply_to or header.report_type:
        return None
    if header.vm_mailbox and header.vm_mailbox != mailbox_mark(mailbox):
        return None
    own_domain = ascii_domain(domain)
    named = {
        token
        for token in (
            _whole_token(header.vm_uuid),
            _token_of_id(header.message_id, own_domain),
            _token_of_id(header.original_message_id, own_domain),
        )
        if token
    }
    if named:
        return named.pop() if len(named) == 1 else None
    # A reply's References hold at least two ids, the thread's and that of the mail replied to.
    thread = _token_of_id(header.references, f"thread.{own_domain}")
    return thread if thread and from_own(header, own_addresses) else None


def from_own(header: HeaderFields, own_addresses: Collection[str]) -> bool:
    """Whether the one address in From is one of the account's own; local parts in any case."""
    address = header.sender.strip()
    if address.endswith(">"):
        address = address[:-1].rpartition("<")[2]
    return address.lower() in {own.strip().lower() for own in own_addresses if own.strip()}


def body_ref(text: str) -> Token | None:
    """Return the token of a line that is exactly ``Ref: token``; None if there is none or two differ."""
    found = set(_REF_LINE.findall(text[:_MAX_TEXT]))
    return Token(found.pop()) if len(found) == 1 else None


def mac(secret: bytes, token: Token, mailbox: str) -> str:
    """Return ``X-VM-Auth``: HMAC-SHA-256 (RFC 2104) over token and mailbox, in hex."""
    return _keyed(secret, "auth", token, mailbox)


def authentic(header: HeaderFields, secret: bytes, system_id: str, mailbox: str) -> bool:
    """Whether this installation wrote the header for this mailbox; the condition of an adoption."""
    token = _whole_token(header.vm_uuid)
    if token is None or not system_id or header.vm_system != system_id:
        return False
    if header.vm_mailbox != mailbox_mark(mailbox):
        return False
    expected = mac(secret, token, mailbox).encode("ascii")
    return hmac.compare_digest(header.vm_auth.encode("utf-8", "replace"), expected)


def derive_token(secret: bytes, store_id: str, ref: str) -> Token:
    """Return the token of a message whose store keeps none: always the same for the same message."""
    return token_of(_keyed(secret, "token", store_id, ref)[:32])


def _keyed(secret: bytes, purpose: str, *values: str) -> str:
    if not secret:
        raise ValueError("the key is empty")
    digest = hmac.new(secret, purpose.encode("ascii"), hashlib.sha256)
    for value in values:
        # With its length before it, no value can pass for the end of the one before.
        octets = value.encode("utf-8", "surrogatepass")
        digest.update(b"\0%d:" % len(octets) + octets)
    return digest.hexdigest()


def _whole_token(value: str) -> Token | None:
    return Token(value) if TOKEN.fullmatch(value) else None


def _token_of_id(value: str, domain: str) -> Token | None:
    match = _MESSAGE_ID.fullmatch(value)
    return Token(match[1]) if match and match[2].lower() == domain else None


def _report_type(content_type: str) -> str:
    if not content_type.lower().startswith("multipart/report"):
        return ""
    match = _REPORT_TYPE.search(content_type)
    return match[1].lower() if match else "unknown"


def _plain(value: str, *, decode: bool) -> str:
    value = value[:MAX_VALUE]
    if decode and "=?" in value:
        value = _decoded(value)
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " for c in value)
    return value.strip()


def _decoded(value: str) -> str:
    try:
        chunks = decode_header(value.encode("utf-8", "replace").decode("utf-8"))
        return "".join(_chunk(text, charset) for text, charset in chunks)[:MAX_VALUE]
    except (HeaderParseError, binascii.Error, ValueError):
        return value


def _chunk(text: bytes | str, charset: str | None) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode(charset or "ascii", "replace")
    except (LookupError, ValueError):  # an unknown charset, or one that is no text encoding
        return text.decode("ascii", "replace")
