"""The brake holds inferred deletes that are too many, and nothing else."""

from __future__ import annotations

import pytest

from syncengine.model import Evidence, Side, State, Token, Verb
from syncengine.rules.guard import Limits, guard
from syncengine.rules.plan import Action, Plan


def delete(number: int, evidence: Evidence = Evidence.INFERRED) -> Action:
    return Action(Side.LOCAL, Verb.DELETE, Token(f"vm-{number:032x}-z"), State.DELETED, evidence=evidence)


def deletes(count: int, evidence: Evidence = Evidence.INFERRED) -> Plan:
    return Plan(tuple(delete(n, evidence) for n in range(count)))


@pytest.mark.parametrize(
    ("inferred", "live", "recent", "held"),
    [
        (5, 20, 0, 0),
        (6, 20, 0, 6),
        (20, 100, 0, 0),
        (21, 100, 0, 21),
        (3, 20, 3, 3),
        (2, 20, 3, 0),
        (2, 2, 0, 0),
        (3, 3, 0, 3),
        (1, 1, 0, 0),
        (4, 4, 0, 4),
    ],
)
def test_more_than_the_limit_or_all_of_three_or_more_are_held(inferred, live, recent, held):
    guarded = guard(deletes(inferred), live=live, recent=recent, limits=Limits())

    assert len(guarded.held) == held
    assert len(guarded.plan.actions) == inferred - held


def test_acts_are_never_braked():
    plan = deletes(50, Evidence.ACT)

    assert guard(plan, live=50, recent=0, limits=Limits()).plan == plan


def test_what_is_held_takes_nothing_else_out_of_the_plan():
    others = (delete(100, Evidence.ACT), Action(Side.REMOTE, Verb.MARK_HEARD, Token("vm-" + "f" * 32 + "-z")))
    guarded = guard(Plan(deletes(10).actions + others), live=20, recent=0, limits=Limits())

    assert guarded.plan.actions == others


def test_exactly_what_was_let_through_passes():
    plan = deletes(10)
    allowed = frozenset(a.token for a in plan.actions[:8])
    guarded = guard(plan, live=20, recent=0, limits=Limits(), allowed=allowed)

    assert {a.token for a in guarded.plan.actions} == allowed
    assert len(guarded.held) == 2
    assert guard(deletes(8), live=20, recent=0, limits=Limits(), allowed=allowed).held == ()


def test_what_was_let_through_does_not_open_the_brake_for_more():
    plan = deletes(16)
    allowed = frozenset(a.token for a in plan.actions[:8])
    guarded = guard(plan, live=20, recent=0, limits=Limits(), allowed=allowed)

    assert {a.token for a in guarded.plan.actions} == allowed
    assert len(guarded.held) == 8
