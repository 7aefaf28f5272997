"""WAV files (RIFF) and G.711: read within bounds, written as mail programs play them. Pure, no library.

A reader of foreign files: every size in the file is a claim, nothing is read that is not there, and
the only exception is :class:`NotSound`.
"""

from __future__ import annotations

import array
import functools
import io
import struct
import sys
from dataclasses import dataclass
from typing import BinaryIO

from syncengine.errors import SyncError

PCM, FLOAT, ALAW, ULAW, GSM, EXTENSIBLE = 1, 3, 6, 7, 49, 0xFFFE

_MAX_CHUNKS = 1000
_STREAMED = (0, 0xFFFFFFFF)
_GSM_BLOCK, _GSM_SAMPLES = 65, 320


class NotSound(SyncError):
    """A file that is no sound, or one that cannot be read here; the text says why."""


@dataclass(frozen=True, slots=True)
class Wave:
    """What a WAV file holds, and where. ``tag``: format tag, that of the sub-format if extensible."""

    tag: int
    channels: int
    rate: int
    bits: int
    offset: int
    size: int
    frames: int

    @property
    def duration(self) -> float:
        """Seconds of sound."""
        return self.frames / self.rate


@dataclass(slots=True)
class _Chunks:
    """What was read of a file so far."""

    fmt: bytes = b""
    samples: int = 0


def read_wave(stream: BinaryIO) -> Wave:
    """Read the description of a WAV file; raises :class:`NotSound`.

    A data chunk of size 0 or 0xFFFFFFFF, or larger than the file, goes to the end of the file: so
    write programs that stream. Chunks after it are not read.
    """
    total = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise NotSound("it is no WAV file")
    claimed = int.from_bytes(head[4:8], "little")
    chunks = _Chunks()
    for _ in range(_MAX_CHUNKS):
        name, size = _chunk_head(stream)
        start = stream.tell()
        match name:
            case b"fmt ":
                chunks.fmt = stream.read(min(size, 40))
            case b"fact":
                chunks.samples = int.from_bytes(stream.read(min(size, 4)), "little")
            case b"data":
                # Of size 0 in a file whose own size is right: it is empty.
                whole = size == 0 and claimed == total - 8
                streamed = (size in _STREAMED and not whole) or start + size > total
                return _described(chunks, start, total - start if streamed else size)
            case _:
                pass
        stream.seek(start + size + size % 2)
    raise NotSound("it has too many chunks")


def pcm16(data: bytes, tag: int) -> bytes:
    """Return G.711 octets (ITU-T G.711) as 16-bit little-endian samples."""
    table = _ulaw_values() if tag == ULAW else _alaw_values()
    return _octets(array.array("h", map(table.__getitem__, data)))


def ulaw(samples: bytes) -> bytes:
    """Return 16-bit little-endian samples as mu-law octets (ITU-T G.711)."""
    words = array.array("H", samples[: len(samples) // 2 * 2])
    if sys.byteorder == "big":
        words.byteswap()
    return bytes(map(_ulaw_codes().__getitem__, words))


def ulaw_wav(data: bytes, rate: int = 8000) -> bytes:
    """Write a mono WAV file of mu-law octets, with the ``fact`` chunk that non-PCM formats need."""
    fmt = struct.pack("<HHIIHHH", ULAW, 1, rate, rate, 1, 8, 0)
    return _riff((b"fmt ", fmt), (b"fact", struct.pack("<I", len(data))), (b"data", data))


def pcm_wav(samples: bytes, rate: int = 8000) -> bytes:
    """Write a mono WAV file of 16-bit little-endian samples."""
    return _riff((b"fmt ", struct.pack("<HHIIHH", PCM, 1, rate, 2 * rate, 2, 16)), (b"data", samples))


def _chunk_head(stream: BinaryIO) -> tuple[bytes, int]:
    head = stream.read(8)
    if len(head) < 8:
        raise NotSound("it ends before its sound")
    return head[:4], int.from_bytes(head[4:], "little")


def _described(chunks: _Chunks, offset: int, size: int) -> Wave:
    if len(chunks.fmt) < 16:
        raise NotSound("it does not say its format")
    tag, channels, rate, speed, _, bits = struct.unpack("<HHIIHH", chunks.fmt[:16])
    if tag == EXTENSIBLE and len(chunks.fmt) >= 26:
        tag = int.from_bytes(chunks.fmt[24:26], "little")
    if not 1 <= channels <= 16 or not 1000 <= rate <= 384_000:
        raise NotSound(f"{channels} channels at {rate} Hz cannot be")
    frames = _frames(tag, channels, bits, size)
    if frames is None:  # another coding: the file's own count, else its speed
        frames = chunks.samples or (size * rate // speed if speed else 0)
    elif tag == GSM and frames - _GSM_SAMPLES < chunks.samples < frames:
        frames = chunks.samples  # the last block is only partly filled
    if frames <= 0 or size <= 0:
        raise NotSound("it holds no sound")
    return Wave(tag, channels, rate, bits, offset, size, frames)


def _frames(tag: int, channels: int, bits: int, size: int) -> int | None:
    match tag:
        case 1 | 3:  # PCM, IEEE float
            if bits not in {8, 16, 24, 32, 64}:
                raise NotSound(f"samples of {bits} bits cannot be")
            return size // (channels * bits // 8)
        case 6 | 7:  # A-law, mu-law
            return size // channels
        case 49:  # GSM 06.10, two frames in a block
            return size // _GSM_BLOCK * _GSM_SAMPLES
        case _:
            return None


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [
        part
        for name, body in chunks
        for part in (name, struct.pack("<I", len(body)), body, bytes(len(body) % 2))
    ]
    return b"".join([b"RIFF", struct.pack("<I", 4 + sum(map(len, parts))), b"WAVE", *parts])


def _octets(samples: array.array[int]) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


@functools.cache
def _ulaw_values() -> tuple[int, ...]:
    values = []
    for code in range(256):
        inverted = ~code & 0xFF
        magnitude = (((inverted & 0x0F) << 3) + 0x84 << (inverted >> 4 & 7)) - 0x84
        values.append(-magnitude if inverted & 0x80 else magnitude)
    return tuple(values)


@functools.cache
def _alaw_values() -> tuple[int, ...]:
    values = []
    for code in range(256):
        plain = code ^ 0x55
        segment, step = plain >> 4 & 7, (plain & 0x0F) << 4
        magnitude = step + 8 if segment == 0 else step + 0x108 << segment - 1
        values.append(magnitude if plain & 0x80 else -magnitude)
    return tuple(values)


@functools.cache
def _ulaw_codes() -> bytes:
    """Return the mu-law octet of each sample, by the sample taken as an unsigned number."""
    return bytes(_ulaw_code(word - 0x10000 if word & 0x8000 else word) for word in range(0x10000))


def _ulaw_code(sample: int) -> int:
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 32635) + 0x84
    segment = magnitude.bit_length() - 8
    return ~(sign | segment << 4 | magnitude >> segment + 3 & 0x0F) & 0xFF
