"""A message of the voice-mail store -> the mail that carries it (RFC 5322 octets). Pure.

The octets are written here field by field: 7-bit, CRLF, no line above 998 octets, identifiers never
folded, the same input always the same octets. The standard library's ``EmailMessage`` loses
Content-Class when content is added, folds long identifiers into encoded words, and draws its
boundaries at random. Nothing a caller is called can end a header field or become a header field.

The first part is always ``text/plain; charset=us-ascii``, 7bit, and holds the line ``Ref: token``; a
name that ASCII cannot write stands there without its accents, or not at all, and in full in a second
``text/plain; charset=utf-8`` part, in the subject and in From.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum

from syncengine.delivery.call import Call
from syncengine.delivery.fields import checked_address, clean, named_address, unstructured, without_accents
from syncengine.model import TOKEN, Kind, LocalMessage
from syncengine.rules.identity import ascii_domain, mac, mailbox_mark, message_id, thread_id

_PHONE = re.compile(r"[+0-9 ().-]+")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,60}(?:; [a-z-]{1,30}=[A-Za-z0-9.-]{1,60})?")


class Notice(StrEnum):
    """Why a mail carries no recording; the sentence that the subscriber reads."""

    SWITCHED_OFF = "Recordings are not sent by mail."
    TOO_LARGE = "The recording is too large for the mail server."
    UNREADABLE = "The recording could not be read."


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of the mail. ``extension`` without a dot; the file is named after the time of the call."""

    data: bytes = field(repr=False)
    extension: str
    media_type: str
    """Content type, for example ``audio/wav`` or ``image/tiff; application=faxbw``."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a mail says besides the message: who sends it, to whom, and the marks it is found by."""

    sender: str
    """Address of the sending account: what its server lets it send as (SPF, DMARC)."""
    recipient: str
    domain: str
    """Right side of the Message-ID."""
    system_id: str
    secret: bytes = field(repr=False)
    """Key of ``X-VM-Auth``."""
    zone: tzinfo | None = None
    """The mailbox's time zone; None = the zone that the message was received in."""
    reply_to: str = ""
    """The caller's own address, only if the caller is a known subscriber."""
    copy: int = 1
    """2 and more: put back after it was gone; the same Message-ID would be dropped as a duplicate."""


def compose(message: LocalMessage, content: Sequence[Attachment] | Notice, envelope: Envelope) -> bytes:
    """Write the mail of a voice or fax message, with its files or with the notice why there are none.

    Header fields after RFC 5322, 3458 (Message-Context), 3834 (Auto-Submitted), 2919 (List-Id) and the
    fields that make Outlook show its voice or fax form (MS-OXCMAIL 2.2.3.2.15, MS-OXOUM 2.2.5);
    without a recording the form is not asked for. Raises
    :class:`~syncengine.delivery.fields.AddressRefused`; ``ValueError`` for an e-mail, or for a token,
    domain or key that is none.
    """
    if message.kind is Kind.EMAIL or not TOKEN.fullmatch(message.token):
        raise ValueError("not a voice or fax message with a token")
    call = Call.of(message, envelope.zone)
    files = () if isinstance(content, Notice) else tuple(content)
    names = [f"{call.stem}.{_extension(file.extension)}" for file in files]
    boundary = "=_" + hashlib.sha256(message.token.encode("ascii")).hexdigest()[:32]
    parts = list(_text_parts(call, content if isinstance(content, Notice) else None, names))
    for number, (file, name) in enumerate(zip(files, names, strict=True), 1):
        content_id = f"<{message.token}.{number}@{ascii_domain(envelope.domain)}>"
        parts.append(_file_part(call, file, name, content_id))
    lines = [*_presentation(call, envelope), *_identity(message, envelope), *_form(call, names)]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{boundary}"']
    head = "\r\n".join(lines).encode("ascii")
    delimiter = f"\r\n--{boundary}\r\n".encode("ascii")
    return b"".join([head, b"\r\n", *(delimiter + part for part in parts), delimiter[:-2], b"--\r\n"])


def _identity(message: LocalMessage, envelope: Envelope) -> Iterator[str]:
    yield f"Message-ID: {message_id(message.token, envelope.domain, copy=envelope.copy)}"
    yield f"References: {thread_id(message.token, envelope.domain)}"
    yield f"X-VM-Message-UUID: {message.token}"
    yield f"X-VM-Mailbox: {mailbox_mark(message.mailbox)}"
    yield f"X-VM-Type: {message.kind.value}"
    yield unstructured("X-VM-System", envelope.system_id)
    yield f"X-VM-Auth: {mac(envelope.secret, message.token, message.mailbox)}"
    yield f"X-CallID: {message.token}"


