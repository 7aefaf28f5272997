"""The example for Asterisk, spoken to as Asterisk speaks: AGI on two pipes, and a voice that is heard."""

from __future__ import annotations

import importlib.util
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from syncengine.speech.session import MailSession
from syncengine.speech.synth import open_voice
from tests.support.mails import Mails

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "agi_mail.py"
VARIABLES = "agi_request: agi_mail.py\nagi_channel: SIP/101-0001\nagi_callerid: 101\nagi_arg_1: 101\n\n"


class Asterisk:
    """The other end: plays what it is told to, and presses the keys of ``fingers`` one after another.

    A finger is a key, '' for none, ``hangup``, or any other text that is answered as it is.
    """

    def __init__(self, fingers: Sequence[str]) -> None:
        self.fingers = list(fingers)
        self.played: list[np.ndarray] = []
        self.waits = 0
        self.verbose: list[str] = []

    def answer(self, command: str) -> str | None:
        """The line for a command; None when the caller hangs up."""
        if command.startswith("VERBOSE"):
            self.verbose.append(command)
            return "200 result=1"
        if stream := re.fullmatch(r'STREAM FILE "([^"]+)" "15679#"', command):
            data = Path(stream[1] + ".sln").read_bytes()
            assert len(data) % 2 == 0
            self.played.append(np.frombuffer(data, "<i2"))
        else:
            assert re.fullmatch(r"WAIT FOR DIGIT \d+", command), command
            self.waits += 1
        finger = self.fingers.pop(0) if self.fingers else ""
        match finger:
            case "hangup":
                return None
            case "" | "1" | "5" | "6" | "7" | "9" | "#":
                result = ord(finger) if finger else 0
                return f"200 result={result} endpos=8000" if stream else f"200 result={result}"
            case _:
                return finger

    def serve(self, commands: int, answers: int) -> None:
        with os.fdopen(commands) as commanded, os.fdopen(answers, "w") as answering:
            answering.write(VARIABLES)
            answering.flush()
            for line in commanded:
                answer = self.answer(line.rstrip("\n"))
                if answer is None:
                    return
                answering.write(answer + "\n")
                answering.flush()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agi_mail", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def dialled(asterisk: Asterisk) -> Iterator[tuple[object, object]]:
    """The script's stdin and stdout, with Asterisk behind them."""
    commands, commanded = os.pipe()
    answers, answered = os.pipe()
    thread = threading.Thread(target=asterisk.serve, args=(commands, answered))
    thread.start()
    try:
        with os.fdopen(answers) as stdin, os.fdopen(commanded, "w") as stdout:
            yield stdin, stdout
    except BrokenPipeError:
        pass
    finally:
        thread.join(10)
    assert not thread.is_alive()


def call(script: ModuleType, folder: Path, fingers: Sequence[str], mails: Mails) -> Asterisk:
    asterisk = Asterisk(fingers)
    with (
        dialled(asterisk) as (stdin, stdout),
        MailSession(mails, open_voice(), language="en", now=lambda: datetime.now(UTC)) as session,
    ):
        agi = script.Agi(stdin, stdout)
        assert agi.variables["agi_arg_1"] == "101"
        script.serve(agi, session, folder)
    return asterisk


SENTENCES = 6
"""What is said of one mail of the tests: four sentences of announcement and two of text."""


def test_a_caller_who_only_listens_hears_every_mail(script: ModuleType, tmp_path: Path):
    mails = Mails()
    asterisk = call(script, tmp_path, [], mails)

    assert len(asterisk.played) == 3 * SENTENCES
    assert asterisk.waits == 3
    assert mails.heard == {"a", "b", "c"}
    assert list(mails.mails) == ["a", "b", "c"]
    for sound in asterisk.played:
        assert 0.4 < len(sound) / 8000 < 10
        assert sound.astype(float).std() > 500


def test_a_deleted_mail_is_deleted_and_the_next_one_follows(script: ModuleType, tmp_path: Path):
    mails = Mails()
    asterisk = call(script, tmp_path, ["", "7", "", "#"], mails)

    assert list(mails.mails) == ["b", "c"]
    assert len(asterisk.played) == 4
    assert mails.heard == {"c"}


def test_keys_at_the_end_of_a_mail_count(script: ModuleType, tmp_path: Path):
    mails = Mails()
    call(script, tmp_path, [""] * SENTENCES + ["7", "#"], mails)
    assert list(mails.mails) == ["b", "c"]
    assert mails.heard == {"a", "c"}


def test_a_sentence_is_played_again(script: ModuleType, tmp_path: Path):
    asterisk = call(script, tmp_path, ["5", "5", "#"], Mails())
    first, second, third = map(len, asterisk.played)
    assert max(first, second, third) < 1.05 * min(first, second, third)


def test_the_last_sentence_is_played_again_at_the_end(script: ModuleType, tmp_path: Path):
    asterisk = call(script, tmp_path, [""] * SENTENCES + ["5", "", "", "#"], Mails())
    assert len(asterisk.played) == SENTENCES + 2
    assert abs(len(asterisk.played[SENTENCES]) / len(asterisk.played[SENTENCES - 1]) - 1) < 0.05


def test_skipping_marks_nothing(script: ModuleType, tmp_path: Path):
    mails = Mails()
    asterisk = call(script, tmp_path, ["6", "9", "6"], mails)
    assert len(asterisk.played) == 3
    assert mails.heard == {"c"}


def test_a_mail_is_begun_again(script: ModuleType, tmp_path: Path):
    asterisk = call(script, tmp_path, ["", "", "1", "#"], Mails())
    assert abs(len(asterisk.played[3]) / len(asterisk.played[0]) - 1) < 0.05


@pytest.mark.parametrize(
    "end",
    ["hangup", "HANGUP", "200 result=-1 endpos=0", "511 Command Not Permitted on a dead channel", "nonsense"],
)
@pytest.mark.parametrize("when", [0, SENTENCES - 1])
def test_hanging_up_ends_it_and_marks_nothing(script: ModuleType, tmp_path: Path, end: str, when: int):
    mails = Mails()
    asterisk = call(script, tmp_path, [""] * when + [end], mails)
    assert len(asterisk.played) == when + 1
    assert mails.heard == {"c"}


def test_a_mail_that_cannot_be_fetched_is_named_on_the_console_and_left(script: ModuleType, tmp_path: Path):
    mails = Mails()
    mails.unreachable = True
    asterisk = call(script, tmp_path, [], mails)
    assert len(asterisk.played) == 3 * 4
    assert len(asterisk.verbose) == 3
    assert "connection refused" in asterisk.verbose[0]
    assert mails.heard == {"c"}


def test_a_mail_that_cannot_be_deleted_is_kept_and_the_next_one_follows(script: ModuleType, tmp_path: Path):
    mails = Mails()
    mails.unreachable = True
    asterisk = call(script, tmp_path, ["7", "#"], mails)
    assert len(asterisk.played) == 2
    assert "connection refused" in asterisk.verbose[0]
    assert list(mails.mails) == ["a", "b", "c"]


def test_nothing_on_the_console_can_be_another_command(script: ModuleType, tmp_path: Path):
    asterisk = Asterisk([])
    with dialled(asterisk) as (stdin, stdout):
        script.Agi(stdin, stdout).verbose('a"\nHANGUP\r\n\\')
    assert asterisk.verbose == ['VERBOSE "a  HANGUP   " 1']
