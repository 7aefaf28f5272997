"""An e-mail as the reader needs it, as frozen values: who, what, when, and the parts that hold text.

Nothing here is trusted: the values are what the sender wrote, bounded only in number and length.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Sealed(StrEnum):
    """Why a mail's text cannot be read without a key or a program of its own."""

    PGP = "pgp"
    """``multipart/encrypted`` or an armoured message (RFC 3156, RFC 9580 section 6.2)."""
    SMIME = "smime"
    """``application/pkcs7-mime``, enveloped (RFC 8551 section 3.5)."""
    SMIME_SIGNED = "smime-signed"
    """``application/pkcs7-mime``, signed: the text lies in the signature (RFC 8551 section 3.5.2)."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is announced of a mail. Header texts are decoded (:func:`syncengine.speech.header.text`)."""

    sender_name: str = ""
    sender_address: str = ""
    subject: str = ""
    received: datetime | None = None


@dataclass(frozen=True, slots=True)
class TextPart:
    """Where one part with text lies in a message, and how to read it."""

    section: str
    """The part's number for ``BODY.PEEK[...]`` (RFC 9051 section 6.4.5.1)."""
    html: bool = False
    charset: str = ""
    encoding: str = ""
    """Content-Transfer-Encoding, in lower case."""
    flowed: bool = False
    """``format=flowed`` (RFC 3676)."""
    delsp: bool = False
    size: int = 0
    """Octets as they lie in the message, still encoded."""


@dataclass(frozen=True, slots=True)
class Text:
    """One part with text: its octets, still encoded, perhaps only their beginning."""

    data: bytes
    html: bool = False
    charset: str = ""
    encoding: str = ""
    flowed: bool = False
    delsp: bool = False
    cut: bool = False
    """Whether ``data`` is not the whole part."""

    @classmethod
    def of(cls, part: TextPart, data: bytes) -> Text:
        """Join what the structure said with what was fetched."""
        return cls(
            data=data,
            html=part.html,
            charset=part.charset,
            encoding=part.encoding,
            flowed=part.flowed,
            delsp=part.delsp,
            cut=len(data) < part.size,
        )


@dataclass(frozen=True, slots=True)
class Structure:
    """What a message is made of: the parts to fetch, the attachments, and whether it is sealed."""

    texts: tuple[TextPart, ...] = ()
    attachments: tuple[str, ...] = ()
    """The attachments' names, '' where one has none."""
    sealed: Sealed | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, ready to be read aloud."""

    envelope: Envelope
    texts: tuple[Text, ...] = ()
    attachments: tuple[str, ...] = ()
    sealed: Sealed | None = None
    size: int = 0
    """Octets of the whole message; 0 = not known."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence to speak: plain text in one line, and the language to speak it in."""

    text: str
    language: str
    """Two letters (ISO 639-1)."""
