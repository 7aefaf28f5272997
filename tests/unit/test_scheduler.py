"""What is due when, with a clock that the test moves."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.service.agenda import Agenda
from syncengine.service.scheduler import (
    COALESCE,
    Ended,
    Failure,
    Interest,
    Pace,
    Scheduler,
    Shares,
)

PACE = Pace(lively=30.0, quiet=300.0)
QUIET = Ended(interest=Interest.QUIET)
LIVELY = Ended(interest=Interest.LIVELY)
LOST = Ended(Failure.CONNECTION)
REFUSED = Ended(Failure.AUTHENTICATION)


class Desk:
    """A scheduler and its clock; jitter is always the longest."""

    def __init__(self, *mailboxes: str, server: str = "one", jitter: float = 1.0) -> None:
        self.now = 1000.0
        self.scheduler = Scheduler(lambda: jitter, Shares(sound=4, unproven=2, doubtful=1))
        for mailbox in mailboxes:
            self.add(mailbox, server)

    def add(self, mailbox: str, server: str = "one") -> None:
        self.scheduler.add(mailbox, server, PACE, self.now)

    def take(self) -> str | None:
        for doubtful in (False, True):
            if (mailbox := self.scheduler.take(self.now, doubtful=doubtful)) is not None:
                return mailbox
        return None

    def ran(self, ended: Ended = QUIET) -> str:
        """The next mailbox's pass, from its start to its end in no time."""
        mailbox = self.take()
        assert mailbox is not None
        self.scheduler.finished(mailbox, ended, self.now)
        return mailbox

    def until_next(self) -> float | None:
        times = [self.scheduler.next_time(doubtful=doubtful) for doubtful in (False, True)]
        known = [time for time in times if time is not None]
        return min(known) - self.now if known else None

    def forward(self, seconds: float | None) -> None:
        assert seconds is not None
        self.now += seconds


@pytest.fixture
def desk():
    return Desk("101")


def test_a_new_mailbox_is_due_at_once(desk: Desk):
    assert desk.until_next() == 0
    assert desk.take() == "101"
    assert desk.take() is None


@pytest.mark.parametrize(("ended", "wait"), [(LIVELY, 30.0), (QUIET, 300.0)])
def test_it_is_polled_by_how_much_there_is_to_watch(desk: Desk, ended: Ended, wait: float):
    desk.ran(ended)
    assert desk.until_next() == wait


def test_a_mailbox_with_nothing_to_watch_costs_nothing_until_something_happens(desk: Desk):
    desk.ran(Ended(interest=Interest.NONE))
    assert desk.until_next() is None

    desk.scheduler.changed("101", desk.now)
    assert desk.until_next() == COALESCE


def test_a_deferred_message_wakes_a_mailbox_with_nothing_else_to_watch(desk: Desk):
    desk.ran(Ended(interest=Interest.NONE, wake=desk.now + 77))
    assert desk.until_next() == 77


def test_polls_never_march_in_step():
    desk = Desk("101", jitter=0.0)
    desk.ran(LIVELY)
    assert desk.until_next() == pytest.approx(27.0)


def test_changes_are_coalesced_from_the_first_of_them(desk: Desk):
    desk.ran()
    desk.scheduler.changed("101", desk.now)
    desk.forward(0.2)
    desk.scheduler.changed("101", desk.now)

    assert desk.until_next() == pytest.approx(COALESCE - 0.2)
    desk.forward(COALESCE)
    assert desk.ran() == "101"
    assert desk.until_next() == 300.0


def test_a_change_during_a_pass_starts_another_after_it(desk: Desk):
    assert desk.take() == "101"
    desk.scheduler.changed("101", desk.now)
    assert desk.take() is None

    desk.scheduler.finished("101", QUIET, desk.now)
    assert desk.until_next() == COALESCE


def test_failures_wait_longer_each_time_up_to_a_quarter_of_an_hour(desk: Desk):
    waits = []
    for _ in range(10):
        desk.ran(LOST)
        waits.append(desk.until_next())
        desk.forward(desk.until_next())

    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_the_wait_has_jitter():
    desk = Desk("101", jitter=0.0)
    desk.ran(LOST)
    assert desk.until_next() == 2.5


def test_nothing_shortens_the_wait_after_a_failure(desk: Desk):
    desk.ran(LOST)
    desk.scheduler.changed("101", desk.now)
    assert desk.until_next() == 5.0


