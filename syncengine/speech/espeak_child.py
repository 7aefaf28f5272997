"""eSpeak NG in a process of its own: JSON lines of text on stdin, frames of sound on stdout.

The library is under the GPL and reads what strangers wrote: nothing else of this project runs in its
process, nothing of this project is linked with it, and a crash or a hang ends nothing but a child that
can be started again. This file is run as a program and imports only the standard library and the loader.

A request is ``{"text": ..., "language": ...}`` in one line. An answer is a head of three big-endian
32-bit words (status, sample rate in Hz, octets) and then that many octets of 16-bit little-endian mono
samples; status 0 = spoken, 1 = failed. Without a voice
for a region the language's own speaks, without one for the language the English one.
"""

from __future__ import annotations

import ctypes
import json
import resource
import struct
import sys
from pathlib import Path
from typing import BinaryIO

SPOKEN, FAILED = range(2)
HEAD = struct.Struct(">III")

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1  # neither SSML (0x10) nor phonemes in brackets (0x100): text is text
_END_PAUSE = 0x1000
_RATE = 1
_WORDS_A_MINUTE = 155
_MAX_SAMPLES = 22050 * 120
_MAX_MEMORY = 1 << 30
_FALLBACK = "en"
OTHER_NAMES = {"no": "nb", "zh": "cmn"}

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class _Engine:
    """The library, ready to speak."""

    def __init__(self, library: str, data: str) -> None:
        self._lib = ctypes.CDLL(library)
        self.rate = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DO_NOT_EXIT)
        if self.rate <= 0:
            raise OSError("eSpeak NG does not start")
        self._sound = bytearray()
        self._callback = _CALLBACK(self._take)  # kept: the library holds only its address
        self._lib.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, language: str) -> tuple[int, bytes]:
        """Return status and samples."""
        primary = language.partition("-")[0]
        for name in (language, OTHER_NAMES.get(primary, primary), _FALLBACK):
            if self._lib.espeak_SetVoiceByName(name.encode("ascii", "replace")) == 0:
                break
        self._lib.espeak_SetParameter(_RATE, _WORDS_A_MINUTE, 0)
        self._sound.clear()
        octets = text.encode("utf-8", "replace") + b"\0"
        failed = self._lib.espeak_Synth(octets, len(octets), 0, 1, 0, _UTF8 | _END_PAUSE, None, None)
        return (FAILED, b"") if failed else (SPOKEN, bytes(self._sound))

    def _take(self, samples: object, count: int, _events: object) -> int:
        if samples and count > 0:
            self._sound += ctypes.string_at(samples, 2 * count)  # type: ignore[arg-type]
        return int(len(self._sound) > 2 * _MAX_SAMPLES)


def serve(engine: _Engine, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every request until the other end is closed."""
    for line in requests:
        wanted = json.loads(line)
        status, sound = engine.speak(str(wanted["text"]).replace("\0", " "), str(wanted["language"]))
        answers.write(HEAD.pack(status, engine.rate, len(sound)) + sound)
        answers.flush()


def main(loader: str) -> None:
    """Speak what stands on stdin; ``loader`` is the folder that the loader package lies in."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    sys.path.insert(0, str(Path(loader)))
    import espeakng_loader  # noqa: PLC0415 - found by the folder that the caller names

    engine = _Engine(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    serve(engine, sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main(sys.argv[1])
