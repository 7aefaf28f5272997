"""``syncengine run`` as a process of its own: signals, signs of life, figures, and sudden death."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncengine.cli.main import main
from syncengine.engine.clock import Clock
from tests.support.base import HOST, free_ports
from tests.support.waiting import eventually
from tests.support.world import NUMBER, World, world


@pytest.fixture
def there(dovecot, tmp_path):
    sync = {"poll_interval": "1h", "idle_poll_interval": "1h", "command_timeout": "5s"}
    with world(tmp_path, dovecot, sync=sync) as one:
        one.engine._clock = Clock()
        yield one


class Process:
    """The service as a process, and what it logged."""

    def __init__(self, there: World, *words: str, env: dict[str, str] | None = None) -> None:
        self.log = there.folder / "run.log"
        command = [sys.executable, "-m", "syncengine.cli.main", "run", "--config", str(there.config), *words]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | (env or {})
            )

    def says(self, text: str) -> None:
        """Wait until it has logged this."""
        eventually(lambda: text in self.log.read_text() or self.ended(), what=text)
        assert text in self.log.read_text()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(15)


@contextmanager
def running(there: World, *words: str, env: dict[str, str] | None = None) -> Iterator[Process]:
    one = Process(there, *words, env=env)
    try:
        one.says("running over 1 mailboxes")
        yield one
    finally:
        if not one.ended():
            one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_what_is_in_flight_finished(there: World, how):
    with running(there) as service:
        message = there.deliver()
        eventually(lambda: there.places(message))
        assert service.end(how) == 0
        service.says("stopped")
    assert "fault" not in service.log.read_text()


def test_commands_of_other_processes_are_told_at_once(there: World):
    message = there.arrived()
    with running(there):
        there.box.mark_heard(message)
        eventually(lambda: there.seen(message))
        there.unflag(message, "\\Seen")
        eventually(lambda: not there.message(message).heard)


def test_killed_at_any_moment_it_loses_and_repeats_nothing(there: World):
    messages = []
    for _ in range(6):
        with running(there) as service:
            messages.append(there.deliver())
            if len(messages) % 2:
                eventually(lambda: there.places(messages[-1]))
            service.process.kill()
            service.process.wait()
    with running(there):
        eventually(lambda: all(there.places(message) for message in messages))
    there.engine.resync(NUMBER)
    assert [len(there.places(message)) for message in messages] == [1] * 6


def test_a_second_service_leaves_with_exit_code_4_and_one_line(there: World):
    with running(there) as first:
        second = Process(there)
        assert second.process.wait(20) == 4
        first.says(f"another service (process {first.process.pid}) runs over this state directory")


def test_sighup_reads_the_options_and_bad_ones_are_said(there: World):
    with running(there) as service:
        there.config.write_text("[system]\nstate_dir = 7\n")
        service.process.send_signal(signal.SIGHUP)
        service.says("the last good options stay in force")
        assert not service.ended()


def test_figures_are_answered_and_name_no_mailbox(there: World):
    (port,) = free_ports(1)
    there.arrived()
    with running(there, "--metrics", f"{HOST}:{port}") as service:
        service.says("/metrics")
        eventually(lambda: "syncengine_connections_watching 1.0" in get(port, "/metrics")[1])
        text = get(port, "/metrics")[1]
        assert 'syncengine_passes_total{result="ok"}' in text
        assert "syncengine_round_trips_total" in text
        assert 'syncengine_queue{state="sent"} 1.0' in text
        assert NUMBER not in text
        assert get(port, "/healthz") == (200, '{"alive": true}\n')
        assert json.loads(get(port, "/readyz")[1])["mailboxes"] == 1
        assert get(port, "/etc/passwd")[0] == 404

        there.config.write_text("nonsense")
        eventually(lambda: get(port, "/readyz")[0] == 503)
        assert get(port, "/healthz")[0] == 200


def test_each_mailbox_is_named_only_where_that_was_asked_for(there: World):
    (port,) = free_ports(1)
    with running(there, "--metrics", f"{HOST}:{port}", "--metrics-per-mailbox"):
        wanted = f'syncengine_last_success_age_seconds{{mailbox="{NUMBER}"}}'
        eventually(lambda: wanted in get(port, "/metrics")[1])


def test_a_port_that_is_taken_is_tried_again(there: World):
    there.system["repeat_startup_period"] = "0.2s"
    there.write()
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with running(there, "--metrics", f"{HOST}:{port}") as service:
            service.says("tried again in")
            taken.close()
            service.says("answering on")


@pytest.mark.parametrize(("words", "seconds"), [(["2"], 120), (["2", "--ignore", "1"], 300)])
def test_the_row_repeat_startup_period_says_how_soon_that_is(there: World, words: list[str], seconds: int):
    """Manual page 7, g_nRepeatStartUpPeriod, in minutes; ignored it is the built-in default."""
    command = ["system", "set", "g_nRepeatStartUpPeriod", *words, "-q", "--config", str(there.config)]
    assert main(command) == 0
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with running(there, "--metrics", f"{HOST}:{port}") as service:
            service.says(f"tried again in {seconds} s")


def test_the_service_manager_is_told(there: World, tmp_path: Path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        with running(there, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}) as service:
            assert b"READY=1" in manager.recv(1000)
            assert manager.recv(1000) == b"WATCHDOG=1"
            assert manager.recv(1000) == b"WATCHDOG=1"
            service.process.terminate()
            eventually(lambda: manager.recv(1000) == b"STOPPING=1")


def test_the_log_can_be_json_a_line_a_record(there: World):
    with running(there, "--log-format", "json", "-v") as service:
        service.end()
    records = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert {"time", "level", "logger", "message"} <= records[0].keys()
    assert records[-1]["message"].endswith("stopped")


def test_the_trace_is_bounded_and_holds_no_secret(there: World):
    there.system |= {"trace_level_override": True, "max_trace_file_size": 4000}
    there.write()
    with running(there) as service:
        for _ in range(3):
            arrives(there)
        service.end()
    traces = sorted((there.folder / "state").glob("trace.log*"))
    text = "".join(file.read_text() for file in traces)
    assert [file.name for file in traces] == ["trace.log", "trace.log.1"]
    assert all(file.stat().st_size <= 4000 for file in traces)
    assert all(file.stat().st_mode & 0o077 == 0 for file in traces)
    assert "mailbox 101: S: " in text
    assert there.login.password not in text


def arrives(there: World) -> None:
    message = there.deliver()
    eventually(lambda: there.places(message))


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""
