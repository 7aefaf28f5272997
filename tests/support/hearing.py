"""The voice as it is, with a transcript: the phonemes that eSpeak NG made its sound of.

Run as a program it is :mod:`syncengine.speech.espeak_child` with eSpeak's own trace of phonemes switched on.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import BinaryIO

from syncengine.speech import espeak_child
from syncengine.speech.synth import EspeakVoice

SHOW = 1  # espeak_SetPhonemeTrace: eSpeak's ASCII names, not IPA
STRESS = str.maketrans("", "", "',|_!:;")


class HeardVoice(EspeakVoice):
    """Speaks, and writes down into ``transcript`` what it pronounced."""

    def __init__(self, transcript: Path) -> None:
        super().__init__()
        self._transcript = transcript
        self._argv = [sys.executable, "-P", __file__, self._argv[-1], str(transcript)]

    @property
    def heard(self) -> str:
        """All phonemes so far in one line, without stress, length and pauses."""
        if not self._transcript.exists():
            return ""
        return " ".join(self._transcript.read_text(encoding="utf-8").translate(STRESS).split())


class _Traced(espeak_child._Engine):
    """The engine of the child, with its trace."""

    def __init__(self, library: str, data: str, transcript: str) -> None:
        super().__init__(library, data)
        self._libc = ctypes.CDLL(None)
        self._libc.fopen.restype = ctypes.c_void_p
        self._file = ctypes.c_void_p(self._libc.fopen(transcript.encode(), b"w"))
        self._lib.espeak_SetPhonemeTrace(SHOW, self._file)

    def speak(self, text: str, language: str) -> tuple[int, bytes]:
        spoken = super().speak(text, language)
        self._libc.fflush(self._file)
        return spoken


def _main(loader: str, transcript: str) -> None:
    sys.path.insert(0, loader)
    import espeakng_loader

    engine = _Traced(espeakng_loader.get_library_path(), espeakng_loader.get_data_path(), transcript)
    requests: BinaryIO = sys.stdin.buffer
    espeak_child.serve(engine, requests, sys.stdout.buffer)


if __name__ == "__main__":
    _main(*sys.argv[1:3])
