"""The example for Asterisk, spoken to as Asterisk speaks: AGI on two pipes, and a voice that is heard."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
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
from tests.contract.test_emails import letter, uid
from tests.support.dovecot import Dovecot
from tests.support.mails import Mails
from tests.support.shell import Shell, shell_on
from tests.support.world import NUMBER

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
        if stream := re.fullmatch(r'STREAM FILE "([^"]+)" "156789#"', command):
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
            case "" | "1" | "5" | "6" | "7" | "8" | "9" | "#":
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
    asterisk = Asterisk(["", *fingers])
    with (
        dialled(asterisk) as (stdin, stdout),
        MailSession(mails, open_voice(), language="en", now=lambda: datetime.now(UTC)) as session,
    ):
        agi = script.Agi(stdin, stdout)
        assert agi.variables["agi_arg_1"] == "101"
        script.serve(agi, session, folder)
    assert len(asterisk.played.pop(0)) > 8000, "how many there are"
    return asterisk


SENTENCES = 6
"""What is said of one mail of the tests: four sentences of announcement and two of text."""
SENTENCES_OF_A_LETTER = 5


def test_a_caller_who_only_listens_hears_every_mail(script: ModuleType, tmp_path: Path):
    mails = Mails()
    asterisk = call(script, tmp_path, [], mails)

    assert len(asterisk.played) == 3 * SENTENCES + 1, "at the end it is said that there are no more"
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
    assert len(asterisk.played) == 3 + 1
    assert mails.heard == {"c"}


def test_a_heard_mail_is_kept_as_new(script: ModuleType, tmp_path: Path):
    mails = Mails()
    call(script, tmp_path, [""] * SENTENCES + ["8", "6", "8", "#"], mails)
    assert mails.heard == set()


def test_without_a_mail_only_that_is_said(script: ModuleType, tmp_path: Path):
    mails = Mails()
    mails.mails.clear()
    assert call(script, tmp_path, [], mails).played == []


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
    assert len(asterisk.played) == 3 * 4 + 1
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


@pytest.fixture
def shell(dovecot: Dovecot, tmp_path: Path) -> Iterator[Shell]:
    with shell_on(dovecot, tmp_path) as one:
        one.system = {"text_to_speech": True}
        one.write()
        yield one


def started(shell: Shell, asterisk: Asterisk) -> tuple[int, str]:
    """Run the script as Asterisk does, in a process of its own; its exit code and what it complained of.

    A finger ``SIGHUP`` is what Asterisk does when the caller leaves.
    """
    command = [sys.executable, str(SCRIPT), NUMBER, str(shell.config)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(VARIABLES)
        process.stdin.flush()
        for line in process.stdout:
            gone = asterisk.fingers[:1] == ["SIGHUP"]
            if gone:
                asterisk.fingers[0] = "HANGUP"
                process.send_signal(signal.SIGHUP)
            process.stdin.write(f"{asterisk.answer(line.rstrip())}\n")
            process.stdin.flush()
        return process.wait(30), process.stderr.read() if process.stderr else ""


def test_a_real_account_is_heard_and_deleted_by_telephone(shell: Shell):
    for subject in ("Third", "Second", "First"):
        shell.mail.append(letter(subject))
    heard_one = [""] * SENTENCES_OF_A_LETTER + ["9"]
    asterisk = Asterisk(["", *heard_one, "", "", "7", "", "", "SIGHUP"])

    assert started(shell, asterisk) == (0, "")
    assert (asterisk.fingers, asterisk.verbose) == ([], [])
    assert all(0.4 < len(sound) / 8000 < 10 for sound in asterisk.played)
    shell.did("resync")
    assert shell.mail.flags(uid(shell, "First")) == {"\\Seen"}
    assert uid(shell, "Second", "Trash")
    assert shell.mail.flags(uid(shell, "Third")) == set(), "he hung up in the middle of it"


def test_what_cannot_be_read_is_told_to_the_operator(shell: Shell):
    shell.system = {"text_to_speech": False}
    shell.write()
    asterisk = Asterisk([])

    assert started(shell, asterisk) == (1, "")
    assert asterisk.played == []
    assert "text_to_speech is false" in asterisk.verbose[0]


def test_nothing_on_the_console_can_be_another_command(script: ModuleType, tmp_path: Path):
    asterisk = Asterisk([])
    with dialled(asterisk) as (stdin, stdout):
        script.Agi(stdin, stdout).verbose('a"\nHANGUP\r\n\\')
    assert asterisk.verbose == ['VERBOSE "a  HANGUP   " 1']
