"""A voice or fax message in words fit for people: what its mail, its subject and the lists say. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import format_datetime

from syncengine.delivery.fields import clean
from syncengine.model import Kind, LocalMessage


@dataclass(frozen=True, slots=True)
class Call:
    """A message in words: cleaned, bounded, fit for header fields."""

    message: LocalMessage
    name: str
    number: str
    date: str
    stem: str
    length: str
    seconds: int | None
    """Of a voice message."""
    pages: int | None
    """Of a fax."""

    @classmethod
    def of(cls, message: LocalMessage, zone: tzinfo | None = None) -> Call:
        """Put a message in words; without a ``zone`` times are in the one that it was received in."""
        when = _local(message.received, zone)
        name, number = clean(message.caller_name), clean(message.caller_number)
        seconds = _seconds(message.duration) if message.kind is Kind.VOICE else None
        pages = message.pages if message.kind is Kind.FAX and 0 < (message.pages or 0) < 10**6 else None
        prefix = "voicemail" if message.kind is Kind.VOICE else "fax"
        return cls(
            message=message,
            name="" if name == number else name,
            number=number,
            date=format_datetime(when),
            stem=f"{prefix}-{when:%Y%m%d-%H%M%S}",
            length=_length(pages, seconds),
            seconds=seconds,
            pages=pages,
        )

    @property
    def subject(self) -> str:
        """The subject of its mail, before it is encoded; what lists show is the same."""
        what = "Voice message" if self.message.kind is Kind.VOICE else "Fax"
        length = self.length and (f" ({self.length})" if self.seconds is not None else f", {self.length}")
        return f"{what} from {self.caller}{length}"

    @property
    def caller(self) -> str:
        """Name and number, what is known of them."""
        return ", ".join(filter(None, (self.name, self.number))) or "unknown caller"


def _local(received: datetime, zone: tzinfo | None) -> datetime:
    """Return the time of the call in the mailbox's zone, its offset in whole minutes (RFC 5322)."""
    when = received if received.tzinfo else received.replace(tzinfo=UTC)
    try:
        when = when.astimezone(zone or when.tzinfo)
        offset = when.utcoffset() or timedelta()
        return when.astimezone(timezone(timedelta(minutes=offset // timedelta(minutes=1))))
    except OverflowError:  # a clock at the end of time
        return received.replace(tzinfo=UTC)


def _seconds(duration: float | None) -> int | None:
    if duration is None or not 0 <= duration < 10**7:  # NaN compares false; RFC 3803: 10 digits
        return None
    return round(duration)


def _length(pages: int | None, seconds: int | None) -> str:
    if seconds is not None:
        hours, rest = divmod(seconds, 3600)
        minutes, rest = divmod(rest, 60)
        return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    if pages:
        return f"{pages} page" if pages == 1 else f"{pages} pages"
    return ""
