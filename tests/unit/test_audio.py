"""Recordings: what they are, how they go out, and what is refused."""

from __future__ import annotations

import builtins
import io
import math
import struct
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from syncengine.voicemail import audio, recording, wave
from syncengine.voicemail.audio import NotSound, convert, probe

SECOND = array("h", (round(8000 * math.sin(n * 440 * math.tau / 8000)) for n in range(8000))).tobytes()
ULAW_SECOND = wave.ulaw(SECOND)
PCM_WAV = wave.pcm_wav(SECOND)
ULAW_WAV = wave.ulaw_wav(ULAW_SECOND)


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4 if size is None else size) + b"WAVE" + body


def fmt(
    tag: int, *, channels: int = 1, rate: int = 8000, bits: int = 16, extra: bytes = b""
) -> tuple[bytes, bytes]:
    octets = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * octets, octets, bits) + extra


def written(format_: str, subtype: str, *, rate: int = 8000, channels: int = 1) -> bytes:
    """One second of sound, written by libsndfile."""
    count = rate * channels
    samples = array(
        "h", (round(8000 * math.sin(n // channels * 440 * math.tau / rate)) for n in range(count))
    )
    out = io.BytesIO()
    with soundfile.SoundFile(
        out, "w", samplerate=rate, channels=channels, format=format_, subtype=subtype
    ) as file:
        file.buffer_write(samples.tobytes(), dtype="int16")
    return out.getvalue()


def loudness(data: bytes) -> float:
    """Root mean square of a 16-bit reading."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        samples = array("h", bytes(file.buffer_read(dtype="int16")))
    return math.sqrt(sum(s * s for s in samples) / len(samples))


WAV49 = written("WAV", "GSM610")


@pytest.mark.parametrize(
    ("data", "codec", "media_type"),
    [
        (PCM_WAV, "pcm", "audio/wav"),
        (ULAW_WAV, "ulaw", "audio/wav"),
        (written("WAV", "ALAW"), "alaw", "audio/wav"),
        (WAV49, "gsm", "audio/gsm"),
        (written("WAVEX", "PCM_16"), "pcm", "audio/wav"),
        (written("WAVEX", "ULAW"), "ulaw", "audio/wav"),
        (written("WAV", "FLOAT"), "float", "audio/wav"),
        (written("WAV", "PCM_16", rate=48_000, channels=2), "pcm", "audio/wav"),
        (written("FLAC", "PCM_16"), "pcm_16", "audio/flac"),
        (written("OGG", "VORBIS"), "vorbis", "audio/ogg"),
        (written("MP3", "MPEG_LAYER_III"), "mpeg_layer_iii", "audio/mpeg"),
    ],
)
def test_a_sound_file_is_known_by_its_content(data: bytes, codec: str, media_type: str) -> None:
    """Whatever its name; its length is that of its samples."""
    sound = probe(data, "message.txt")

    assert (sound.codec, sound.media_type) == (codec, media_type)
    assert sound.duration == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize(
    ("extension", "data", "codec"),
    [
        ("ulaw", ULAW_SECOND, "ulaw"),
        ("pcm", ULAW_SECOND, "ulaw"),
        ("alaw", ULAW_SECOND, "alaw"),
        ("sln", SECOND, "pcm"),
        ("sln16", SECOND * 2, "pcm"),
        ("gsm", written("RAW", "GSM610"), "gsm"),
    ],
)
def test_a_headerless_file_is_known_by_its_extension(extension: str, data: bytes, codec: str) -> None:
    """The formats that telephone systems store; each of them is converted."""
    sound = probe(data, f"msg0000.{extension.upper()}")

    assert (sound.codec, sound.extension) == (codec, extension)
    assert sound.duration == pytest.approx(1, abs=0.02)
    converted = convert(data, f"msg0000.{extension}", "ulaw-wav")
    assert converted.note is None
    assert probe(converted.data).duration == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 10**6])
def test_a_file_that_was_streamed_goes_to_its_end(claimed: int) -> None:
    """A writer that cannot seek leaves 0 or 0xFFFFFFFF; one that was killed leaves too much."""
    whole = riff(fmt(1), (b"data", SECOND), size=claimed)
    data = whole.replace(b"data" + struct.pack("<I", len(SECOND)), b"data" + struct.pack("<I", claimed))

    assert probe(data).duration == 1.0
    assert convert(data, "x.wav", "ulaw-wav").data == ULAW_WAV


def test_odd_and_trailing_chunks_are_no_sound() -> None:
    """Chunks are padded to even sizes; names and comments may stand before and after the sound."""
    data = riff(
        (b"LIST", b"odd"), fmt(7, bits=8, extra=b"\0\0"), (b"data", ULAW_SECOND[:7]), (b"LIST", b"x" * 99)
    )

    assert probe(data).duration == 7 / 8000
    assert convert(data, "x.wav", "ulaw-wav").data == wave.ulaw_wav(ULAW_SECOND[:7])


def test_the_length_of_gsm_is_its_fact_within_the_last_block() -> None:
    """Blocks of 65 octets hold 320 samples; only the last may be partly filled."""
    block = written("WAV", "GSM610")[-65 * 2 :]

    def gsm(samples: int) -> float:
        return probe(riff(fmt(49, bits=0), (b"fact", struct.pack("<I", samples)), (b"data", block))).duration

    assert gsm(500) == 500 / 8000
    assert gsm(0) == gsm(10**9) == gsm(320) == 640 / 8000


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "x.wav"),
        (b"", "x.ulaw"),
        (b"#!/bin/sh\necho hello\n", "x.sh"),
        (b"%PDF-1.4", "x.wav"),
        (b"RIFF", "x.wav"),
        (riff(fmt(1)), "x.wav"),
        (riff((b"data", SECOND)), "x.wav"),
        (riff(fmt(1), (b"data", b"")), "x.wav"),
        (riff(fmt(1), (b"data", b""), (b"LIST", b"abcd")), "x.wav"),
        (riff(fmt(1, channels=0), (b"data", SECOND)), "x.wav"),
        (riff(fmt(1, rate=0), (b"data", SECOND)), "x.wav"),
        (riff(fmt(1, rate=2**32 - 1, bits=0), (b"data", SECOND)), "x.wav"),
        (riff(fmt(1, bits=5), (b"data", SECOND)), "x.wav"),
        (riff(*[(b"junk", b"")] * 2000, fmt(1), (b"data", SECOND)), "x.wav"),
        (b"not gsm at all", "x.gsm"),
        (b"ID3 but nothing else", "x.mp3"),
        (b"fLaC" + bytes(100), "line\r\nbreak.flac"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_line(data: bytes, name: str) -> None:
    """The line names the file."""
    for use in (lambda: probe(data, name), lambda: convert(data, name, "ulaw-wav")):
        with pytest.raises(NotSound) as error:
            use()
        assert str(error.value).startswith(f"{name!r} cannot be taken: ")
        assert "\n" not in str(error.value)


def test_a_file_is_probed_without_being_read_whole(tmp_path: Path) -> None:
    """Only heads of chunks are read; what cannot be opened is said."""
    path = tmp_path / "msg0000.WAV"
    path.write_bytes(WAV49)

    assert probe(path).codec == "gsm"
    with pytest.raises(NotSound, match="cannot be read"):
        probe(tmp_path / "missing.wav")


def test_a_recording_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is decoded."""
    monkeypatch.setattr(recording, "MAX_INPUT", 1000)

    with pytest.raises(NotSound, match="larger"):
        convert(PCM_WAV, "x.wav", "ulaw-wav")


SOURCES = [
    PCM_WAV,
    ULAW_WAV,
    WAV49,
    written("WAV", "ALAW"),
    written("WAV", "PCM_24"),
    written("WAV", "PCM_16", rate=48_000, channels=2),
    written("WAV", "ULAW", rate=16_000, channels=2),
    written("FLAC", "PCM_16", rate=44_100),
    written("MP3", "MPEG_LAYER_III", rate=16_000),
]


@pytest.mark.parametrize("data", SOURCES)
@pytest.mark.parametrize(("wanted", "codec"), [("ulaw-wav", "ulaw"), ("pcm-wav", "pcm")])
def test_every_recording_becomes_telephone_wav(data: bytes, wanted: str, codec: str) -> None:
    """8 kHz mono, as long and as loud as it was, and readable by others."""
    converted = convert(data, "x", wanted)

    assert (converted.note, converted.extension, converted.media_type) == (None, "wav", "audio/wav")
    sound = probe(converted.data)
    assert (sound.codec, sound.rate, sound.channels) == (codec, 8000, 1)
    assert sound.duration == pytest.approx(probe(data, "x").duration, abs=0.041)  # a GSM block
    assert loudness(converted.data) == pytest.approx(8000 / math.sqrt(2), rel=0.06)


def test_the_mu_law_file_is_byte_for_byte_what_others_write() -> None:
    """Format tag 7, 18 octets of format, a fact chunk; libsndfile reads and writes the same."""
    with soundfile.SoundFile(io.BytesIO(ULAW_WAV)) as file:
        assert (file.subtype, file.samplerate, file.frames) == ("ULAW", 8000, 8000)
    assert written("WAV", "ULAW") == ULAW_WAV


def test_every_sample_is_coded_as_libsndfile_codes_it() -> None:
    """All 65,536 values to mu-law, all 256 codes of both laws back."""
    every = array("h", range(-32768, 32768)).tobytes()
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", samplerate=8000, channels=1, format="RAW", subtype="ULAW") as file:
        file.buffer_write(every, dtype="int16")

    assert wave.ulaw(every) == out.getvalue()
    for tag, subtype in ((wave.ULAW, "ULAW"), (wave.ALAW, "ALAW")):
        codes = bytes(range(256))
        with soundfile.SoundFile(
            io.BytesIO(codes), samplerate=8000, channels=1, format="RAW", subtype=subtype
        ) as file:
            assert wave.pcm16(codes, tag) == bytes(file.buffer_read(dtype="int16"))


def test_as_recorded_is_untouched() -> None:
    """The subscriber's choice; MP3 that is MP3 already is left alone too."""
    mp3 = written("MP3", "MPEG_LAYER_III")

    assert (convert(WAV49, "x.WAV", "as-recorded").data, convert(mp3, "x", "mp3").data) == (WAV49, mp3)
    assert convert(WAV49, "x.WAV", "as-recorded").media_type == "audio/gsm"


def test_mp3_is_written_at_a_rate_that_every_player_knows() -> None:
    """MPEG-2 layer III: 8 kHz would be the unofficial MPEG-2.5."""
    converted = convert(ULAW_WAV, "x.wav", "mp3")

    assert (converted.extension, converted.media_type, converted.note) == ("mp3", "audio/mpeg", None)
    sound = probe(converted.data)
    assert (sound.rate, sound.channels) == (16_000, 1)
    assert sound.duration == pytest.approx(1, abs=0.2)


def test_another_format_is_a_mistake_of_the_caller() -> None:
    """Options name four."""
    with pytest.raises(ValueError, match="ogg"):
        convert(PCM_WAV, "x.wav", "ogg")


def test_what_is_too_long_to_convert_goes_as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded; the note says so."""
    monkeypatch.setattr(audio, "MAX_SECONDS", 0.5)

    converted = convert(WAV49, "x.WAV", "ulaw-wav")

    assert converted.data == WAV49
    assert converted.note is not None
    assert "as recorded" in converted.note


@pytest.fixture
def without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the media extra."""
    original = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] in {"soundfile", "soxr", "numpy"}:
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for name in [name for name in sys.modules if name.partition(".")[0] in {"soundfile", "soxr"}]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("without_libraries")
def test_without_libraries_telephone_sound_is_still_converted() -> None:
    """16-bit and G.711 at 8 kHz mono through tables; the rest goes as recorded and says why."""
    alaw = riff(fmt(6, bits=8), (b"data", bytes(range(256))))

    assert convert(PCM_WAV, "x.wav", "ulaw-wav").data == ULAW_WAV
    assert convert(ULAW_SECOND, "x.ulaw", "pcm-wav").data == wave.pcm_wav(wave.pcm16(ULAW_SECOND, wave.ULAW))
    assert convert(alaw, "x.wav", "ulaw-wav").note is None
    for data, wanted in ((WAV49, "ulaw-wav"), (PCM_WAV, "mp3"), (SOURCES[5], "ulaw-wav")):
        converted = convert(data, "x.wav", wanted)
        assert converted.data == data
        assert "media" in (converted.note or "")
    with pytest.raises(NotSound, match="media"):
        probe(SOURCES[7], "x.flac")


def _harmed(good: bytes) -> st.SearchStrategy[bytes]:
    """Strategy: a good file, its head changed, or cut off."""
    change = st.tuples(st.integers(0, min(len(good), 80) - 1), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))

    def apply(changes: list[tuple[int, int]], cut: int) -> bytes:
        data = bytearray(good)
        for place, octet in changes:
            data[place] = octet
        return bytes(data[:cut])

    return st.builds(apply, st.lists(change, max_size=6), st.integers(0, len(good)))


SHORT = (
    wave.pcm_wav(SECOND[:600]),
    wave.ulaw_wav(ULAW_SECOND[:300]),
    WAV49[: 60 + 65 * 4],
    written("WAVEX", "ULAW"),
)


@given(
    data=st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda tail: b"RIFF\0\0\0\0WAVEfmt " + tail)
    | st.one_of(*map(_harmed, SHORT)),
    name=st.sampled_from(["x.wav", "x.gsm", "x.sln", "x.txt", "\0/\n"]),
    wanted=st.sampled_from(["ulaw-wav", "pcm-wav", "mp3"]),
)
def test_no_damaged_recording_raises_anything_else(data: bytes, name: str, wanted: str) -> None:
    """A recording comes from anybody's switch; what comes out is no larger than what went in allows."""
    try:
        converted = convert(data, name, wanted)
    except NotSound as error:
        assert "\n" not in str(error)
    else:
        assert 0 < converted.sound.duration < 2**32
        assert len(converted.data) <= 4096 + 100 * len(data)
        assert "\n" not in (converted.note or "")
