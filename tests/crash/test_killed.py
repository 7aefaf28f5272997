"""The process is killed at every step; whoever comes after finds the world as it would have been.

Each run begins with the same world on a real Dovecot, dies at one step by SIGKILL (or inside a write of
the database's log), and is repeated to its end. Then both sides must show what they show where nobody
died, and another pass must find nothing to do. ``TORTURE=full`` takes every step, else a spread of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.scenarios import SCENARIOS, Scenario
from tests.support.budget import FULL, spread
from tests.support.killserver import Died, KillServer
from tests.support.picture import Picture, picture
from tests.support.smtp import Front
from tests.support.snapshot import Snapshot
from tests.support.world import World, world

pytestmark = pytest.mark.timeout(0 if FULL else 120)

STEPS, SIZES = 9, 3
"""How many kill points of each scenario the short run takes: at steps, and inside writes of the log."""
LATER = 100.0
"""Seconds from a death to what comes after it."""
TEAR = 1024
"""Octets between two places where a write of the log is torn: four in a page."""


@pytest.fixture(scope="module")
def killer() -> Iterator[KillServer]:
    with KillServer() as server:
        yield server


class Story:
    """A scenario, its world to begin with, and what comes of it where nobody dies."""

    def __init__(self, name: str, origin: World, killer: KillServer, folder: Path) -> None:
        self.scenario: Scenario = SCENARIOS[name]
        self.script = f"{self.scenario.run.__module__}:{self.scenario.run.__name__}"
        self.snapshot = Snapshot(origin)
        self.killer = killer
        self.folder = folder

    def begin(self) -> World:
        return self.snapshot.fresh(self.folder)

    def kill(self, there: World, **how: int | None) -> Died:
        return self.killer.run(self.script, there.config, there.clock(), mask=self.scenario.mask, **how)

    def finish(self, there: World) -> Picture:
        """Do again what may not have been done, then see that there is nothing left to do."""
        there.clock.forward(LATER)
        there.open()
        try:
            self.scenario.run(there.engine, there.clock)
            if self.scenario.by_smtp:
                self._wait_out_doubt(there)
            there.quiet()
            return picture(there)
        finally:
            there.engine.close()

    def _wait_out_doubt(self, there: World) -> None:
        """What may have been sent is looked for until the pending timer is over, then sent again."""
        for _ in range(2):
            there.clock.forward(1300)
            there.sync_ok()

    def uninterrupted(self, **how: int) -> tuple[Picture, Died]:
        there = self.begin()
        ended = self.kill(there, **how)
        assert not ended.killed
        return self.finish(there), ended


@pytest.fixture
def story(request, dovecot, tmp_path, killer) -> Iterator[Story]:
    name = request.param
    scenario = SCENARIOS[name]
    smtp = {}
    options = dict(scenario.options.get("options", {}))
    if scenario.by_smtp:
        front: Front = request.getfixturevalue("dovecot_smtp")
        smtp = {"server": front.host, "port": front.port, "security": "none", "authentication": "none"}
        options |= {"delivery": "smtp"}
    with world(
        tmp_path / "origin",
        dovecot,
        mask=scenario.mask,
        options=options,
        sync=dict(scenario.options.get("sync", {})),
        smtp=smtp,
    ) as origin:
        scenario.prepare(origin)
        yield Story(name, origin, killer, tmp_path / "run")


def campaign(story: Story, points: list[int], wanted: Picture, how: Callable[[int], dict[str, int]]) -> int:
    """Kill at each point; how many deaths."""
    for point in points:
        there = story.begin()
        died = story.kill(there, **how(point))
        assert died.killed, point
        assert str(story.finish(there)) == str(wanted), point
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
