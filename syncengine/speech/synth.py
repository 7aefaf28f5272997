"""The voice: a sentence in, telephone sound out, behind one small port.

The sound is always 16-bit little-endian mono at 8,000 Hz. Text goes through pipes as plain text: no
command line, no markup that an engine could obey.
"""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from syncengine.speech import espeak_child
from syncengine.speech.child import Child, SpeechError, SpeechStopped
from syncengine.speech.phrases import DEFAULT, primary, tag

_log = logging.getLogger(__name__)

RATE = 8000
"""Samples a second of all sound here: what a telephone carries."""

TIME_LIMIT = 10.0
"""Seconds that one sentence may take to synthesise."""

MAX_TEXT = 2000
"""Characters of one sentence that are spoken."""

_MAX_SECONDS = 120
_MAX_OCTETS = 32 * 1024 * 1024
_MARKUP = re.compile(r"[<>\x00-\x1f\x7f-\x9f\u2028\u2029]|\[\[|\]\]")
_ESPEAK_NG = ("espeak-ng", "--stdin", "--stdout", "-b", "1", "-s", "155", "-v", "{language}")


class Voice(Protocol):
    """Speaks. Used by one thread; :meth:`stop` may come from any, and ends what is being spoken at once."""

    def speak(self, text: str, language: str) -> bytes:
        """Return ``text`` as 16-bit little-endian mono samples at :data:`RATE`.

        Raises :class:`~syncengine.speech.child.SpeechError` when it cannot be spoken in time, and
        :class:`~syncengine.speech.child.SpeechStopped` after :meth:`stop`.
        """

    def stop(self) -> None:
        """The caller hung up: kill what runs, speak no more. Never raises."""

    def close(self) -> None:
        """Stop, and give back what is held. Called by the thread that speaks; never raises."""


