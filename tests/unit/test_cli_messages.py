"""The subscriber's messages by commands: what is taken in, listed, changed, refused."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.model import Kind, LocalMessage, State, token_of
from tests.support.commands import Run, delivered, installed, one_line, ran_apart
from tests.support.world import wav

COMMAND = [sys.executable, "-m", "syncengine.cli.main"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return installed(tmp_path / "here")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "message.wav"
    file.write_bytes(wav())
    return file


def test_deliver_prints_the_id_and_the_message_is_listed(run, recording):
    message = delivered(run, recording, "--caller-name", "Peter Adams", "--urgent")
    assert len(message) == 32
    (known,) = run("messages", "101", "--json").json
    assert (known["id"], known["sender"], known["urgent"], known["delivery"]) == (
        message, "Peter Adams", True, "queued",
    )  # fmt: skip
    assert message in run("messages", "101").out


def test_deliver_takes_standard_input(run, recording, tmp_path):
    config = tmp_path / "here" / "syncengine.toml"
    ran = ran_apart("deliver", "101", "-", "--json", "--config", config, stdin=recording.read_bytes())
    assert ran.code == 0
    assert ran.json == run("messages", "101", "--json").json[0]


def test_when_the_call_came_is_kept_with_its_zone(run, recording):
    delivered(run, recording, "--received", "2026-11-23T15:15:00+01:00")
    assert run("messages", "101", "--json").json[0]["received"] == "2026-11-23T15:15:00+01:00"


@pytest.mark.parametrize("when", ["", "yesterday", "0001-01-01", "2026-13-01", "9999-12-31T23:59:59-23:59"])
def test_a_time_that_is_none_is_refused(run, recording, when):
    ran = run("deliver", "101", recording, "--received", when)
    assert ran.code == 2
    assert one_line(ran.err)


def test_what_is_no_recording_is_refused_in_one_line(run, tmp_path):
    text = tmp_path / "letter.txt"
    text.write_text("Dear Peter")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file in (text, pipe, tmp_path, tmp_path / "nothing", "/dev/zero", "no\0name"):
        ran = run("deliver", "101", file)
        assert ran.code == 2, ran
        assert one_line(ran.err), ran
    assert run("deliver", "101", text, "--kind", "fax").code == 2
    assert run("messages", "101", "--json").json == []


def test_the_last_ones_are_shown_the_oldest_of_them_first(run, recording):
    days = (3, 1, 4, 2)
    ids = {day: delivered(run, recording, "--received", f"2026-11-0{day}T10:00:00Z") for day in days}
    listed = run("messages", "101", "--last", "2", "--json")
    assert [m["id"] for m in listed.json] == [ids[3], ids[4]]
    assert listed.out.count("\n") == 2 + 2, "a line for each, and one for each bracket"
    assert len(run("messages", "101", "--last", "9", "--json").json) == 4
    assert ids[4] in run("messages", "101", "--last", "1").out
    assert ids[3] not in run("messages", "101", "--last", "1").out


@pytest.mark.parametrize("number", ["0", "-1", "x", "1e3", "9" * 10])
def test_a_number_of_messages_that_is_none_is_refused(run, number):
    ran = run("messages", "101", f"--last={number}")
    assert ran.code == 2
    assert one_line(ran.err)


def test_a_beginning_of_an_id_is_enough_if_it_is_long_and_the_only_one(run, recording):
    message = delivered(run, recording)
    assert run("mark", "101", message[:6], "heard").code == 0
    assert run("mark", "101", message[:6].upper(), "new", "--json").json["heard"] is False
    assert run("mark", "101", message[:5], "heard").code == 2


def test_a_beginning_that_two_messages_share_is_refused(run, tmp_path):
    with Engine.open(tmp_path / "here" / "syncengine.toml") as engine:
        for digit in "01":
            token = token_of("ab12cd" + digit * 26)
            received = datetime(2026, 11, 23, tzinfo=UTC)
            message = LocalMessage("", token, "101", Kind.VOICE, State.NEW, received, media_type="audio/wav")
            engine.store.adopt(message, wav())
    ran = run("delete", "101", "ab12cd")
    assert ran.code == 2
    assert "2 messages begin so" in ran.err
    assert run("delete", "101", "ab12cd1").code == 0


def test_delete_takes_several_ids_and_with_an_unknown_one_does_nothing(run, recording):
    ids = [delivered(run, recording) for _ in range(2)]
    assert run("delete", "101", *ids, "f" * 32).code == 2
    assert [m["deleted"] for m in run("messages", "101", "--json").json] == [False, False]
    assert [m["id"] for m in run("delete", "101", *ids, ids[0], "--json").json] == ids
    assert [m["deleted"] for m in run("messages", "101", "--json").json] == [True, True]
    assert run("restore", "101", ids[1], "--json").json["deleted"] is False
    assert run("restore", "101", ids[1]).code == 2
    assert run("mark", "101", ids[0], "heard").code == 2


HOSTILE = "Ev\x1b[2Jil\r\n[bold]\u202egnp.exe\u2066 \x9b31m\x07"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_callers_name_never_controls_the_terminal(run, recording, monkeypatch, terminal):
    delivered(run, recording, "--caller-name", HOSTILE)
    if terminal:
        monkeypatch.setattr("syncengine.cli.output.Output.terminal", True)
        monkeypatch.setenv("COLUMNS", "300")
    ran = run("messages", "101")
    assert ran.code == 0
    assert "[bold]" in ran.out
    assert "\\x1b[2Jil" in ran.out
    assert all(c.isprintable() or c == "\n" for c in ran.out.replace("\x1b[1m", "").replace("\x1b[0m", ""))
    shown = run("messages", "101", "--json")
    assert shown.out.isascii()
    assert shown.out.replace("\n", "").isprintable()


def test_a_name_that_is_no_utf8_is_taken_without_harm(run, recording, config):
    words = ["--config", config, "deliver", "101", recording, "--caller-name", b"Andr\xe9"]
    assert subprocess.run([*COMMAND, *words], timeout=60, check=False).returncode == 0
    assert run("messages", "101", "--json").json[0]["sender"] == "Andr\ufffd"


def test_a_full_disk_ends_with_1_in_one_line_and_takes_in_nothing(run, tmp_path):
    config = tmp_path / "here" / "syncengine.toml"
    large = tmp_path / "large.wav"
    large.write_bytes(wav(samples=400_000))
    ran = ran_apart("deliver", "101", large, "--config", config, prepare=_no_large_files)
    assert ran.code == 1
    assert one_line(ran.err), ran.err
    assert ran.out == ""
    assert run("messages", "101", "--json").json == []
    assert run("queue", "--json").json == []
    assert list((tmp_path / "here" / "state" / "voice").glob("*.wav")) == []
    assert run("deliver", "101", large).code == 0


def _no_large_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))


def test_standard_output_that_cannot_be_written_is_said_in_one_line(run, config):
    words = [*COMMAND, "--config", config, "status", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert one_line(done.stderr)


def test_a_reader_that_goes_away_leaves_no_words_behind(run, config):
    read, write = os.pipe()
    os.close(read)
    words = [*COMMAND, "--config", config, "status"]
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_key_that_is_gone_is_not_made_anew_without_a_word(run, recording, config):
    assert run("deliver", "101", recording).code == 0
    config.with_suffix(".key").unlink()
    ran = run("status")
    assert ran.code == 0
    assert one_line(ran.err)
    assert "put the old file back" in ran.err
    assert run("status").err == ""
