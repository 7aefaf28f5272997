"""The text part of a message, as far as its beginning shows it (RFC 2046). Pure.

Hostile input: whatever cannot be taken apart has no text.
"""

from __future__ import annotations

_LONGEST = 65_536


def own_text(beginning: bytes) -> str:
    """The first text/plain part of the message itself; never that of a message attached to it."""
    from email import message_from_bytes  # noqa: PLC0415 - needed for few hits only, slow to load
    from email.message import Message  # noqa: PLC0415

    try:
        waiting: list[Message] = [message_from_bytes(beginning[:_LONGEST])]
        while waiting:
            part = waiting.pop(0)
            inner = part.get_payload()
            if part.get_content_maintype() == "multipart" and isinstance(inner, list):
                waiting[:0] = [item for item in inner if isinstance(item, Message)]
            elif part.get_content_type() == "text/plain" and not part.get_filename():
                content = part.get_payload(decode=True)
                charset = part.get_content_charset() or "utf-8"
                return content.decode(charset, "replace") if isinstance(content, bytes) else ""
    except (ValueError, LookupError, RecursionError, AssertionError):
        return ""
    return ""
