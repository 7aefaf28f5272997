"""The process is killed at every step; whoever comes after finds the world as it would have been.

Each run begins with the same world on a real Dovecot, dies at one step by SIGKILL (or inside a write of
the database's log), and is repeated to its end. Then both sides must show what they show where nobody
died, and another pass must find nothing to do. A usual run takes a spread of the kill points,
``TORTURE=full`` all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.crash.scenarios import SCENARIOS, Scenario
from tests.support.budget import CAMPAIGN, spread
from tests.support.killserver import Died, KillServer
from tests.support.picture import Picture
from tests.support.snapshot import Snapshot
from tests.support.world import World

pytestmark = pytest.mark.timeout(0 if CAMPAIGN else 120)

STEPS, SIZES = 9, 3
"""How many kill points of each scenario the short run takes: at steps, and inside writes of the log."""
TEAR = 1024
"""Octets between two places where a write of the log is torn: four in a page."""


@pytest.fixture(scope="module")
def killer() -> Iterator[KillServer]:
    with KillServer() as server:
        yield server


@dataclass(frozen=True, slots=True)
class Story:
    """A scenario, its world to begin with, and who kills."""

    scenario: Scenario
    snapshot: Snapshot
    killer: KillServer
    folder: Path

    def begin(self) -> World:
        return self.snapshot.fresh(self.folder)

    def kill(self, there: World, **how: int) -> Died:
        run = self.scenario.run
        script = f"{run.__module__}:{run.__name__}"
        return self.killer.run(script, there.config, there.clock(), mask=self.scenario.mask, **how)

    def uninterrupted(self, **how: int) -> tuple[Picture, Died]:
        """What comes of it where nobody dies."""
        there = self.begin()
        ended = self.kill(there, **how)
        assert not ended.killed
        return self.scenario.finish(there), ended


@pytest.fixture
def story(request, dovecot, dovecot_smtp, tmp_path, killer) -> Iterator[Story]:
    scenario = SCENARIOS[request.param]
    with scenario.begun(tmp_path / "origin", dovecot, dovecot_smtp) as snapshot:
        yield Story(scenario, snapshot, killer, tmp_path / "run")


def campaign(story: Story, points: list[int], wanted: Picture, how: Callable[[int], dict[str, int]]) -> int:
    """Kill at each point; how many deaths."""
    for point in points:
        there = story.begin()
        died = story.kill(there, **how(point))
        assert died.killed, point
        assert str(story.scenario.finish(there)) == str(wanted), point
    return len(points)


@pytest.mark.parametrize("story", SCENARIOS, indirect=True)
def test_killed_anywhere_the_world_becomes_what_it_would_have_been(story: Story, record_property):
    wanted, ended = story.uninterrupted()
    died = campaign(story, spread(len(ended.steps), STEPS), wanted, lambda at: {"at": at})
    record_property("figure", ("kill points at steps", died, len(ended.steps)))

    again, ended = story.uninterrupted(beyond=0)
    assert str(again) == str(wanted)
    sizes = range(1, ended.log, TEAR)
    torn = [sizes[i] for i in spread(len(sizes), SIZES)]
    died = campaign(story, torn, wanted, lambda beyond: {"beyond": beyond})
    record_property("figure", ("kill points inside writes of the log", died, len(sizes)))


def test_killed_anywhere_the_lamp_shows_in_the_end_what_is_new(
    dovecot, dovecot_smtp, tmp_path, killer, record_property
):
    shown = tmp_path / "lamp"
    command = ["/bin/sh", "-c", f'echo "$3 new, $4 heard" > {shown}', "lamp"]
    marks = replace(SCENARIOS["marks both ways"], options={"options": {"lamp_command": command}})
    with marks.begun(tmp_path / "origin", dovecot, dovecot_smtp) as snapshot:
        before = shown.read_text()
        story = Story(marks, snapshot, killer, tmp_path / "run")
        wanted, ended = story.uninterrupted()
        after = shown.read_text()
        assert before != after
        points = spread(len(ended.steps), STEPS)
        for point in points:
            shown.write_text(before)
            assert campaign(story, [point], wanted, lambda at: {"at": at})
            assert shown.read_text() == after, point
    record_property("figure", ("kill points at steps", len(points), len(ended.steps)))
