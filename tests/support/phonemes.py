"""What the synthesiser pronounces for a text, in its own phonemes: a transcript to test hearing by.

Run as a program it reads lines ``language<TAB>text`` and writes one line of phonemes for each; eSpeak NG
is loaded in that child only.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterable


def phonemes(lines: Iterable[tuple[str, str]]) -> list[str]:
    """The phonemes of each ``(language, text)``, in eSpeak's ASCII notation (Kirshenbaum)."""
    asked = "".join(f"{language}\t{text}\n" for language, text in lines)
    done = subprocess.run(
        [sys.executable, "-P", __file__], input=asked, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.splitlines()


def _main() -> None:
    import espeakng_loader

    lib = ctypes.CDLL(espeakng_loader.get_library_path())
    lib.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0x8000)
    lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
    for line in sys.stdin:
        language, _, text = line.rstrip("\n").partition("\t")
        lib.espeak_SetVoiceByName(language.encode())
        rest = ctypes.c_char_p(text.encode())
        said = []
        while rest.value:
            said.append(lib.espeak_TextToPhonemes(ctypes.byref(rest), 1, 0).decode())
        sys.stdout.write(" ".join(said) + "\n")


if __name__ == "__main__":
    _main()
