"""The page of rules and the function that decides are the same table; every cell is a test."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from syncengine.model import RemoteState, State
from syncengine.rules.decide import Circumstances, Step, decide
from tests.support.rules_page import BASES, CIRCUMSTANCES, LOCALS, REMOTES, page, words

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def rows(heading: str) -> list[list[str]]:
    text = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def state(name: str) -> State | None:
    return None if name == "none" else State(name)


PLAIN = [
    (state(row[0]), state(row[1]), remote, cell)
    for row in rows("Every combination")
    for remote, cell in zip(RemoteState, row[2:], strict=True)
]


@pytest.mark.parametrize(("base", "local", "remote", "expected"), PLAIN)
def test_every_combination_is_decided_as_the_page_says(base, local, remote, expected):
    assert words(decide(base, local, remote, Circumstances())) == expected


def test_the_page_has_every_combination():
    assert [(b, lo, r) for b, lo, r, _ in PLAIN] == list(product(BASES, LOCALS, REMOTES))


CHANGED = [
    (row[0], state(row[1]), state(row[2]), RemoteState(row[3]), row[4])
    for row in rows("Where circumstances change the row")
]


@pytest.mark.parametrize(("label", "base", "local", "remote", "expected"), CHANGED)
def test_circumstances_change_what_the_page_says_they_change(label, base, local, remote, expected):
    assert words(decide(base, local, remote, CIRCUMSTANCES[label])) == expected


def test_the_page_is_what_the_rules_print():
    assert PAGE.read_text(encoding="utf-8") == page()


ALL = list(product(BASES, LOCALS, REMOTES, CIRCUMSTANCES.values()))


@pytest.mark.parametrize(("base", "local", "remote", "about"), ALL)
def test_nothing_is_deleted_at_the_phone_without_evidence(base, local, remote, about):
    decision = decide(base, local, remote, about)

    if decision.step is Step.LOCAL_DELETE:
        assert remote is RemoteState.DELETED


@pytest.mark.parametrize(("base", "local", "remote", "about"), ALL)
def test_nothing_is_deleted_in_the_account_that_the_phone_still_has(base, local, remote, about):
    decision = decide(base, local, remote, about)

    if decision.step is Step.REMOTE_DELETE:
        assert local is State.DELETED


@pytest.mark.parametrize(("base", "local", "remote", "about"), ALL)
def test_a_confirmed_step_leaves_nothing_to_do(base, local, remote, about):
    """Whatever a step changes, once it is done and the base moved the same message asks for nothing."""
    step = decide(base, local, remote, about)
    if step.base is None or about.queued:
        return
    if step.step is Step.PUT_BACK or step.step is Step.REMOTE_RESTORE:
        remote = RemoteState.SEEN if step.base is State.HEARD else RemoteState.UNSEEN
    after = decide(
        step.base,
        after_local(step.step, local, step.base),
        after_remote(step.step, remote),
        Circumstances(linked=about.linked, trash=about.trash, deleted_by_phone=about.deleted_by_phone),
    )

    if step.base is State.DELETED and not about.linked:
        return  # the copy outside the scope is no live place once the base is deleted
    assert after.step in (Step.NOTHING, Step.SETTLE)


def after_local(step: Step, local: State | None, base: State) -> State | None:
    changed = (Step.LOCAL_HEARD, Step.LOCAL_NEW, Step.LOCAL_DELETE, Step.LOCAL_RESTORE, Step.ADOPT)
    return base if step in changed else local


def after_remote(step: Step, remote: RemoteState) -> RemoteState:
    match step:
        case Step.REMOTE_HEARD:
            return RemoteState.SEEN
        case Step.REMOTE_NEW:
            return RemoteState.UNSEEN
        case Step.REMOTE_DELETE:
            return RemoteState.DELETED
        case _:
            return remote