def test_earlier_failures_are_forgotten_only_after_a_minute_of_success(desk: Desk):
    for _ in range(3):
        desk.ran(LOST)
        desk.forward(desk.until_next())
    desk.ran(LIVELY)
    desk.forward(5)
    desk.scheduler.dropped("101", desk.now)
    assert desk.until_next() == 40.0

    desk.forward(40)
    desk.ran(LIVELY)
    desk.forward(60)
    desk.scheduler.dropped("101", desk.now)
    assert desk.until_next() == 5.0


def test_a_dropped_connection_is_made_anew_after_a_wait(desk: Desk):
    desk.ran(QUIET)
    desk.scheduler.dropped("101", desk.now)
    assert desk.until_next() == 5.0


def test_after_three_refused_logins_nothing_is_tried_until_the_options_change(desk: Desk):
    for _ in range(3):
        assert not desk.scheduler.stopped("101")
        desk.ran(REFUSED)
        desk.forward(desk.until_next() or 0)
    assert desk.scheduler.stopped("101")
    desk.scheduler.changed("101", desk.now)
    desk.forward(86400)
    assert desk.take() is None

    desk.add("101")
    assert desk.take() == "101"


def test_two_refused_logins_and_a_good_one_start_the_count_anew(desk: Desk):
    for ended in (REFUSED, REFUSED, QUIET, REFUSED, REFUSED):
        desk.ran(ended)
        desk.forward(desk.until_next())
    assert not desk.scheduler.stopped("101")


def test_refused_logins_are_a_minute_apart_at_least(desk: Desk):
    desk.ran(REFUSED)
    assert desk.until_next() == 60.0


def test_the_time_a_server_asks_for_is_given_to_it(desk: Desk):
    desk.ran(Ended(Failure.THROTTLED, retry_after=299.961))
    desk.scheduler.changed("101", desk.now)
    assert desk.until_next() == pytest.approx(299.961)


def test_another_process_at_the_mailbox_is_no_failure(desk: Desk):
    desk.ran(Ended(Failure.BUSY))
    assert desk.until_next() == 30.0
    desk.forward(30)
    desk.ran(LOST)
    assert desk.until_next() == 5.0


def test_a_mailbox_that_another_process_holds_is_not_asked_for_again_and_again(desk: Desk):
    assert desk.take() == "101"
    desk.scheduler.changed("101", desk.now)
    desk.scheduler.finished("101", Ended(Failure.BUSY), desk.now)
    assert desk.until_next() == 2.0


def test_one_mailbox_in_trouble_keeps_nobody_else_of_its_server_waiting():
    desk = Desk("bad", "good")
    ended = {"bad": LOST, "good": QUIET}
    for _ in range(2):
        mailbox = desk.take()
        assert mailbox is not None
        desk.scheduler.finished(mailbox, ended[mailbox], desk.now)
    for _ in range(4):
        desk.forward(desk.until_next())
        assert desk.ran(LOST) == "bad"
    desk.scheduler.changed("good", desk.now)

    assert desk.until_next() == COALESCE


def test_a_server_down_is_probed_by_one_and_released_by_its_first_answer():
    desk = Desk("a", "b", "c", "d", "e")
    for _ in range(3):
        desk.ran(LOST)
    assert desk.take() is None
    assert desk.until_next() == 5.0
    desk.forward(5)
    probes = [desk.take(), desk.take()]
    assert desk.take() is None, "each lane probes with one"

    for probe in probes:
        assert probe is not None
        desk.scheduler.finished(probe, QUIET, desk.now)
    assert {desk.ran(), desk.ran(), desk.ran()} == {"a", "b", "c", "d", "e"} - set(probes)


def test_mailboxes_of_one_server_share_its_turns():
    desk = Desk(*"abcdefgh")
    assert [desk.take() for _ in range(3)] == ["a", "b", None], "a server that never answered gets few"
    desk.scheduler.finished("a", QUIET, desk.now)
    assert [desk.take() for _ in range(4)] == ["c", "d", "e", None]


def test_a_pass_that_waits_for_another_server_takes_no_share_of_its_own():
    desk = Desk(*"abcdefgh")
    assert [desk.take() for _ in range(3)] == ["a", "b", None]
    desk.scheduler.aside("a")
    desk.scheduler.aside("a")
    desk.scheduler.aside("unknown")
    assert [desk.take() for _ in range(2)] == ["c", None], "one for one"
    desk.scheduler.finished("a", QUIET, desk.now)
    assert [desk.take() for _ in range(3)] == ["d", "e", None], (
        "proven: four, and what was given back is not again"
    )


