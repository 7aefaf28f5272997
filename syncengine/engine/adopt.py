"""Taking in a message that the account holds and the voice-mail store does not (a lost index).

Adopted only if this installation's key proves it and its attachment decodes; otherwise it is said once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncengine.errors import SyncError
from syncengine.index import Index
from syncengine.model import Kind, LocalMessage, State, Token, id_of
from syncengine.replica import Account, VoiceStore
from syncengine.rules.identity import authentic, parse_header_block
from syncengine.rules.plan import Action

if TYPE_CHECKING:
    from email.message import EmailMessage

_MAX_PARTS = 50
_MAX_ATTACHMENT = 200 * 1024 * 1024


class NotAdopted(SyncError):
    """Why a message that carries a token of ours is left alone."""


@dataclass(frozen=True, slots=True)
class Adopter:
    """Adopts messages of one mailbox from one account."""

    index: Index
    account: int
    remote: Account
    store: VoiceStore
    mailbox: str
    secret: bytes
    system_id: str
    recognised_media: Callable[[bytes, Kind], str]
    """Content type of a recording or fax; raises ``SyncError`` if it does not decode."""

    def adopt(self, action: Action) -> bool:
        """Adopt the message of a planned action; refusals are remembered so that they are said once."""
        raw = self.remote.fetch(action.copies[0].place)
        if raw is None:
            return False
        try:
            message, content = self.read(raw, action.token, heard=bool(action.seen))
        except SyncError as error:
            self.index.pairs.refuse(self.account, action.token, f"not adopted: {error}")
            raise
        self.store.adopt(message, content)
        return True

    def read(self, raw: bytes, token: Token, *, heard: bool) -> tuple[LocalMessage, bytes]:
        """Read message and recording out of a mail of ours; raises ``SyncError`` with the reason."""
        from email import message_from_bytes, policy  # noqa: PLC0415 - slow, and for few passes

        head = raw.partition(b"\r\n\r\n")[0]
        header = parse_header_block(head)
        if not authentic(header, secret=self.secret, system_id=self.system_id, mailbox=self.mailbox):
            raise NotAdopted("it does not carry this installation's key")
        if raw.count(b"multipart/") + raw.count(b"message/") > _MAX_PARTS:
            # The key stands in the mail for its reader to copy; the standard library reads parts recursively.
            raise NotAdopted("it has more parts than a message of ours")
        mail = message_from_bytes(raw, policy=policy.SMTP)
        kind = Kind.FAX if str(mail["X-VM-Type"]).strip() == "fax" else Kind.VOICE
        content = _attachment(mail, kind)
        media_type = self.recognised_media(content, kind)
        return (
            LocalMessage(
                ref=id_of(token),
                token=token,
                mailbox=self.mailbox,
                kind=kind,
                state=State.HEARD if heard else State.NEW,
                received=_date(mail),
                caller_number=_short(mail["X-CallingTelephoneNumber"]),
                caller_name=_short(mail["X-VoiceMessageSenderName"]),
                duration=_number(mail["X-VoiceMessageDuration"]) if kind is Kind.VOICE else None,
                pages=int(_number(mail["X-FaxNumberOfPages"]) or 0) or None,
                urgent=_short(mail["Importance"]).lower() == "high",
                private=_short(mail["Sensitivity"]).lower() == "private",
                media_type=media_type,
            ),
            content,
        )


def _attachment(mail: EmailMessage, kind: Kind) -> bytes:
    wanted = "audio" if kind is Kind.VOICE else "image"
    for part in mail.walk():
        if part.get_content_maintype() == wanted:
            data = part.get_payload(decode=True)
            if isinstance(data, bytes) and 0 < len(data) <= _MAX_ATTACHMENT:
                return data
    raise NotAdopted("it has no recording that can be read")


def _date(mail: EmailMessage) -> datetime:
    try:
        parsed = mail["Date"].datetime
    except (AttributeError, ValueError, TypeError):
        parsed = None
    if not isinstance(parsed, datetime):
        raise NotAdopted("it has no date")
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _short(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())[:200]


def _number(value: object) -> float | None:
    text = _short(value)
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
