"""The threads under the service: as few as it takes, more while some wait, none left over."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from syncengine.service.ears import Ears
from syncengine.service.pool import Pool
from tests.support.waiting import eventually


@pytest.fixture
def gate():
    held = threading.Event()
    yield held
    held.set()


def test_jobs_run_and_a_fault_in_one_ends_no_thread(caplog):
    done: list[int] = []
    pool = Pool("test", size=2, most=2)
    pool.submit(lambda: 1 // 0)
    for number in range(50):
        pool.submit(lambda number=number: done.append(number))
    eventually(lambda: len(done) == 50)

    assert "a fault of syncengine" in caplog.text
    assert pool.close(time.monotonic() + 5)
    assert not [t for t in threading.enumerate() if t.name == "syncengine-test"]


def test_of_several_idle_threads_the_last_one_works(gate):
    """So that those too many have nothing to do for long enough to end."""
    pool = Pool("test", size=8, most=8)
    for _ in range(4):
        pool.submit(gate.wait)
    eventually(lambda: pool.busy == 4)
    gate.set()
    eventually(lambda: pool.busy == 0 and len(pool._idle) == 4)
    workers = set()
    for _ in range(20):
        pool.submit(lambda: workers.add(threading.get_ident()))
        eventually(lambda: pool.busy == 0 and len(pool._idle) == 4)
    assert len(workers) == 1
    assert pool.close(time.monotonic() + 5)


def test_a_job_that_waits_for_long_makes_room_for_another(gate):
    pool = Pool("test", size=1, most=3, patience=0.05)
    pool.submit(gate.wait)
    assert not pool.room
    eventually(lambda: pool.room)
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(5)
    pool.submit(gate.wait)
    eventually(lambda: pool.room)
    pool.submit(gate.wait)
    time.sleep(0.1)
    assert not pool.room, "never more threads than allowed"
    gate.set()
    assert pool.close(time.monotonic() + 5)


def test_close_says_whether_everything_has_ended(gate):
    begun, ended = threading.Event(), threading.Event()
    pool = Pool("test", size=1, most=1, on_exit=ended.set)
    pool.submit(lambda: (begun.set(), gate.wait()))
    assert begun.wait(5)
    assert not pool.close(time.monotonic() + 0.05)
    gate.set()
    assert pool.close(time.monotonic() + 5)
    assert ended.is_set()


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def heard():
    return []


@pytest.fixture
def ears(heard):
    one = Ears(lambda n: heard.append(("heard", n)), lambda n: heard.append(("renew", n)))
    one.start()
    yield one
    one.stop()


def test_a_socket_is_heard_once_until_it_is_added_again(ears: Ears, pair, heard):
    ours, theirs = pair
    ears.add("101", ours.fileno(), renew_after=60)
    theirs.send(b"* 1 EXISTS\r\n")
    eventually(lambda: heard == [("heard", "101")])
    theirs.send(b"* 2 EXISTS\r\n")
    ears.add("101", ours.fileno(), renew_after=60)
    eventually(lambda: len(heard) == 2)
    assert len(ears) == 0


def test_the_end_of_a_connection_is_heard(ears: Ears, pair, heard):
    ours, theirs = pair
    ears.add("101", ours.fileno(), renew_after=None)
    theirs.close()
    eventually(lambda: heard == [("heard", "101")])


def test_a_forgotten_socket_is_never_heard(ears: Ears, pair, heard):
    ours, theirs = pair
    ears.add("101", ours.fileno(), renew_after=0.1)
    ears.forget("101")
    theirs.send(b"* 1 EXISTS\r\n")
    other, sender = socket.socketpair()
    with other, sender:
        ears.add("102", other.fileno(), renew_after=0.2)
        eventually(lambda: heard)
    assert heard == [("renew", "102")]


def test_what_has_to_be_renewed_earlier_is_renewed_earlier(ears: Ears, pair, heard):
    ours, _ = pair
    other, sender = socket.socketpair()
    with other, sender:
        ears.add("101", ours.fileno(), renew_after=0.3)
        ears.add("102", other.fileno(), renew_after=0.05)
        eventually(lambda: len(heard) == 2)
    assert heard == [("renew", "102"), ("renew", "101")]
