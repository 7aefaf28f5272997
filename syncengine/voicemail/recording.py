"""What a recording is: WAV and the telephone system's headerless files, others by libsndfile.

A recording is known by its content; only headerless files are known by their extension. Nothing is
believed that the file's own size does not bear out, and the only exception is :class:`NotSound`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from syncengine.voicemail import wave
from syncengine.voicemail.wave import NotSound

MAX_INPUT = 200 * 1024 * 1024
"""Octets of a recording that is taken at all."""

_GSM_FRAME = 33

_CODECS = {
    wave.PCM: "pcm",
    wave.FLOAT: "float",
    wave.ALAW: "alaw",
    wave.ULAW: "ulaw",
    wave.GSM: "gsm",
}
_MEDIA_TYPES = {
    "MP3": ("mp3", "audio/mpeg"),
    "OGG": ("ogg", "audio/ogg"),
    "FLAC": ("flac", "audio/flac"),
    "AIFF": ("aiff", "audio/aiff"),
    "AU": ("au", "audio/basic"),
    "RF64": ("wav", "audio/wav"),
}
# Only what starts like a sound file is shown to libsndfile: it finds MP3 frames in anything.
_MAGIC = (
    *(b"OggS", b"fLaC", b"FORM", b".snd", b"RF64", b"ID3"),
    *(b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3", b"\xff\xe2"),
)


@dataclass(frozen=True, slots=True)
class Sound:
    """What a recording is."""

    duration: float
    """Seconds."""
    rate: int
    channels: int
    codec: str
    """``pcm``, ``ulaw``, ``alaw``, ``gsm``, ``float``, or libsndfile's word in lower case."""
    extension: str
    """Without a dot."""
    media_type: str


@dataclass(frozen=True, slots=True)
class _Raw:
    """A headerless format of telephone systems, known by its extension alone."""

    codec: str
    rate: int
    octets: int
    """Of a sample, or of a frame of 160 samples (GSM 06.10)."""
    media_type: str


_ULAW_RAW = _Raw("ulaw", 8000, 1, "audio/basic")
_ALAW_RAW = _Raw("alaw", 8000, 1, "audio/x-alaw-basic")
_SLIN_RAW = _Raw("pcm", 8000, 2, "application/octet-stream")
_RAW = {
    **dict.fromkeys(("ulaw", "ul", "mu", "pcm"), _ULAW_RAW),
    **dict.fromkeys(("alaw", "al"), _ALAW_RAW),
    **dict.fromkeys(("sln", "slin", "raw"), _SLIN_RAW),
    "sln16": _Raw("pcm", 16_000, 2, "application/octet-stream"),
    "gsm": _Raw("gsm", 8000, _GSM_FRAME, "audio/gsm"),
}


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording with where its samples lie; ``offset`` None: only libsndfile knows."""

    sound: Sound
    offset: int | None = None
    size: int = 0
    headerless: bool = False


def read_recording(stream: BinaryIO, name: str) -> Recording:
    """Say what a recording is; raises :class:`NotSound` in one line that names the file."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    magic = stream.read(12)
    extension = Path(name).suffix.lstrip(".").lower()
    try:
        if size > MAX_INPUT:
            raise NotSound(f"it is larger than {MAX_INPUT // 2**20} MB")
        if magic[:4] == b"RIFF" and magic[8:] == b"WAVE":
            return _wav(stream)
        if magic.startswith(_MAGIC):
            return _by_library(stream)
        if extension in _RAW:
            return _headerless(_RAW[extension], extension, magic, size)
        raise NotSound("it is no sound file; give WAV, MP3, Ogg, FLAC, .ulaw, .alaw, .gsm or .sln")
    except NotSound as error:
        raise NotSound(f"{name!r} cannot be taken: {error}") from None


def _wav(stream: BinaryIO) -> Recording:
    found = wave.read_wave(stream)
    codec = _CODECS.get(found.tag, f"wav-{found.tag}")
    own = codec in {"ulaw", "alaw"} or (codec == "pcm" and found.bits == 16)
    # [MS-OXOUM] 2.2.2.2: GSM 6.10 in a WAV file is called audio/gsm.
    media_type = "audio/gsm" if codec == "gsm" else "audio/wav"
    sound = Sound(found.duration, found.rate, found.channels, codec, "wav", media_type)
    return Recording(sound, found.offset if own else None, found.size)


def _headerless(raw: _Raw, extension: str, magic: bytes, size: int) -> Recording:
    # Every GSM 06.10 frame starts with the signature 0xD.
    if raw.codec == "gsm" and (not magic or magic[0] >> 4 != 0xD):
        raise NotSound("it is no GSM file")
    frames = size // raw.octets * (160 if raw.codec == "gsm" else 1)
    if not frames:
        raise NotSound("it holds no sound")
    sound = Sound(frames / raw.rate, raw.rate, 1, raw.codec, extension, raw.media_type)
    return Recording(sound, None if raw.codec == "gsm" else 0, size, headerless=True)


def _by_library(stream: BinaryIO) -> Recording:
    try:
        import soundfile  # noqa: PLC0415 - an optional library, and slow to load
    except (ImportError, OSError):
        raise NotSound("this format needs the 'media' extra: voicemail-syncengine[media]") from None
    stream.seek(0)
    try:
        with soundfile.SoundFile(stream) as file:
            rate, frames, channels = file.samplerate, file.frames, file.channels
            kind, subtype = file.format, file.subtype
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise NotSound(reason(error)) from None
    if kind not in _MEDIA_TYPES or not 1 <= channels <= 16 or not 1000 <= rate <= 384_000:
        raise NotSound(f"{kind} with {channels} channels at {rate} Hz is not taken")
    if frames <= 0:
        raise NotSound("it holds no sound")
    extension, media_type = _MEDIA_TYPES[kind]
    return Recording(Sound(frames / rate, rate, channels, str(subtype).lower(), extension, media_type))


def reason(error: Exception) -> str:
    """Return what a sound library complains of, in one line."""
    text = str(error).rpartition(">: ")[2]  # libsndfile puts the address of the buffer before it
    return text.split("\n")[0][:200] or type(error).__name__
