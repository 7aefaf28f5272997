"""Recordings: what a file holds, and how it goes out. What cannot be converted goes as it was recorded.

G.711 and 16-bit samples of 8 kHz mono need no library; everything else is decoded by libsndfile and
resampled by soxr, if installed. Memory is bounded by :data:`~syncengine.voicemail.recording.MAX_INPUT`
and :data:`MAX_SECONDS`, whatever a file claims.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from syncengine.voicemail import wave
from syncengine.voicemail.recording import Recording, Sound, read_recording, reason
from syncengine.voicemail.wave import NotSound

if TYPE_CHECKING:
    import numpy as np
    import soundfile

__all__ = ["Converted", "NotSound", "Sound", "convert", "probe"]

MAX_SECONDS = 2 * 3600
"""Length of a recording that is still converted."""

_BLOCK = 65536
_MP3_RATE = 16_000  # below it MP3 is no ISO standard, and some telephones do not play it


@dataclass(frozen=True, slots=True)
class Converted:
    """A recording as it goes out."""

    data: bytes = field(repr=False)
    extension: str
    media_type: str
    sound: Sound
    """What the recording was."""
    note: str | None = None
    """Why it is not in the format that was wanted; None when it is."""


def probe(source: Path | bytes, name: str = "") -> Sound:
    """Say what a recording is; raises :class:`NotSound` in one line.

    ``name`` (else the path's) matters for headerless files only: they are known by their extension.
    """
    label = name or (source.name if isinstance(source, Path) else "the recording")
    with ExitStack() as stack:
        try:
            stream: BinaryIO = (
                stack.enter_context(source.open("rb")) if isinstance(source, Path) else io.BytesIO(source)
            )
            return read_recording(stream, label).sound
        except OSError as error:
            raise NotSound(f"{label!r} cannot be read: {error.strerror or error}") from None


def convert(data: bytes, source_name: str, attach_format: str) -> Converted:
    """Bring a recording into ``attach_format``: ulaw-wav, pcm-wav, as-recorded or mp3.

    Where that cannot be done the recording comes back as it is, with a note why. Raises
    :class:`NotSound` for what is no recording, ``ValueError`` for another format.
    """
    read = read_recording(io.BytesIO(data), source_name)
    as_recorded = Converted(data, read.sound.extension, read.sound.media_type, read.sound)
    if attach_format == "as-recorded" or (attach_format == "mp3" and read.sound.extension == "mp3"):
        return as_recorded
    if attach_format not in {"ulaw-wav", "pcm-wav", "mp3"}:
        raise ValueError(f"no such format: {attach_format}")
    try:
        out, extension, media_type = _encoded(data, read, attach_format)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        # soundfile raises OSError where libsndfile is missing, RuntimeError for what it cannot do.
        why = "it needs the 'media' extra" if isinstance(error, ImportError) else reason(error)
        note = f"{source_name!r} is sent as recorded, not as {attach_format}: {why}"
        return Converted(data, as_recorded.extension, as_recorded.media_type, read.sound, note)
    return Converted(out, extension, media_type, read.sound)


def _encoded(data: bytes, read: Recording, attach_format: str) -> tuple[bytes, str, str]:
    sound = read.sound
    if sound.duration > MAX_SECONDS:
        raise ValueError(f"it is longer than {MAX_SECONDS // 3600} hours")
    if attach_format == "mp3":
        return _mp3(_samples(data, read, _MP3_RATE)), "mp3", "audio/mpeg"
    if attach_format == "pcm-wav":
        return wave.pcm_wav(_joined(_samples(data, read, 8000))), "wav", "audio/wav"
    if sound.codec == "ulaw" and read.offset is not None and (sound.rate, sound.channels) == (8000, 1):
        octets = data[read.offset : read.offset + read.size]
    else:
        octets = _joined(map(wave.ulaw, _samples(data, read, 8000)))
    return wave.ulaw_wav(octets), "wav", "audio/wav"


def _joined(blocks: Iterable[bytes]) -> bytes:
    octets = b"".join(blocks)
    if not octets:
        raise ValueError("it decodes to nothing")
    return octets


def _samples(data: bytes, read: Recording, rate: int) -> Iterator[bytes]:
    """Yield 16-bit little-endian mono samples at ``rate``."""
    sound = read.sound
    if read.offset is None:
        blocks = _decoded(data, read)
    else:
        blocks = _own_blocks(data, read)
        if sound.channels == 1 and sound.rate == rate:
            return blocks
    return _resampled(blocks, sound, rate)


def _own_blocks(data: bytes, read: Recording) -> Iterator[bytes]:
    """Yield the interleaved samples of what needs no library."""
    assert read.offset is not None
    frame = read.sound.channels * (2 if read.sound.codec == "pcm" else 1)
    end = read.offset + read.size // frame * frame
    for start in range(read.offset, end, frame * _BLOCK):
        block = data[start : min(start + frame * _BLOCK, end)]
        match read.sound.codec:
            case "pcm":
                yield block
            case "ulaw":
                yield wave.pcm16(block, wave.ULAW)
            case _:
                yield wave.pcm16(block, wave.ALAW)


def _decoded(data: bytes, read: Recording) -> Iterator[bytes]:
    """Yield the interleaved samples of what libsndfile decodes; stops where the file should have ended."""
    left = int(MAX_SECONDS * read.sound.rate)
    with _open(data, headerless=read.headerless) as file:
        while left > 0:
            block = file.read(min(_BLOCK, left), dtype="int16", always_2d=True)
            if not len(block):
                return
            left -= len(block)
            yield block.astype("<i2").tobytes()


def _open(data: bytes, *, headerless: bool) -> soundfile.SoundFile:
    import soundfile  # noqa: PLC0415 - an optional library, and slow to load

    if headerless:  # the one headerless format that is not decoded here
        return soundfile.SoundFile(
            io.BytesIO(data), samplerate=8000, channels=1, format="RAW", subtype="GSM610"
        )
    return soundfile.SoundFile(io.BytesIO(data))


def _resampled(blocks: Iterator[bytes], sound: Sound, rate: int) -> Iterator[bytes]:
    import numpy as np  # noqa: PLC0415 - an optional library, and slow to load

    if sound.rate == rate:
        for block in blocks:
            yield _mixed(np.frombuffer(block, "<i2"), sound.channels).astype("<i2").tobytes()
        return
    import soxr  # noqa: PLC0415 - an optional library, and slow to load

    stream = soxr.ResampleStream(sound.rate, rate, 1, dtype="int16")
    for block in blocks:
        yield (
            stream.resample_chunk(_mixed(np.frombuffer(block, "<i2"), sound.channels)).astype("<i2").tobytes()
        )
    yield stream.resample_chunk(np.zeros(0, "int16"), last=True).astype("<i2").tobytes()


def _mixed(samples: np.ndarray, channels: int) -> np.ndarray:
    if channels == 1:
        return samples.astype("int16")
    mixed: np.ndarray = samples.reshape(-1, channels).mean(axis=1).round().astype("int16")
    return mixed


def _mp3(blocks: Iterator[bytes]) -> bytes:
    import numpy as np  # noqa: PLC0415 - an optional library, and slow to load
    import soundfile  # noqa: PLC0415 - an optional library, and slow to load

    out = io.BytesIO()
    with soundfile.SoundFile(
        out, "w", samplerate=_MP3_RATE, channels=1, format="MP3", subtype="MPEG_LAYER_III"
    ) as file:
        for block in blocks:
            file.write(np.frombuffer(block, "<i2").astype("int16"))
    return out.getvalue()
