"""No octets from outside crash a reader of them, or make it give more than it may.

A usual run harms each target's good examples a little; `make fuzz` lets atheris look for hours, led by
what the code does.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncengine.rules.replies import Result
from tests.fuzz.targets import TARGETS
from tests.support.budget import CAMPAIGN

EXAMPLES = 2000 if CAMPAIGN else 25


def harmed(good: bytes) -> st.SearchStrategy[bytes]:
    """Good octets with some cut out, some put in, some repeated."""
    place = st.integers(0, len(good))
    wound = st.tuples(place, st.integers(0, 8), st.binary(max_size=6), st.integers(1, 3))

    def apply(wounds: list[tuple[int, int, bytes, int]]) -> bytes:
        data = good
        for at, less, more, times in wounds:
            data = data[:at] + more + data[at : at + less] * (times - 1) + data[at + less :]
        return data

    return st.lists(wound, max_size=5).map(apply)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of what it reads half
@pytest.mark.parametrize("name", TARGETS)
def test_no_octets_break_a_reader(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        target.check(seed)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=100) | st.one_of(*map(harmed, target.seeds)))
    def check(octets: bytes) -> None:
        target.check(octets)

    check()


@pytest.mark.parametrize(
    ("name", "reached"), [("imap-session", 1), ("smtp-session", Result.SUCCESS), ("pop3-session", 2)]
)
def test_sessions_reach_their_end_and_end_well_when_cut_anywhere(name: str, reached: object) -> None:
    """The examples are worth harming."""
    (good,) = TARGETS[name].seeds
    assert TARGETS[name].check(good) == reached
    for end in range(0, len(good), 7):
        TARGETS[name].check(good[:end])