def _presentation(call: Call, envelope: Envelope) -> Iterator[str]:
    urgent = call.message.urgent
    # A display name with an address in it looks forged to mail filters.
    shown = (call.name or call.number or "Unknown caller").replace("@", " at ")
    yield named_address("From", f"{shown} (voice mail)", envelope.sender)
    yield f"To: {checked_address(envelope.recipient)}"
    if envelope.reply_to:
        yield f"Reply-To: {checked_address(envelope.reply_to)}"
    yield f"Date: {call.date}"
    yield unstructured("Subject", call.subject)
    yield f"Importance: {'high' if urgent else 'normal'}"
    if urgent:
        yield from ("X-Priority: 1", "Priority: urgent")
    if call.message.private:
        yield "Sensitivity: private"
    yield f'List-Id: "Voice Mail" <voicemail.{ascii_domain(envelope.domain)}>'
    yield from ("Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All")


def _form(call: Call, names: Sequence[str]) -> Iterator[str]:
    voice = call.message.kind is Kind.VOICE
    yield f"Message-Context: {'voice-message' if voice else 'fax-message'}"
    if names:
        yield f"Content-Class: {'voice-ca' if voice else 'fax-ca'}"
        yield f"X-AttachmentOrder: {names[0]}"
    phone = re.sub("[ ().-]", "", call.number) if _PHONE.fullmatch(call.number) else call.number
    if phone:
        yield unstructured("X-CallingTelephoneNumber", phone)
    if call.name and voice:
        yield unstructured("X-VoiceMessageSenderName", call.name)
    if call.seconds is not None:
        yield f"X-VoiceMessageDuration: {call.seconds}"
    if call.pages:
        yield f"X-FaxNumberOfPages: {call.pages}"


def _text_parts(call: Call, notice: Notice | None, names: Sequence[str]) -> Iterator[bytes]:
    lines = _text(call, notice, names)
    yield _part("text/plain; charset=us-ascii", "7bit", "\r\n".join(lines).encode("ascii"))
    if not call.caller.isascii():
        text = base64.encodebytes(f"From:     {call.caller}\r\n".encode())
        yield _part("text/plain; charset=utf-8", "base64", text.replace(b"\n", b"\r\n").rstrip())


def _text(call: Call, notice: Notice | None, names: Sequence[str]) -> list[str]:
    message, voice = call.message, call.message.kind is Kind.VOICE
    mailbox = without_accents(clean(message.mailbox)) or "?"
    marks = " and ".join(m for m, on in (("urgent", message.urgent), ("private", message.private)) if on)
    known = (
        ("From", without_accents(call.name) if call.name or call.number else "unknown caller"),
        ("Number", without_accents(call.number)),
        ("Mailbox", mailbox),
        ("Received", call.date),
        ("Length", call.length),
        ("Marked", marks),
    )
    where = f"Attached: {', '.join(names)}" if names else str(notice or Notice.SWITCHED_OFF)
    listen = f"To hear it by phone, call your voice mailbox {mailbox}."
    return [
        f"You have a new {'voice message' if voice else 'fax'}.",
        "",
        *(f"{label + ':':<10}{value}" for label, value in known if value),
        "",
        where,
        *([listen] if voice else []),
        "",
        f"Ref: {message.token}",
        "",
    ]


def _file_part(call: Call, file: Attachment, name: str, content_id: str) -> bytes:
    voice = call.message.kind is Kind.VOICE
    media_type = file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream"
    # `attachment`, not `inline`: some webmail hides inline sound.
    disposition = f'Content-Disposition: attachment; filename="{name}"'
    extra = [disposition + ("; voice=Voice-Message" if voice else "")]
    if voice and call.seconds is not None:
        extra.append(f"Content-Duration: {call.seconds}")  # RFC 3803
    extra.append(f"Content-Description: {'Voice message' if voice else 'Fax'}")
    extra.append(f"Content-ID: {content_id}")
    body = base64.encodebytes(file.data).replace(b"\n", b"\r\n")[:-2]
    return _part(f'{media_type}; name="{name}"', "base64", body, extra)


def _part(content_type: str, encoding: str, body: bytes, extra: Sequence[str] = ()) -> bytes:
    lines = [f"Content-Type: {content_type}", f"Content-Transfer-Encoding: {encoding}", *extra, "", ""]
    return "\r\n".join(lines).encode("ascii") + body


def _extension(extension: str) -> str:
    return re.sub(r"[^a-z0-9]", "", extension.lower())[:8] or "bin"
