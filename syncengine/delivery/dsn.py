"""Delivery status notifications (RFC 3464): which message could not be delivered to whom, and why. Pure.

Everything in one is foreign and may be forged: it names an envelope id, and whether that concerns any
message is for the caller to know.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from syncengine.model import TOKEN, Token

_MAX_OCTETS = 128 * 1024
"""What is read of a notification: the returned message comes after what is wanted."""
_MAX_PARTS = 50
"""Parts within parts are read recursively by the standard library."""
_MAX_RECIPIENTS = 100
_NESTING = re.compile(rb"multipart/|message/", re.IGNORECASE)
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_REASON = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient to whom a message was not delivered, for good."""

    token: Token
    recipients: frozenset[str]
    """The address it was sent to and the one it ended at, in lower case, as far as they are told."""
    reason: str
    """One printable line: status and diagnostic."""


def failures(raw: bytes) -> tuple[Failure, ...]:
    """Return the failures that a notification tells of; none for what is no notification of ours."""
    start = raw[:_MAX_OCTETS]
    if len(_NESTING.findall(start)) > _MAX_PARTS:
        return ()
    mail = email.message_from_bytes(start, policy=email.policy.compat32)
    status = next((p for p in mail.walk() if p.get_content_type() == "message/delivery-status"), None)
    # The standard library reads each group of fields as a message of its own.
    groups = status.get_payload() if status is not None else []
    blocks = [group for group in groups if isinstance(group, Message)]
    if not blocks:
        return ()
    envelope = _XTEXT.sub(lambda m: chr(int(m[1], 16)), _field(blocks[0], "Original-Envelope-Id"))
    if not TOKEN.fullmatch(envelope):
        return ()
    return tuple(_failed(blocks[1 : 1 + _MAX_RECIPIENTS], Token(envelope)))


def _failed(blocks: list[Message[str, str]], token: Token) -> Iterator[Failure]:
    for block in blocks:
        if _field(block, "Action").lower() != "failed":
            continue
        addresses = (_address(_field(block, name)) for name in ("Original-Recipient", "Final-Recipient"))
        parts = (_field(block, "Status"), _typed(_field(block, "Diagnostic-Code")))
        reason = " ".join(part for part in parts if part) or "no reason given"
        yield Failure(token, frozenset(a for a in addresses if a), reason[:_REASON])


def _field(block: Message[str, str], name: str) -> str:
    """Return a field's value as one printable line."""
    value = " ".join(str(block.get(name, "")).split())
    return "".join(c for c in value if c.isprintable())[:1000]


def _address(value: str) -> str:
    """Return the address of ``rfc822; address`` (xtext undone), in lower case."""
    return _XTEXT.sub(lambda m: chr(int(m[1], 16)), _typed(value)).strip("<>").lower()


def _typed(value: str) -> str:
    """Return what follows the type of a typed field."""
    return value.partition(";")[2].strip() if ";" in value else value
