"""Recordings as Asterisk plays them: ``.wav`` is 16-bit PCM at 8 kHz, ``.WAV`` is GSM 06.10 in a WAV file."""

from __future__ import annotations

import io

from syncengine.errors import SyncError
from syncengine.voicemail.audio import convert
from syncengine.voicemail.wave import GSM, PCM, NotSound, Wave, read_wave

_EXTENSIONS = {"audio/mpeg": "mp3", "audio/gsm": "gsm", "audio/basic": "ulaw", "audio/x-alaw": "alaw"}


def for_asterisk(content: bytes, media_type: str) -> tuple[str, bytes, float]:
    """Return suffix, octets and seconds of a recording in a format that every Asterisk plays.

    Raises ``SyncError`` for what is no recording, or cannot be converted here.
    """
    wave = _wave(content)
    if wave is not None and wave.channels == 1 and wave.rate == 8000:
        if wave.tag == GSM:
            return ".WAV", content, wave.duration
        if wave.tag == PCM and wave.bits == 16:
            return ".wav", content, wave.duration
    extension = _EXTENSIONS.get(media_type, "wav")
    converted = convert(content, f"recording.{extension}", "pcm-wav")
    if converted.note:
        raise SyncError(converted.note)
    again = read_wave(io.BytesIO(converted.data))
    return ".wav", converted.data, again.duration


def _wave(content: bytes) -> Wave | None:
    try:
        return read_wave(io.BytesIO(content))
    except NotSound:
        return None
