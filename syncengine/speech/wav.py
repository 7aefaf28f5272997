"""Spoken sentences as a telephone plays them: one WAV file, written while they are spoken, or mu-law."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Literal

from syncengine.speech.synth import RATE

Coding = Literal["ulaw", "pcm"]


def write(target: Path | BinaryIO, sounds: Iterable[bytes], *, coding: Coding = "ulaw") -> float:
    """Write sounds of :class:`~syncengine.speech.synth.Voice` one after another; return their seconds.

    ``ulaw`` is G.711 mu-law, 8 kB a second; ``pcm`` the samples as they are, 16 kB a second.
    """
    import numpy as np  # noqa: PLC0415 - optional, and slow to load
    import soundfile  # noqa: PLC0415

    subtype = "ULAW" if coding == "ulaw" else "PCM_16"
    samples = 0
    with soundfile.SoundFile(target, "w", samplerate=RATE, channels=1, format="WAV", subtype=subtype) as file:
        for sound in sounds:
            block = np.frombuffer(sound, "<i2").astype("int16")
            file.write(block)
            samples += len(block)
    return samples / RATE


def mu_law(sound: bytes) -> bytes:
    """Return 16-bit samples as G.711 mu-law, an octet each."""
    import numpy as np  # noqa: PLC0415 - optional, and slow to load
    import soundfile  # noqa: PLC0415

    octets = io.BytesIO()
    samples = np.frombuffer(sound, "<i2").astype("int16")
    soundfile.write(octets, samples, RATE, format="RAW", subtype="ULAW")
    return octets.getvalue()
