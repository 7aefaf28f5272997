"""The wire is cut at every octet, trickles, lags and goes silent; nothing is lost and nothing repeated.

A pass over a broken wire either succeeds or fails in one line, and the next one over a whole wire brings
both sides to what they would have been. A usual run cuts at a spread of the octets, ``TORTURE=full``
at all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.scenarios import SCENARIOS, Scenario
from tests.support.budget import CAMPAIGN, spread
from tests.support.faults import Counts, When
from tests.support.picture import Picture
from tests.support.proxy import Proxy
from tests.support.smtp import Front
from tests.support.snapshot import Snapshot

pytestmark = pytest.mark.timeout(0 if CAMPAIGN else 120)

CUTS = 4
"""How many cuts of each direction of each wire the short run makes."""
SILENCES = 2
"""How many commands are left without an answer in the short run, before they are carried out and after."""


@dataclass(frozen=True, slots=True)
class Wired:
    """A scenario whose wire goes through a proxy, and what comes of it where the wire holds."""

    scenario: Scenario
    snapshot: Snapshot
    wire: Proxy
    folder: Path
    wanted: Picture
    counts: Counts

    def breaking(
        self, break_it: Callable[[Proxy], object], *, may_fail: bool = True, timeout: str = "60s"
    ) -> bool:
        """One pass over a broken wire, then peace; whether the broken one came to its end all the same."""
        there = self.snapshot.fresh(self.folder)
        there.sync |= {"command_timeout": timeout}
        there.open()
        break_it(self.wire)
        try:
            report = there.resync()
        finally:
            self.wire.heal()
            there.engine.close()
        assert report.ok or may_fail, report.errors
        assert report.ok is not bool(report.errors)
        for problem in report.errors:
            assert len(problem.what.splitlines()) == 1, problem
            assert there.login.password not in problem.what
        assert str(self.scenario.finish(there)) == str(self.wanted)
        return report.ok

    def commands(self) -> int:
        """How many lines the client says in an uninterrupted run."""
        there = self.snapshot.fresh(self.folder)
        there.open()
        fault = self.wire.stall(b"", skip=1 << 30)
        there.sync_ok()
        self.wire.heal()
        there.engine.close()
        return (1 << 30) - fault.skip


def wired(scenario: Scenario, snapshot: Snapshot, wire: Proxy, folder: Path) -> Wired:
    """Measure the wire in an uninterrupted run."""
    there = snapshot.fresh(folder)
    there.open()
    wire.reset_counts()
    there.sync_ok()
    counts = wire.reset_counts()
    there.engine.close()
    return Wired(scenario, snapshot, wire, folder, scenario.finish(there), counts)


@pytest.fixture(params=["clear", "inside TLS", "of TLS"])
def imap(request, dovecot, dovecot_smtp, authority, tmp_path) -> Iterator[Wired]:
    """IMAP: in clear, cut between the octets that TLS carries, and between the octets of TLS itself."""
    how: dict[str, object] = {}
    port, tls = dovecot.imap_port, None
    if request.param != "clear":
        how = {"security": "tls", "ca_file": str(authority.ca_file)}
    if request.param == "inside TLS":
        tls = authority.server_context()
    elif request.param == "of TLS":
        port = dovecot.imaps_port
    scenario = SCENARIOS["everything in one pass"]
    with Proxy(dovecot.host, port, tls=tls) as wire:
        through = {"server": wire.host, "port": wire.port} | how
        with scenario.begun(tmp_path / "origin", dovecot, dovecot_smtp, through) as snapshot:
            yield wired(scenario, snapshot, wire, tmp_path / "run")


@pytest.fixture
def smtp(dovecot, dovecot_smtp, tmp_path) -> Iterator[Wired]:
    """SMTP in clear, with the mail arriving in the account."""
    scenario = SCENARIOS["sending by SMTP"]
    with Proxy(dovecot_smtp.host, dovecot_smtp.port) as wire:
        front = Front(wire.host, wire.port)
        with scenario.begun(tmp_path / "origin", dovecot, front) as snapshot:
            yield wired(scenario, snapshot, wire, tmp_path / "run")


@pytest.fixture
def pop3(dovecot, dovecot_smtp, tmp_path) -> Iterator[Wired]:
    """POP3 in clear: what was deleted at the phone is looked for and deleted."""
    scenario = SCENARIOS["deletes over POP3"]
    with Proxy(dovecot.host, dovecot.pop3_port) as wire:
        through = {"server": wire.host, "port": wire.port}
        with scenario.begun(tmp_path / "origin", dovecot, dovecot_smtp, through) as snapshot:
            yield wired(scenario, snapshot, wire, tmp_path / "run")


@pytest.fixture
def story(request) -> Wired:
    return request.getfixturevalue(request.param)


def cut_everywhere(story: Wired, record_property, what: str) -> int:
    """Cut at a spread of the octets of both sides; how many passes failed of it."""
    sides = {"server": story.counts.bytes_in, "client": story.counts.bytes_out}
    done = failed = 0
    for side, size in sides.items():
        for at in spread(size, CUTS):
            failed += not story.breaking(lambda wire, cut={side: at}: wire.cut_after(**cut))
            done += 1
    record_property("figure", (f"cuts of {what}", done, sum(sides.values())))
    return failed


def test_cut_at_any_octet_of_imap_nothing_is_lost_or_repeated(imap: Wired, record_property):
    assert cut_everywhere(imap, record_property, "IMAP")


def test_cut_at_any_octet_of_smtp_nothing_is_lost_or_repeated(smtp: Wired, record_property):
    assert cut_everywhere(smtp, record_property, "SMTP")


def test_cut_at_any_octet_of_pop3_nothing_is_lost_or_repeated(pop3: Wired, record_property):
    assert not any("Caller 1" in str(caller) for caller in pop3.wanted.account)
    assert cut_everywhere(pop3, record_property, "POP3") == 0, "a delete that waits is no failure of the pass"
    assert pop3.wire.counts.connections > pop3.counts.connections * 2 * CUTS


def test_octet_by_octet_or_late_a_pop3_session_still_succeeds(pop3: Wired):
    assert pop3.breaking(lambda wire: wire.trickle(), may_fail=False)
    assert pop3.breaking(lambda wire: wire.delay(0.02), may_fail=False)


def test_octet_by_octet_or_late_a_pass_still_succeeds(imap: Wired):
    assert imap.breaking(lambda wire: wire.trickle(), may_fail=False)
    assert imap.breaking(lambda wire: wire.delay(0.02), may_fail=False)


@pytest.mark.parametrize("when", [When.BEFORE, When.ANSWERED])
@pytest.mark.parametrize("imap", ["clear"], indirect=True)
def test_silence_at_any_command_ends_in_time(imap: Wired, record_property, when: When):
    lines = imap.commands()
    for number in spread(lines, SILENCES):
        imap.breaking(lambda wire, skip=number: wire.stall(b"", when=when, skip=skip), timeout="1s")
    record_property("figure", ("silences", len(spread(lines, SILENCES)), lines))


@pytest.mark.parametrize("story", ["deletes without MOVE", "restores without MOVE", "filing without MOVE"])
@pytest.mark.parametrize("at", [rb"UID COPY", rb"UID STORE", rb"UID EXPUNGE"])
def test_a_move_in_two_halves_is_finished_not_begun_again(dovecot, dovecot_smtp, tmp_path, story, at):
    """Servers without MOVE: between COPY and UID EXPUNGE the message is in both places."""
    scenario = SCENARIOS[story]
    with Proxy(dovecot.host, dovecot.imap_port) as wire:
        through = {"server": wire.host, "port": wire.port}
        with scenario.begun(tmp_path / "origin", dovecot, dovecot_smtp, through) as snapshot:
            halves = wired(scenario, snapshot, wire, tmp_path / "run")
            assert not halves.breaking(lambda wire: wire.cut(at, when=When.ANSWERED))
