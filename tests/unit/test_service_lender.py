"""What the lender decides without a server: whom a stop cuts off, and how many connections may watch."""

from __future__ import annotations

import socket

import pytest

from syncengine.service.ears import Ears
from syncengine.service.lender import Lender, Limits, _Kept


def lender(**limits: int) -> Lender:
    return Lender(Ears(lambda _: None, lambda _: None), Limits(**limits), lambda: 0.0)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_socket_that_was_opened_while_the_service_stopped_is_shut(stopped: bool):
    lent, (ours, theirs) = lender(), socket.socketpair()
    with ours, theirs:
        if stopped:
            lent.interrupt(ungreeted=True)
        lent._hold(_Kept("101", None, "server", ("server", "login")), ours)
        theirs.setblocking(False)
        if stopped:
            assert theirs.recv(1) == b""
        else:
            with pytest.raises(BlockingIOError):
                theirs.recv(1)


def test_a_place_among_those_that_watch_is_taken_before_watching_begins():
    lent = lender(total=4)
    kept = [_Kept(str(number), None, "server", ("server", str(number))) for number in range(4)]
    assert [lent._reserve(one, "INBOX") for one in kept] == [True, True, True, False]
    assert lent.watching == 3
    lent._release(kept[0])
    assert lent._reserve(kept[3], "INBOX")
