"""The voice: sound comes out, within its time, and never because of what the text says."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from syncengine.speech import espeak_child, synth, wav
from syncengine.speech.child import SpeechError, SpeechStopped
from syncengine.speech.language import GUESSED, WRITTEN_IN
from syncengine.speech.phrases import LANGUAGES
from syncengine.speech.synth import CommandVoice, EspeakVoice, open_voice
from tests.support.phonemes import phonemes
from tests.support.waiting import eventually

SENTENCE = "Message two of five. From Peter Adams."


@pytest.fixture
def espeak() -> Iterator[EspeakVoice]:
    with EspeakVoice() as voice:
        yield voice


def program(folder: Path, body: str) -> list[str]:
    """A program of the operator's: Python code that finds its input in ``said``."""
    path = folder / "tts.py"
    path.write_text(f"import os, sys, time, wave\nsaid = sys.stdin.buffer.read()\n{body}\n")
    return [sys.executable, str(path), "{language}"]


def tone(rate: int = 16000, channels: int = 1) -> str:
    return (
        "import math, array\nout = wave.open(sys.stdout.buffer, 'wb')\n"
        f"out.setparams(({channels}, 2, {rate}, {rate}, 'NONE', ''))\n"
        f"tone = [int(9000 * math.sin(2 * math.pi * 440 * n / {rate})) for n in range({rate})]\n"
        f"out.writeframes(array.array('h', [s for s in tone for _ in range({channels})]).tobytes())\n"
    )


def samples(sound: bytes) -> np.ndarray:
    return np.frombuffer(sound, "<i2").astype(float)


def alike(one: bytes, other: bytes) -> bool:
    """Whether two sounds are the same words: the voice breathes a little differently each time."""
    return abs(len(one) / len(other) - 1) < 0.03


