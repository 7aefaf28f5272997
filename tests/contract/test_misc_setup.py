"""The manual's Misc Setup, row by row, while the service runs: each is applied and changes what it should;
then its Ignore digit is 1, and the built-in default is in force again (manual page 7).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from syncengine.cli.main import main
from syncengine.engine.clock import Clock
from syncengine.options.vmconfig import MEANINGS
from syncengine.service.service import Service
from syncengine.service.trace import TraceFile
from tests.support.proxy import Proxy
from tests.support.waiting import eventually
from tests.support.world import NUMBER, World, wav, world

pytestmark = pytest.mark.server("dovecot")

SHOWN = {
    "MaxTraceFileSize",
    "TraceLevelOverride",
    "g_bEnableSendMsgAsAttachment",
    "g_bImap4SyncPendingTimer",
    "g_bUseEmailIntegration",
    "g_bUseTTS",
    "g_nRepeatStartUpPeriod",  # in test_run.py: it is about a service that cannot start
    "g_szEmailDllPath",
}


@pytest.fixture
def wire(dovecot, proxy_to) -> Proxy:
    return proxy_to(dovecot.host, dovecot.imap_port, keep=True)


@pytest.fixture
def there(dovecot, wire, tmp_path):
    sync = {"poll_interval": "1h", "idle_poll_interval": "1h", "command_timeout": "5s"}
    with world(tmp_path, dovecot, sync=sync, imap4={"port": wire.port}) as one:
        one.engine._clock = Clock()
        yield one


@contextmanager
def running(there: World, **how: object) -> Iterator[Service]:
    service = Service(there.engine, **how)  # type: ignore[arg-type]
    there.engine.start_loops(service)
    try:
        yield service
    finally:
        there.engine.stop()


class Row:
    """A row of the table, changed as the operator does, and taken up by the service that runs."""

    def __init__(self, there: World, name: str) -> None:
        self._there, self._name = there, name
        self.key = MEANINGS[name].key

    def set(self, value: str) -> None:
        """Give it a value."""
        self._run(value)

    def ignore(self) -> None:
        """Put the built-in default in force, the value kept."""
        self._run("--ignore", "1")

    def _run(self, *words: str) -> None:
        before = self.in_force
        command = ["system", "set", self._name, *words, "--config", str(self._there.config), "-q"]
        assert main(command) == 0
        eventually(lambda: self.in_force != before, what=f"{self._name} taken up")

    @property
    def in_force(self) -> object:
        return getattr(self._there.engine.settings.system, self.key)


def watched(service: Service) -> None:
    eventually(lambda: service.figures().watching == 1 and service.figures().busy == 0, what="IDLE")


def test_every_row_that_means_something_is_shown_here():
    assert set(MEANINGS) == SHOWN


def test_use_email_integration_switches_everything_off_and_on(there: World):
    there.arrived()
    row = Row(there, "g_bUseEmailIntegration")
    with running(there) as service:
        watched(service)
        row.set("False")
        eventually(lambda: service.figures().mailboxes == 0 and service.figures().connections == 0)
        assert there.engine.status(NUMBER).state == "off"
        row.ignore()
        watched(service)
        assert there.engine.status(NUMBER).state != "off"


def test_email_dll_path_chooses_the_protocol(there: World):
    message = there.arrived()
    there.options = {"delivery": "smtp"}
    there.smtp = {"server": "127.0.0.1", "port": 9, "security": "none"}
    there.reopen()
    there.engine._clock = Clock()
    row = Row(there, "g_szEmailDllPath")
    with running(there) as service:
        watched(service)
        row.set("/usr/local/vm/lib/libsmtppop3.so")
        eventually(lambda: service.figures().connections == 0)
        there.flag(message, "\\Seen")
        row.ignore()
        watched(service)
        eventually(lambda: there.message(message).heard)


def test_use_tts_lists_the_emails(there: World):
    there.mail.append(b"From: a@example.net\r\nSubject: Lunch\r\n\r\nAt one?\r\n")
    there.arrived()

    def emails() -> list[str]:
        return [m.subject for m in there.engine.mailbox(NUMBER).messages() if m.kind == "email"]

    row = Row(there, "g_bUseTTS")
    with running(there) as service:
        watched(service)
        assert emails() == []
        row.set("True")
        eventually(lambda: emails() == ["Lunch"])
        row.ignore()
        assert emails() == []


def test_enable_send_msg_as_attachment_sends_the_sound_or_the_notice_alone(there: World):
    row = Row(there, "g_bEnableSendMsgAsAttachment")

    def sent() -> bytes:
        message = there.engine.mailbox(NUMBER).deliver(wav()).id
        folder, uid = eventually(lambda: there.places(message))[0]
        there.mail.client.select_folder(folder, readonly=True)
        return bytes(there.mail.client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"])

    with running(there):
        assert b"audio/" in sent()
        row.set("False")
        assert b"audio/" not in sent()
        row.ignore()
        assert b"audio/" in sent()


def test_the_pending_timer_is_the_deadline_of_what_is_not_confirmed(there: World, wire: Proxy):
    message = there.arrived()
    there.sync_ok()
    wire.answer(rb"UID STORE .*\\Seen", b"{tag} OK done\r\n", times=1000)
    row = Row(there, "g_bImap4SyncPendingTimer")

    def waits(minutes: int) -> bool:
        pending = there.engine.status(NUMBER).pending
        return [(p.deadline - p.since).total_seconds() for p in pending if p.deadline] == [60 * minutes]

    with running(there) as service:
        watched(service)
        row.set("45")
        there.engine.mailbox(NUMBER).mark_heard(message)
        eventually(lambda: waits(45))
        there.engine.mailbox(NUMBER).mark_new(message)
        eventually(lambda: not there.engine.status(NUMBER).pending)
        row.ignore()
        there.engine.mailbox(NUMBER).mark_heard(message)
        eventually(lambda: waits(20))


def test_trace_level_override_traces_everything_whatever_the_log_level(there: World):
    row = Row(there, "TraceLevelOverride")
    with traced(there) as (trace, lines), running(there, trace=trace.of) as service:
        there.deliver()
        watched(service)
        assert not lines("mailbox 101: ")
        row.set("True")
        there.deliver()
        eventually(lambda: lines("mailbox 101: C: "), what="the wire in the trace")
        eventually(lambda: lines("DEBUG"))
        row.ignore()
        there.deliver()
        watched(service)
        before = lines("mailbox 101: ")
        there.deliver()
        watched(service)
        assert lines("mailbox 101: ") == before


def test_max_trace_file_size_is_where_the_file_is_turned_over(there: World):
    row = Row(there, "MaxTraceFileSize")
    old = there.engine.state_dir / "trace.log.1"
    with traced(there) as (trace, _), running(there, trace=trace.of):
        said = logging.getLogger("syncengine.test")
        row.set("2000")
        for _ in range(30):
            said.warning("x" * 100)
        assert old.stat().st_size <= 2000
        row.ignore()
        old.unlink()
        for _ in range(30):
            said.warning("x" * 100)
        assert not old.exists()
        assert (there.engine.state_dir / "trace.log").stat().st_size > 2000


@contextmanager
def traced(there: World) -> Iterator[tuple[TraceFile, Callable[[str], int]]]:
    """The trace as the command sets it up, and how many of its lines hold a text."""
    path = there.engine.state_dir / "trace.log"
    trace = TraceFile(path, lambda: there.engine.settings.system)
    logger = logging.getLogger("syncengine")
    level = logger.level
    logger.addHandler(trace)
    logger.setLevel(logging.DEBUG)

    def lines(text: str) -> int:
        return sum(text in line for line in path.read_text().splitlines()) if path.exists() else 0

    try:
        yield trace, lines
    finally:
        logger.removeHandler(trace)
        logger.setLevel(level)
        trace.close()
