"""The sums of passes by the hour: added up, for each mailbox and for all, never more than a day of them."""

from __future__ import annotations

import pytest

from syncengine.engine.engine import Engine
from syncengine.index import Hour, Index
from tests.support.commands import installed
from tests.support.world import wav

NOON = 1_700_000_000 // 3600 * 3600


@pytest.fixture
def index(tmp_path):
    opened = Index.open(tmp_path)
    yield opened
    opened.close()


def rows(index: Index) -> int:
    return int(index.database.execute("SELECT count(*) AS n FROM hours").fetchone()["n"])


def test_passes_of_one_hour_are_one_row_for_the_mailbox_and_one_for_all(index):
    index.hours.add("101", NOON, 2, failed=False)
    index.hours.add("101", NOON + 3599, 0, failed=True)
    index.hours.add("102", NOON + 1, 5, failed=False)
    assert index.hours.day(NOON, "101")[-1] == Hour(NOON, 2, 1, 2)
    assert index.hours.day(NOON)[-1] == Hour(NOON, 3, 1, 7)
    assert rows(index) == 3


def test_a_day_is_24_hours_with_nothing_where_nothing_was(index):
    index.hours.add("101", NOON - 23 * 3600, 1, failed=False)
    index.hours.add("101", NOON, 0, failed=False)
    day = index.hours.day(NOON + 60, "101")
    assert [hour.start for hour in day] == [NOON - n * 3600 for n in range(23, -1, -1)]
    assert [hour.passes for hour in day] == [1, *[0] * 22, 1]
    assert index.hours.day(NOON, "102") == tuple(Hour(hour.start) for hour in day)


def test_older_hours_are_forgotten_and_so_are_those_of_a_clock_that_was_ahead(index):
    for hour in range(100):
        for mailbox in ("101", "102"):
            index.hours.add(mailbox, NOON + hour * 3600, 1, failed=False)
    assert rows(index) == 25 * 3
    index.hours.add("101", NOON, 1, failed=False)
    assert rows(index) == 2


def test_every_pass_is_in_its_hour_and_a_dry_run_in_none(tmp_path):
    installed(tmp_path)
    with Engine.open(tmp_path / "syncengine.toml") as engine:
        engine.mailbox("101").deliver(wav())
        now = engine.binding("101").clock
        engine.resync("101", dry_run=True)
        assert sum(hour.passes for hour in engine.index.hours.day(now(), "101")) == 0
        report = engine.resync("101")
        (found,) = (hour for hour in engine.index.hours.day(now(), "101") if hour.passes)
        assert (found.passes, found.failures) == (1, 0 if report.ok else 1)
        assert found.changes == sum(action.count for action in report.actions)
