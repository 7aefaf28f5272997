"""The whole engine against a played server, from seeds: nothing lost, nothing twice, both sides agree.

A failing seed prints itself with the fewest steps that still fail. More seeds: ``SIMULATOR_SEEDS=500``,
and from another one on: ``SIMULATOR_FIRST=501``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simimap import PROFILES
from tests.support.simulation import Fate, Simulation, run, shrunk

FIRST = int(os.environ.get("SIMULATOR_FIRST", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SIMULATOR_SEEDS", "3")))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: these runs die by exception, so no disk has to be waited for."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.mark.parametrize("profile", PROFILES)
def test_both_sides_agree_after_quiet_when_nothing_breaks(profile: str, folder: Path) -> None:
    """A phone, a mail program and an engine, each at random; then quiet, and both tell one story."""
    for seed in SEEDS:
        run(seed, profile, folder, faulty=False)


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_is_lost_whatever_breaks(profile: str, folder: Path) -> None:
    """Cut connections, lies, failing commits, deaths and wrong clocks besides."""
    for seed in SEEDS:
        run(seed, profile, folder)


@pytest.mark.parametrize("profile", ["qresync", "gmail"])
def test_the_same_seed_is_the_same_run(profile: str, folder: Path) -> None:
    """Every octet, fault and action again; and another seed is another run."""
    first = run(1, profile, folder, rounds=2)
    assert len(first) > 100
    assert run(1, profile, folder, rounds=2) == first != run(2, profile, folder, rounds=2)


def test_faults_strike_and_lies_are_told(folder: Path) -> None:
    """The runs above are no walk in the park: each kind of trouble comes up within a few seeds."""
    lines = [line for seed in range(6) for line in run(seed, "qresync", folder, rounds=2)]
    for trouble in ("fault Cut", "fault Bye", "fault Silence", "fault after commit", "reboot", "lies ["):
        assert any(line.startswith(trouble) for line in lines), trouble


def test_a_lost_message_is_noticed(folder: Path) -> None:
    """The checks can fail: a voice message that goes behind everybody's back is missed."""
    one = Simulation(0, "qresync", folder, faulty=False)
    with one.running():
        one.phone_takes_a_message()
        one.settle()
        (message_id,) = one.fates
        one.phone_deletes()
        one.fates[message_id] = Fate()
        with pytest.raises(AssertionError, match="lost at the phone\nseed 0 profile qresync"):
            one.settle()


def test_shrinking_keeps_only_what_the_failure_needs() -> None:
    """Two steps of forty are enough to fail."""
    steps = [(f"step{number}", number) for number in range(40)]

    def fails(some: object) -> str | None:
        return "lost" if {("step7", 7), ("step31", 31)} <= set(some) else None  # type: ignore[call-overload]

    assert shrunk(steps, fails) == [("step7", 7), ("step31", 31)]


# Found by seeds, told as stories


@pytest.fixture
def calm(folder: Path) -> Iterator[Simulation]:
    """A world in which nothing breaks by itself, messages sent by SMTP with a copy in Sent."""
    one = Simulation(0, "qresync", folder, faulty=False)
    one.by_append = False
    with one.running():
        yield one


def arrived(world: Simulation) -> str:
    """A message that is in step, in INBOX under UID 1."""
    world.phone_takes_a_message()
    world.settle()
    (message_id,) = world.fates
    assert [(s.folder, s.uid) for s in world.sightings()] == [("INBOX", 1), ("Sent", 1)]
    return message_id


def test_a_copy_in_sent_does_not_hide_that_a_message_was_filed_elsewhere(calm: Simulation) -> None:
    """Gone from INBOX means a look everywhere, whatever lies in Sent."""
    message_id = arrived(calm)
    calm.account.create("Out", subscribe=False)
    calm.account.flag("INBOX", 1, "\\Seen")
    calm.account.move("INBOX", 1, "Out")
    calm.quiet()

    message = calm.engine.mailbox("101").message(message_id)
    assert (message.heard, message.deleted, message.folder) == (True, False, "Out")


def test_a_change_on_a_copy_counts_although_the_copy_agreed_at_first(calm: Simulation) -> None:
    """The mail program copies a message, later reads the copy: the phone hears of it."""
    message_id = arrived(calm)
    calm.account.create("Work")
    calm.account.copy("INBOX", 1, "Work")
    calm.quiet()
    calm.account.flag("Work", 1, "\\Seen")
    calm.quiet()

    assert calm.engine.mailbox("101").message(message_id).heard
    assert all("\\Seen" in one.flags for one in calm.sightings())


def test_a_duplicate_put_into_trash_by_the_engine_is_no_delete(calm: Simulation) -> None:
    """Two copies in one folder become one; the other in Trash says nothing when that one is filed away."""
    message_id = arrived(calm)
    calm.account.create("Out", subscribe=False)
    calm.account.copy("INBOX", 1, "INBOX")
    calm.quiet()
    assert [s.folder for s in calm.sightings()] == ["INBOX", "Sent", "Trash"]
    calm.account.move("INBOX", 1, "Out")
    calm.quiet()

    assert not calm.engine.mailbox("101").message(message_id).deleted


def test_a_clock_that_was_ahead_does_not_hold_back_what_is_to_be_sent(calm: Simulation) -> None:
    """What was queued by a wrong clock goes out when the clock is right again."""
    calm.skew = 400_000.0
    calm.phone_takes_a_message()
    calm.skew = 0.0
    calm.quiet()

    assert [s.folder for s in calm.sightings()] == ["INBOX", "Sent"]
