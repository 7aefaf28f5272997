"""The command line itself: usage, how commands end, what is printed where, start-up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from syncengine.cli.call import Exit, worst
from syncengine.cli.main import main
from syncengine.engine.engine import Engine
from syncengine.model import Report
from tests.support.commands import Ran, Run, delivered, installed, one_line, ran_here
from tests.support.world import wav


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return installed(tmp_path / "here")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "message.wav"
    file.write_bytes(wav())
    return file


def test_global_options_stand_before_or_after_the_command(run, tmp_path):
    config = tmp_path / "here" / "syncengine.toml"
    before = ran_here("--json", "--config", config, "status")
    after = ran_here("status", "--json", "--config", config)
    assert before == after
    assert before.json[0]["mailbox"] == "101"


def test_the_configuration_is_taken_from_the_environment(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SYNCENGINE_CONFIG", str(tmp_path / "here" / "syncengine.toml"))
    assert ran_here("status", "--json").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        [],
        ["status", "--nonsense"],
        ["status", "--js"],
        ["mark", "101", "abcdef", "read"],
        ["deliver", "101"],
        ["deliver", "101", "x.wav", "--kind", "email"],
        ["queue", "retry"],
        ["queue", "list", "101", "102"],
        ["mailbox", "show"],
        ["mailbox", "list", "101"],
        ["mailbox", "set", "101"],
        ["mailbox", "show", "101", "--imap4-port", "143"],
        ["system", "set", "seats"],
        ["system", "show", "seats", "3"],
        ["system", "show", "nonsense"],
        ["system", "set", "nonsense", "1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_one_line(run, words):
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran.err)


@pytest.mark.parametrize(
    "words",
    [
        ["resync", "999"],
        ["resync", "101", "999"],
        ["status", "999"],
        ["messages", "999"],
        ["mark", "999", "abcdef", "heard"],
        ["mark", "101", "0" * 32, "heard"],
        ["mark", "101", "abc", "heard"],
        ["delete", "101", "../../etc"],
        ["restore", "101", "0" * 32],
        ["queue", "retry", "0" * 32],
        ["queue", "cancel", "999"],
        ["check", "999"],
        ["mailbox", "show", "999"],
        ["mailbox", "remove", "999"],
        ["mailbox", "set", "999", "--imap4-port", "143"],
        ["mailbox", "add", "../x", "--imap4-port", "143"],
        ["mailbox", "add", "101"],
    ],
    ids=" ".join,
)
def test_an_unknown_mailbox_or_id_ends_with_2_and_one_line(run, words):
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran.err)


def test_options_that_do_not_hold_end_with_2_and_a_line_for_each(run, tmp_path):
    (tmp_path / "here" / "mailboxes.d" / "102.toml").write_text('sync_mode = "all"\nsend_mode = 7\n')
    ran = run("status")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 2
    assert all("102.toml, line" in line for line in ran.err.splitlines())


def test_a_configuration_that_is_not_there_or_cannot_be_read_ends_with_2(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        ran = ran_here("--config", path, "resync")
        assert ran.code == 2
        assert one_line(ran.err)


def test_a_fault_of_our_own_is_one_line_and_a_traceback_only_with_vv(run, monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("syncengine.cli.status.run", broken)
    ran = run("status")
    assert ran.code == 1
    assert one_line(ran.err)
    assert "Traceback" in run("status", "-vv").err
    assert "Traceback" in run("-v", "status", "-vv").err


def test_of_several_exits_the_failure_counts_before_the_brake_before_a_busy_one():
    assert worst([]) is Exit.DONE
    assert worst([Exit.DONE, Exit.BUSY]) is Exit.BUSY
    assert worst([Exit.BUSY, Exit.HELD]) is Exit.HELD
    assert worst([Exit.HELD, Exit.FAILED, Exit.BUSY]) is Exit.FAILED


def test_init_makes_everything_once_and_changes_nothing_the_second_time(tmp_path):
    config = tmp_path / "new" / "syncengine.toml"
    ran = ran_here("init", "--config", config, "--json")
    assert (ran.code, list(ran.json)) == (0, ["made"])
    assert all(Path(path).exists() for path in ran.json["made"])
    assert (tmp_path / "new" / "state").is_dir()
    text = config.read_text()
    again = ran_here("init", "--config", config)
    assert again.code == 2
    assert one_line(again.err)
    assert config.read_text() == text


def test_init_puts_the_state_where_it_is_told(tmp_path):
    ran = ran_here("init", "--config", tmp_path / "c.toml", "--state-dir", tmp_path / "elsewhere")
    assert ran.code == 0
    assert str(tmp_path / "elsewhere") in (tmp_path / "c.toml").read_text()


def test_status_is_a_list_with_exactly_these_keys(run, recording):
    delivered(run, recording)
    (status,) = run("status", "101", "--json").json
    assert list(status) == [
        "mailbox", "state", "new", "heard", "pending", "last_pass", "last_error", "next_try",
    ]  # fmt: skip
    assert (status["new"], status["state"]) == (1, "pending")
    assert run("status").out.splitlines()[1].split()[:3] == ["101", "pending", "1"]


def test_a_mailbox_that_is_off_is_said_with_the_reason_and_is_no_failure(run):
    run("mailbox", "set", "101", "--email-integration", "no")
    ran = run("resync")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "101: off: email_integration is false\n"
    assert run("status", "--json").json[0]["state"] == "off"
    run("system", "set", "email_integration", "no")
    assert "for the system" in run("resync", "101").out


def test_quiet_says_nothing_where_nothing_is_wrong(run, recording):
    run("mailbox", "set", "101", "--email-integration", "no")
    assert run("-q", "resync") == Ran(0, "", "")
    assert len(run("deliver", "-q", "101", recording).out.strip()) == 32


def test_a_failed_pass_is_said_once(run, recording):
    delivered(run, recording)
    ran = run("resync", "-v")
    assert ran.code == 1
    assert sum("127.0.0.1" in line for line in ran.err.splitlines()) == 1
    report = run("resync", "--json")
    assert list(report.json[0]) == [
        "mailbox", "ok", "held", "dry_run", "actions", "errors", "round_trips", "bytes_in", "bytes_out",
        "seconds",
    ]  # fmt: skip


def test_a_fault_in_one_mailbox_takes_no_other_reports_with_it(run, recording, monkeypatch):
    run("mailbox", "add", "102", "--imap4-server", "localhost")
    real = Engine.resync

    def broken(engine: Engine, number: str, **how: bool) -> Report:
        if number == "101":
            raise ZeroDivisionError("by zero")
        return real(engine, number, **how)

    monkeypatch.setattr(Engine, "resync", broken)
    ran = run("resync", "--json")
    assert ran.code == 1
    assert [(report["mailbox"], report["ok"]) for report in ran.json] == [("101", False), ("102", True)]
    assert one_line(ran.err)
    assert "Traceback" in run("resync", "-vv").err


def test_a_terminal_gets_tables_and_a_bar(run, recording, monkeypatch):
    monkeypatch.setattr("syncengine.cli.output.Output.terminal", True)
    monkeypatch.setenv("COLUMNS", "200")
    message = delivered(run, recording, "--caller-name", "Peter Adams")
    assert "─" in run("messages", "101").out
    assert message[:12] in run("messages", "101").out
    assert run("mark", "101", message[:12], "heard").code == 0
    assert run("resync").code == 1


def test_help_and_version_need_nothing_of_the_engine():
    code = (
        "import sys\nfrom syncengine.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = ('syncengine.engine', 'syncengine.index', 'syncengine.options', 'imapclient', 'sqlite',"
        " 'rich', 'logging', 'numpy')\n"
        "print('loaded:', *(m for m in sys.modules if m.startswith(heavy)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0


def test_json_is_one_document_and_nothing_else(run, recording):
    delivered(run, recording)
    commands = (
        ["status"],
        ["messages", "101"],
        ["queue"],
        ["mailbox", "list"],
        ["system", "show"],
        ["resync"],
    )
    for words in commands:
        json.loads(run(*words, "--json").out)
        json.loads(run(*words, "--json", "-v").out)
