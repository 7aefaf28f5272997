"""The queue's rows: order, claims, leases, and what they wait for."""

from __future__ import annotations

import pytest

from syncengine.index import Index, QueueState
from syncengine.model import token_of

BOX = "101"
TOKENS = [token_of(f"{number:032x}") for number in range(4)]


@pytest.fixture
def index(tmp_path):
    opened = Index.open(tmp_path)
    for token in TOKENS:
        opened.queue.put(BOX, token, QueueState.DUE, 0.0)
    yield opened
    opened.close()


def claim(index: Index, now: float = 10.0, owner: str = "me") -> str | None:
    row = index.queue.claim(BOX, owner, now, 100.0)
    return row.token if row else None


def sent(index: Index, token: str) -> None:
    index.queue.settle(BOX, token, QueueState.SENT)


def test_first_in_is_first_out_and_one_attempt_at_a_time(index):
    assert claim(index) == TOKENS[0]
    assert claim(index, owner="another") is None
    sent(index, TOKENS[0])
    assert claim(index) == TOKENS[1]


def test_a_dead_process_loses_its_claim_when_the_lease_is_over(index):
    claim(index, now=10.0, owner="dead")
    assert claim(index, now=110.0) is None
    assert claim(index, now=111.0) == TOKENS[0]
    assert not index.queue.renew(BOX, TOKENS[0], "dead", 112.0, 100.0)
    assert index.queue.renew(BOX, TOKENS[0], "me", 112.0, 100.0)


def test_bytes_under_way_keep_the_queue_busy_until_the_lease_is_over_and_stay_in_doubt(index):
    claim(index, now=10.0, owner="dead")
    index.queue.doubt(BOX, TOKENS[0], {}, 3600.0)
    assert claim(index, now=20.0) is None
    assert claim(index, now=111.0) == TOKENS[1]
    assert index.queue.get(BOX, TOKENS[0]).state == "in-doubt"


def test_other_mailboxes_do_not_wait(index):
    index.queue.put("102", TOKENS[0], QueueState.DUE, 0.0)
    claim(index)
    assert index.queue.claim("102", "me", 10.0, 100.0) is not None


def test_what_waits_for_the_server_goes_first_in_its_order_once_anything_is_due(index):
    claim(index)
    index.queue.settle(BOX, TOKENS[0], QueueState.DUE, next_try=500.0)
    index.waits.hold(BOX, TOKENS[0], 10.0, 500.0)
    assert claim(index, now=400.0) is None
    assert index.waits.wake(BOX) == 500.0
    late = token_of("9" * 32)
    index.queue.put(BOX, late, QueueState.DUE, 400.0)
    order = []
    while (token := claim(index, now=401.0)) is not None:
        order.append(token)
        sent(index, token)
    assert order == [*TOKENS, late]


def test_what_waits_for_itself_holds_up_nobody_and_is_not_hurried(index):
    claim(index)
    index.queue.settle(BOX, TOKENS[0], QueueState.DUE, next_try=500.0)
    claim(index)
    index.queue.settle(BOX, TOKENS[1], QueueState.DUE, next_try=300.0)
    index.waits.hold(BOX, TOKENS[1], 10.0, 300.0)
    order = []
    while (token := claim(index, now=300.0)) is not None:
        order.append(token)
        sent(index, token)
    assert order == TOKENS[1:]


def test_new_messages_wait_with_the_blocked_and_go_on_with_them(index):
    index.waits.block(BOX, "old options", "535 no")
    fresh = token_of("8" * 32)
    index.queue.put(BOX, fresh, QueueState.DUE, 5.0)
    assert {row.state for row in index.queue.rows(BOX)} == {QueueState.BLOCKED}
    assert {row.last_reply for row in index.queue.rows(BOX)} == {"535 no"}

    assert index.waits.unblock(BOX, 20.0, unless="old options") == 0
    assert claim(index) is None
    assert index.waits.unblock(BOX, 20.0, unless="new options") == 5
    assert claim(index, now=20.0) == TOKENS[0]


def test_one_that_was_retried_by_hand_is_tried_beside_the_blocked(index):
    index.waits.block(BOX, "options", "535 no")
    index.queue.move(BOX, [QueueState.BLOCKED], QueueState.DUE, 30.0, TOKENS[2])
    assert claim(index, now=30.0) == TOKENS[2]
    assert index.waits.blocked(BOX)


def test_whoever_was_under_way_in_the_same_attempt_has_what_has_arrived(index):
    claim(index)
    known = {"a": "failure: 550", "b": "in-doubt: under way", "c": "success: 250"}
    index.queue.doubt(BOX, TOKENS[0], known, 3600.0)
    index.queue.arrived(BOX, TOKENS[0], 20.0)
    row = index.queue.get(BOX, TOKENS[0])
    assert row.state == "sent"
    assert set(row.taken) == {"b", "c"}
    assert set(row.decided) == {"a", "b", "c"}


def test_copies_are_claimed_by_themselves_and_change_no_state(index):
    claim(index)
    index.queue.settle(BOX, TOKENS[0], QueueState.SENT, copies_due=50.0)
    assert index.queue.claim_copies(BOX, "me", 49.0, 100.0) is None
    row = index.queue.claim_copies(BOX, "me", 50.0, 100.0)
    assert (row.token, row.state, row.copies_tried) == (TOKENS[0], "sent", 1)
    assert claim(index, now=51.0) is None, "one attempt at a time"


def test_a_clock_that_jumps_takes_every_time_with_it(index):
    claim(index)
    index.queue.settle(BOX, TOKENS[0], QueueState.DUE, next_try=500.0)
    index.queue.settle(BOX, TOKENS[1], QueueState.SENT, copies_due=600.0)
    index.queue.shift(-400.0)
    assert index.queue.get(BOX, TOKENS[0]).next_try == 100.0
    assert index.queue.claim_copies(BOX, "me", 200.0, 100.0) is not None


def test_a_crash_leaves_what_had_begun_in_doubt_and_the_rest_due(index):
    claim(index)
    index.queue.doubt(BOX, TOKENS[0], {}, 3600.0)
    index.queue.release(BOX, 20.0)
    assert claim(index, now=20.0) == TOKENS[1]
    index.queue.release(BOX, 30.0)
    states = [row.state for row in index.queue.rows(BOX)]
    assert states == ["in-doubt", "due", "due", "due"]
