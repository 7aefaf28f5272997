"""Real mails read aloud: each is survived, what is said is fit to be heard, quotes are known."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from syncengine.speech import reader
from syncengine.speech.mail import Sentence
from syncengine.speech.message import of_message
from syncengine.speech.words import MAX_SENTENCE
from tests.support.corpus import REPLIES, real_mails
from tests.support.hearing import HeardVoice

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNFIT = re.compile(r"https?://|\w+@\w+\.\w|[\x00-\x1f\x7f]|[A-Za-z0-9+/]{80}")
"""What nobody wants to hear."""


def spoken(path: Path, language: str = "en") -> list[Sentence]:
    mail = of_message(path.read_bytes())
    announced = reader.announcement(mail.envelope, number=1, of=2, now=NOW, language=language)
    return [*announced, *reader.sentences(mail, language)]


def test_every_real_mail_is_read():
    mails = real_mails()
    assert len(mails) > 50
    for path in mails:
        for language in ("en", "de"):
            said = spoken(path, language)
            assert len(said) > 3, path
            assert all(0 < len(sentence.text) <= MAX_SENTENCE + 20 for sentence in said), path
            unfit = [s.text for s in said if s.language in ("en", "de") and UNFIT.search(s.text)]
            assert not unfit, (path, unfit)


def test_of_a_reply_only_the_answer_is_read_whatever_program_wrote_it():
    mails = real_mails(REPLIES)
    assert len(mails) >= 12
    for path in mails:
        said = [s.text for s in reader.sentences(of_message(path.read_bytes()), "en")]
        assert said in (["Hello."], ["Hello.", "Quoted text is left out."]), path


@pytest.mark.parametrize(
    ("mail", "languages"),
    [
        ("mail_test_1", {"ru", "en"}),
        ("mail_test_2", {"it", "en"}),
        ("mail_test_5", {"fr", "en"}),
        ("mail_test_9", {"zh", "en"}),
    ],
)
def test_each_is_read_in_its_own_language(mail: str, languages: set[str]):
    (path,) = real_mails(f"mail_parser-4.8.0/tests/mails/{mail}")
    assert {sentence.language for sentence in spoken(path)} == languages


def test_a_real_mail_is_heard_as_it_was_meant(tmp_path: Path):
    """Duration, level and a transcript of the very sound, in the synthesiser's own phonemes."""
    (path,) = real_mails("mail_parser-4.8.0/tests/mails/mail_test_2")
    sounds = []
    with HeardVoice(tmp_path / "transcript") as voice:
        for sentence in spoken(path)[:8]:
            before = len(voice.heard)
            sound = np.frombuffer(voice.speak(sentence.text, sentence.language), "<i2")
            phonemes = len(voice.heard[before:].replace(" ", ""))
            assert 0.03 < len(sound) / 8000 / phonemes < 0.25, (sentence, phonemes)
            assert 300 < sound.astype(float).std() < 12000
            sounds.append(sound)
        heard = voice.heard

    assert heard.startswith("mEsI2dZ w0n 0v tu fr0m")  # Message 1 of 2. From
    assert "rI2sivd 0n sVndeI" in heard  # Received on Sunday
    assert "domenika ventinOve novEmb" in heard  # in Italian: domenica 29 novembre
    assert 20 < sum(map(len, sounds)) / 8000 < 120