class _Stoppable:
    """A voice whose running program can be killed by another thread."""

    def __init__(self, *, time_limit: float) -> None:
        self._time_limit = time_limit
        self._lock = threading.RLock()  # stop() may come from a signal handler of the thread that holds it
        self._child: Child | None = None
        self._over = threading.Event()

    def stop(self) -> None:
        """Kill what runs; every sentence from now on is refused."""
        with self._lock:
            self._over.set()
            if self._child is not None:
                self._child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """See :class:`Voice`."""
        self.stop()
        self._drop()

    def _start(self, argv: Sequence[str]) -> Child:
        with self._lock:
            if self._over.is_set():
                raise SpeechStopped("text-to-speech: stopped")
            child = self._child = Child(argv)
            if self._over.is_set():
                child.kill()
            return child

    def _drop(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.close()


class CommandVoice(_Stoppable):
    """Any program that reads text on stdin and writes a WAV file to stdout; started for each sentence.

    ``{language}`` in an argument is replaced by the sentence's language tag ("de-at"); where that fails,
    by the language alone ("de"), and then by "en".
    """

    def __init__(self, argv: Sequence[str], *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(time_limit=time_limit)
        if not argv:
            raise SpeechError("text-to-speech: tts_command is empty; name a program and its arguments")
        self._argv = tuple(argv)

    def speak(self, text: str, language: str) -> bytes:
        """See :class:`Voice`."""
        said = _plain(text)
        if not said:
            return b""
        deadline = time.monotonic() + self._time_limit
        *first, last = self._languages(tag(language))
        for attempt in first:
            try:
                return self._say(said, attempt, deadline)
            except SpeechStopped:
                raise
            except SpeechError as error:
                if time.monotonic() >= deadline:
                    raise
                _log.debug("%s in %s; another voice is tried", error, attempt)
        return self._say(said, last, deadline)

    def _languages(self, wanted: str) -> list[str]:
        """The tag, its language without region, and the default: a voice for the first may be missing."""
        if not any("{language}" in argument for argument in self._argv):
            return [wanted]
        return list(dict.fromkeys((wanted, primary(wanted), DEFAULT)))

    def _say(self, said: str, language: str, deadline: float) -> bytes:
        child = self._start([argument.replace("{language}", language) for argument in self._argv])
        try:
            child.write(said.encode("utf-8", "replace") + b"\n", close=True)
            return _from_wav(child.read_all(_MAX_OCTETS, deadline), child.name)
        finally:
            self._drop()


class EspeakVoice(_Stoppable):
    """eSpeak NG from the package ``espeakng-loader``, in a child process that lives as long as the call."""

    def __init__(self, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(time_limit=time_limit)
        loader = _loader()
        if loader is None or not sys.executable:
            raise SpeechError("text-to-speech: no voice; install the 'speech' extra or set tts_command")
        # Isolated: neither the working directory nor this package's folder is searched for modules.
        self._argv = [sys.executable, "-I", espeak_child.__file__, str(loader)]

    def speak(self, text: str, language: str) -> bytes:
        """See :class:`Voice`."""
        said = _plain(text)
        if not said:
            return b""
        deadline = time.monotonic() + self._time_limit
        child = self._child
        if child is None or not child.running:
            self._drop()
            child = self._start(self._argv)
        try:
            child.write(json.dumps({"text": said, "language": tag(language)}).encode() + b"\n")
            status, rate, size = espeak_child.HEAD.unpack(child.read(espeak_child.HEAD.size, deadline))
            if status == espeak_child.FAILED or not 1000 <= rate <= 192_000 or size > _MAX_OCTETS:
                raise SpeechError("text-to-speech: eSpeak NG cannot speak this sentence; the next one may do")
            return _at_telephone_rate(child.read(size, deadline), rate)
        except SpeechError:
            self._drop()  # what it may still say belongs to no sentence
            raise


def open_voice(command: Sequence[str] = (), *, time_limit: float = TIME_LIMIT) -> CommandVoice | EspeakVoice:
    """Return the voice: ``command`` (``tts_command``), else eSpeak NG as a package, else as a program.

    Raises :class:`~syncengine.speech.child.SpeechError` when there is none.
    """
    missing = [name for name in ("numpy", "soundfile", "soxr") if find_spec(name) is None]
    if missing:
        raise SpeechError(f"text-to-speech: {', '.join(missing)} missing; install the 'speech' extra")
    if command:
        return CommandVoice(command, time_limit=time_limit)
    if _loader() is None and shutil.which(_ESPEAK_NG[0]):
        return CommandVoice(_ESPEAK_NG, time_limit=time_limit)
    return EspeakVoice(time_limit=time_limit)


def _loader() -> Path | None:
    """The folder in which the loader package lies; it is never imported into this process."""
    spec = find_spec("espeakng_loader")
    return Path(spec.origin).parent.parent if spec is not None and spec.origin else None


def _plain(text: str) -> str:
    """Return text in one line without what an engine could take for SSML or for phonemes."""
    return " ".join(_MARKUP.sub(" ", text).split())[:MAX_TEXT]


def _from_wav(data: bytes, name: str) -> bytes:
    import numpy as np  # noqa: PLC0415 - optional, and slow to load
    import soundfile  # noqa: PLC0415

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            samples = file.read(_MAX_SECONDS * file.samplerate, dtype="int16", always_2d=True)
            mono = samples.mean(axis=1).round().astype("<i2") if samples.shape[1] > 1 else samples
            return _at_telephone_rate(np.ascontiguousarray(mono).astype("<i2").tobytes(), file.samplerate)
    except (RuntimeError, ValueError) as error:
        raise SpeechError(f"text-to-speech: {name!r} does not write a WAV file; see tts_command") from error


def _at_telephone_rate(pcm: bytes, rate: int) -> bytes:
    if rate == RATE or not pcm:
        return pcm
    import numpy as np  # noqa: PLC0415
    import soxr  # noqa: PLC0415

    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype("int16")
    return bytes(soxr.resample(samples, rate, RATE).astype("<i2").tobytes())
