"""The marks that local changes leave for whoever passes next, and what each pass reads of the whole index."""

from __future__ import annotations

from collections.abc import Callable

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


def plans(index: Index, act: Callable[[], object]) -> str:
    """How SQLite finds the rows of every statement that ``act`` runs."""
    said: list[str] = []
    connection = index.database._connection()
    connection.set_trace_callback(said.append)
    act()
    connection.set_trace_callback(None)
    ours = [text for text in said if text.startswith(("SELECT", "DELETE"))]
    return "\n".join(
        row["detail"] for text in ours for row in connection.execute(f"EXPLAIN QUERY PLAN {text}")
    )


def test_marks_are_found_without_reading_every_mailbox(index: Index):
    assert "passes_dirty" in plans(index, index.passes.dirty)


def test_what_is_old_is_forgotten_without_reading_what_is_kept(index: Index):
    found = plans(index, lambda: index.pairs.prune(1, 5.0))
    assert "intents_closed" in found
    assert "messages_given_up" in found