class TestEspeak:
    @pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "de-at", "en-us", "ru", "zz"])
    def test_a_sentence_is_heard(self, espeak: EspeakVoice, language: str):
        heard = samples(espeak.speak(SENTENCE, language))
        assert 1.5 < len(heard) / synth.RATE < 8
        assert heard.std() > 500
        assert 8000 < np.abs(heard).max() < 32767

    def test_a_longer_sentence_takes_longer(self, espeak: EspeakVoice):
        short, long = (len(espeak.speak("Hello there. " * count, "en")) for count in (1, 10))
        assert 6 < long / short < 14

    def test_nothing_above_the_telephone_band_is_folded_into_it(self, espeak: EspeakVoice):
        """Decimating without a filter would leave the voice's 4 to 11 kHz in the band."""
        spectrum = np.abs(np.fft.rfft(samples(espeak.speak("She sells sea shells.", "en"))))
        at = np.linspace(0, synth.RATE / 2, len(spectrum))
        assert spectrum[at > 3950].mean() < 0.1 * spectrum[(at > 2000) & (at < 3500)].mean()

    def test_no_text_is_no_sound(self, espeak: EspeakVoice):
        assert espeak.speak(" \n\x00", "en") == b""

    def test_markup_and_phonemes_are_text(self, espeak: EspeakVoice):
        """SSML would make two minutes of silence of a break, phonemes in brackets another word."""
        plain = len(espeak.speak("break time 100s end", "en"))
        assert len(espeak.speak('<break time="100s"/>end', "en")) < 2 * plain
        assert alike(espeak.speak("[[h@loU]]", "en"), espeak.speak("h@loU", "en"))

    def test_the_child_itself_takes_markup_for_text(self):
        requests = [{"text": text, "language": "en"} for text in ('<break time="100s"/>x', "[[h@loU]]", "x")]
        lines = "".join(json.dumps(request) + "\n" for request in requests).encode()
        said = subprocess.run(
            EspeakVoice()._argv, input=lines, capture_output=True, check=True, timeout=30
        ).stdout
        seconds = []
        while said:
            status, rate, size = espeak_child.HEAD.unpack_from(said)
            assert status == espeak_child.SPOKEN
            seconds.append(size / 2 / rate)
            said = said[espeak_child.HEAD.size + size :]
        assert 2 < seconds[0] < 20  # spelled out; a pause would be silent for 100 s
        assert seconds[1] > 2 * seconds[2]  # spelled out; the phonemes are one short word

    def test_the_child_is_kept_for_the_next_sentence_and_replaced_when_it_died(self, espeak: EspeakVoice):
        first = espeak.speak(SENTENCE, "en")
        pid = espeak._child._process.pid
        assert alike(espeak.speak(SENTENCE, "en"), first)
        assert espeak._child._process.pid == pid
        os.kill(pid, 9)
        eventually(lambda: not espeak._child.running, what="the child is dead")
        assert alike(espeak.speak(SENTENCE, "en"), first)

    def test_a_region_without_a_voice_has_its_language(self, espeak: EspeakVoice):
        german = espeak.speak("Zwetschgenknödel schmecken vorzüglich.", "de")
        assert alike(espeak.speak("Zwetschgenknödel schmecken vorzüglich.", "de-at"), german)
        assert not alike(espeak.speak("Zwetschgenknödel schmecken vorzüglich.", "en"), german)

    def test_a_language_is_no_option(self, espeak: EspeakVoice):
        assert alike(espeak.speak("Hello", "-x ../../etc"), espeak.speak("Hello", "en"))

    def test_the_library_stays_out_of_this_process(self, espeak: EspeakVoice):
        espeak.speak(SENTENCE, "en")
        assert "espeak" not in Path("/proc/self/maps").read_text().replace("espeak_child", "")
        assert "espeakng_loader" not in sys.modules

    def test_the_text_stands_on_no_command_line(self, espeak: EspeakVoice):
        espeak.speak("Confidential words.", "en")
        line = Path(f"/proc/{espeak._child._process.pid}/cmdline").read_bytes()
        assert b"Confidential" not in line

    def test_its_environment_holds_no_secrets(self, espeak: EspeakVoice, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("MAIL_PASSWORD", "hunter2")
        espeak.speak("Hello", "en")
        assert b"hunter2" not in Path(f"/proc/{espeak._child._process.pid}/environ").read_bytes()

    def test_the_child_ends_with_its_voice(self):
        with EspeakVoice() as voice:
            voice.speak(SENTENCE, "en")
            pid = voice._child._process.pid
        assert not Path(f"/proc/{pid}").exists()

    def test_the_child_ends_when_its_parent_is_gone(self):
        """A service that was killed leaves no speaking processes behind."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            voice = EspeakVoice()
            voice.speak("Hello", "en")
            os.write(write, str(voice._child._process.pid).encode())
            os._exit(0)
        child = int(os.read(read, 20))
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)
        eventually(lambda: _gone(child), what="the orphan is gone")


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_every_language_that_is_spoken_has_a_voice_of_its_own():
    """Asked for in turn with English, a missing voice would go on in English."""
    wanted = {*GUESSED.split(), *LANGUAGES, *" ".join(WRITTEN_IN.values()).split()} - {"en"}
    names = sorted(espeak_child.OTHER_NAMES.get(name, name) for name in wanted)
    said = phonemes([(name, "1 2 3 4 5 6") for other in names for name in ("en", other)])
    assert [name for name, other in zip(names, said[1::2], strict=True) if other == said[0]] == []


class TestCommand:
    @pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (22050, 2), (48000, 1)])
    def test_any_wav_becomes_telephone_sound(self, tmp_path: Path, rate: int, channels: int):
        with CommandVoice(program(tmp_path, tone(rate, channels))) as voice:
            heard = samples(voice.speak("x", "en"))
        assert abs(len(heard) / synth.RATE - 1) < 0.01
        assert abs(np.abs(np.fft.rfft(heard)).argmax() - 440) <= 2
        assert abs(np.abs(heard[1000:-1000]).max() - 9000) < 300

    def test_a_streamed_header_of_unknown_length_is_read(self, tmp_path: Path):
        head = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0"
        head += b"\x80\x3e\0\0\2\0\x10\0data\xff\xff\xff\x7f"
        with CommandVoice(
            program(tmp_path, f"sys.stdout.buffer.write({head!r} + b'\\x10\\x20' * 8000)")
        ) as voice:
            assert voice.speak("x", "en") == b"\x10\x20" * 8000

    def test_text_comes_on_stdin_in_one_plain_line_and_the_language_as_argument(self, tmp_path: Path):
        seen = str(tmp_path / "seen")
        body = f"open({seen!r}, 'wb').write(repr((said.decode(), sys.argv[1:])).encode())\n{tone()}"
        with CommandVoice(program(tmp_path, body)) as voice:
            voice.speak("Grüße <b>an\nalle [[x]] \x1b[0m", "DE_at")
        assert (tmp_path / "seen").read_text() == repr(("Grüße b an alle x [0m\n", ["de-at"]))

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("time.sleep(60)", "did not speak within its time limit"),
            ("os.close(1); time.sleep(60)", "did not end within its time limit"),
            ("sys.exit(3)", "failed with exit code 3"),
            ("print('no sound')", "does not write a WAV file"),
            ("", "does not write a WAV file"),
            ("while True: sys.stdout.buffer.write(b'x' * 65536)", "says more than"),
        ],
    )
    def test_a_program_that_does_not_speak_costs_one_sentence(self, tmp_path: Path, body: str, reason: str):
        with CommandVoice(program(tmp_path, body), time_limit=1.5) as voice:
            with pytest.raises(SpeechError, match=reason) as caught:
                voice.speak("Confidential words.", "en")
            assert "Confidential" not in str(caught.value)
            assert "\n" not in str(caught.value)

    def test_a_missing_program_is_named(self):
        with (
            CommandVoice(["/no/such/program"]) as voice,
            pytest.raises(SpeechError, match="cannot be started"),
        ):
            voice.speak("x", "en")

    def test_a_program_that_reads_nothing_does_no_harm(self, tmp_path: Path):
        script = tmp_path / "tts.py"
        script.write_text(f"import sys, wave\n{tone()}")
        with CommandVoice([sys.executable, str(script)]) as voice:
            assert voice.speak("x" * 5000, "en")

    def test_a_language_the_program_does_not_know_is_tried_without_region_and_in_english(
        self, tmp_path: Path
    ):
        said = tmp_path / "tried"
        body = f"open({str(said)!r}, 'a').write(sys.argv[1] + ' ')\n"
        body += f"if sys.argv[1] != 'en': sys.exit(1)\n{tone()}"
        with CommandVoice(program(tmp_path, body)) as voice:
            assert voice.speak("x", "de-AT")
        assert said.read_text() == "de-at de en "

    def test_hanging_up_kills_the_program_and_what_it_started(self, tmp_path: Path):
        body = (
            "import subprocess\nother = subprocess.Popen(['sleep', '600'])\n"
            f"open({str(tmp_path / 'pids')!r} + '~', 'w').write(f'{{os.getpid()}} {{other.pid}}')\n"
            f"os.rename({str(tmp_path / 'pids')!r} + '~', {str(tmp_path / 'pids')!r})\ntime.sleep(600)"
        )
        voice = CommandVoice(program(tmp_path, body), time_limit=60)
        caught: list[BaseException] = []

        def speak() -> None:
            try:
                voice.speak("x", "en")
            except SpeechError as error:
                caught.append(error)

        thread = threading.Thread(target=speak)
        thread.start()
        eventually((tmp_path / "pids").exists, what="the program runs")
        began = time.monotonic()
        voice.stop()
        thread.join(10)

        assert isinstance(caught[0], SpeechStopped)
        assert time.monotonic() - began < 5
        for pid in (tmp_path / "pids").read_text().split():
            eventually(lambda pid=pid: _gone(int(pid)), what="the program is dead")
        with pytest.raises(SpeechStopped):
            voice.speak("x", "en")


class TestChoice:
    def test_a_command_comes_first(self):
        assert isinstance(open_voice(["flite"]), CommandVoice)

    def test_else_the_package(self):
        assert isinstance(open_voice(), EspeakVoice)

    def test_else_the_program_else_a_clear_refusal(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(synth, "_loader", lambda: None)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SpeechError, match="install the 'speech' extra or set tts_command"):
            open_voice()
        (tmp_path / "espeak-ng").write_text(f"#!{sys.executable}\nimport sys\n")
        (tmp_path / "espeak-ng").chmod(0o755)
        assert isinstance(open_voice(), CommandVoice)


class TestWav:
    @pytest.mark.parametrize(("coding", "subtype", "size"), [("ulaw", "ULAW", 1), ("pcm", "PCM_16", 2)])
    def test_sentences_become_one_telephone_file(
        self, espeak: EspeakVoice, coding: wav.Coding, subtype: str, size: int
    ):
        sounds = [espeak.speak(f"Sentence {number}.", "en") for number in range(3)]
        file = io.BytesIO()
        seconds = wav.write(file, sounds, coding=coding)
        written = soundfile.info(io.BytesIO(file.getvalue()))

        assert (written.samplerate, written.channels, written.subtype) == (8000, 1, subtype)
        assert seconds == sum(map(len, sounds)) / 16000 == written.duration
        assert abs(len(file.getvalue()) - seconds * 8000 * size) < 100
        heard, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="int16")
        assert np.corrcoef(heard, samples(b"".join(sounds)))[0, 1] > 0.999
