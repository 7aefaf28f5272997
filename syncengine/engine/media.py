"""What a recording or fax is: refused here in one line when it is neither."""

from __future__ import annotations

from dataclasses import dataclass

from syncengine.errors import UsageError
from syncengine.model import Kind


@dataclass(frozen=True, slots=True)
class Media:
    """What is known of a recording from its own bytes."""

    media_type: str
    extension: str
    """Without a dot; what has no header of its own is known by nothing else."""
    duration: float | None = None
    pages: int | None = None


def media_of(data: bytes, name: str, kind: Kind) -> Media:
    """Examine a recording or fax; raises ``UsageError`` for what is none."""
    if kind is Kind.FAX:
        from syncengine.voicemail.fax import NotFax, page_count  # noqa: PLC0415 - only for a fax

        try:
            pages = page_count(data)
        except NotFax as error:
            raise UsageError(f"{name or 'the fax'}: {error}") from None
        if data[:5] == b"%PDF-":
            return Media("application/pdf", "pdf", pages=pages)
        return Media("image/tiff", "tif", pages=pages)
    from syncengine.voicemail.audio import probe  # noqa: PLC0415 - only for a recording
    from syncengine.voicemail.wave import NotSound  # noqa: PLC0415

    try:
        sound = probe(data, name)
    except NotSound as error:
        raise UsageError(str(error)) from None
    return Media(sound.media_type, sound.extension, duration=sound.duration)