@pytest.mark.parametrize("server", ["one", "two"])
def test_a_change_goes_before_polls_that_are_due(server: str):
    desk = Desk("101", "102")
    desk.add("201", server)
    assert [desk.ran(LIVELY), desk.ran(LIVELY), desk.ran(QUIET)] == ["101", "102", "201"]
    desk.forward(31.0)
    desk.scheduler.changed("201", desk.now)
    desk.forward(0.5)
    assert desk.take() == "201"
    assert {desk.take(), desk.take()} == {"101", "102"}


def test_a_change_to_a_mailbox_whose_poll_is_due_puts_it_in_front():
    desk = Desk("101", "102", "103")
    for _ in range(3):
        desk.ran(LIVELY)
    desk.forward(31.0)
    desk.scheduler.changed("103", desk.now)
    assert desk.take() == "103"


def test_polls_that_are_late_are_not_overtaken_any_more():
    desk = Desk("101", "102")
    desk.ran(LIVELY)
    desk.ran(LIVELY)
    desk.forward(36.0)
    desk.add("103")
    desk.scheduler.changed("103", desk.now)
    desk.forward(1.0)
    assert [desk.take(), desk.take(), desk.take()] == ["101", "102", "103"]


def test_the_dead_are_asked_for_apart_from_the_living():
    desk = Desk("living", server="up")
    desk.ran()
    for number in range(100):
        desk.add(f"dead{number}", server=f"down{number}")
    desk.scheduler.changed("living", desk.now)
    desk.forward(COALESCE)

    assert desk.scheduler.take(desk.now, doubtful=False) == "living"


def test_a_removed_mailbox_is_never_due_again_even_if_it_was_running(desk: Desk):
    desk.take()
    desk.scheduler.remove("101")
    desk.scheduler.finished("101", QUIET, desk.now)
    assert desk.until_next() is None
    assert desk.scheduler.mailboxes == ()


def test_a_mailbox_changed_while_it_runs_runs_again_afterwards_and_never_twice_at_once(desk: Desk):
    desk.take()
    desk.add("101", server="another")
    assert desk.take() is None
    desk.scheduler.finished("101", LOST, desk.now)
    desk.forward(desk.until_next())
    assert desk.take() == "101"


def test_an_event_among_ten_thousand_mailboxes_costs_next_to_nothing():
    desk = Desk(jitter=0.5)
    for number in range(10_000):
        desk.add(f"{number}", server=f"s{number % 500}")
    started = time.process_time()
    for _ in range(10_000):
        desk.ran()
    for number in range(0, 10_000, 7):
        desk.scheduler.changed(f"{number}", desk.now)

    assert (time.process_time() - started) / 11_000 < 0.0005, "seconds of processor per event"


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 50))), max_size=300))
def test_an_agenda_gives_the_earliest_whatever_moved(moves):
    agenda: Agenda[int] = Agenda()
    known: dict[int, int] = {}
    for key, when in moves:
        if when is None:
            agenda.drop(key)
            known.pop(key, None)
        else:
            agenda.put(key, when)
            known[key] = when
        first = agenda.first()
        assert (first[0] if first else None) == min(known.values(), default=None)
        assert first is None or known[first[1]] == first[0]
        assert len(agenda) == len(known)


@given(st.integers(0, 2**32))
def test_whatever_happens_no_mailbox_runs_twice_at_once_and_none_is_forgotten(seed):
    chance = random.Random(seed)
    desk = Desk()
    for number in range(6):
        desk.add(f"{number}", server=f"s{number % 2}")
    running: set[str] = set()
    for _ in range(200):
        desk.now += chance.choice([0.0, 0.1, 1.0, 20.0])
        mailbox = desk.take()
        if mailbox is not None:
            assert mailbox not in running
            running.add(mailbox)
        if running and chance.random() < 0.3:
            desk.scheduler.aside(chance.choice(sorted(running)))
        if running and chance.random() < 0.6:
            done = chance.choice(sorted(running))
            running.discard(done)
            desk.scheduler.finished(done, chance.choice([QUIET, LIVELY, LOST]), desk.now)
        which = f"{chance.randrange(6)}"
        chance.choice([desk.scheduler.changed, desk.scheduler.dropped])(which, desk.now)
    for done in running:
        desk.scheduler.finished(done, QUIET, desk.now)

    assert all(desk.scheduler.due(f"{number}") is not None for number in range(6))
    desk.forward(10_000)
    assert [desk.take() for _ in range(7)].count(None) < 7, "every share was given back"
