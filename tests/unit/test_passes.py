"""The marks that local changes leave for whoever passes next."""

from __future__ import annotations

import pytest

from syncengine.index import Index


@pytest.fixture
def index(tmp_path):
    opened = Index.open(tmp_path)
    yield opened
    opened.close()


def test_the_first_of_several_marks_says_since_when(index: Index):
    for now in (5.5, 6.0):
        index.passes.mark_dirty("101", now)
    index.passes.mark_dirty("102", 7.25)
    index.passes.record("103", 8.0, None)
    assert index.passes.dirty() == {"101": 5.5, "102": 7.25}


def test_a_mark_that_was_taken_and_left_again_is_another_one(index: Index):
    index.passes.mark_dirty("101", 5.5)
    assert index.passes.take_dirty("101")
    assert not index.passes.take_dirty("101")
    assert index.passes.dirty() == {}
    index.passes.mark_dirty("101", 6.5)
    assert index.passes.dirty() == {"101": 6.5}


def test_marks_are_found_without_reading_every_mailbox(index: Index):
    plan = index.database.execute(
        "EXPLAIN QUERY PLAN SELECT mailbox FROM passes WHERE dirty_since IS NOT NULL"
    )
    assert "passes_dirty" in plan.fetchone()["detail"]


def test_what_is_old_is_forgotten_without_reading_what_is_kept(index: Index):
    for what, by in (
        ("intents WHERE account = 1 AND closed_at < 5", "intents_closed"),
        ("messages WHERE content IS NULL AND deleted_at < 5", "messages_given_up"),
    ):
        plan = index.database.execute(f"EXPLAIN QUERY PLAN DELETE FROM {what}")
        assert by in plan.fetchone()["detail"]
