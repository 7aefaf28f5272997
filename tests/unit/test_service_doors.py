"""Turns at SMTP servers: few at one that does not answer, many at one that does, nobody for ever."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from syncengine.engine.turns import Turn
from syncengine.service.doors import COME_BACK, Doors, Room
from tests.support.waiting import eventually

ONE, OTHER = "silent.example:25", "sound.example:25"


@pytest.fixture
def doors() -> Doors:
    return Doors(lambda: 0.5, Room(sound=3, unproven=1, patience=0.01))


def come(doors: Doors, stack: ExitStack, server: str, *, many: int = 1) -> list[Turn]:
    return [stack.enter_context(doors.turn(server)) for _ in range(many)]


def test_a_server_that_never_answered_gets_few_and_the_others_are_told_when_to_ask_again(doors: Doors):
    with ExitStack() as stack:
        turns = come(doors, stack, ONE, many=3)
        assert [turn.room for turn in turns] == [True, False, False]
        assert [turn.wait for turn in turns] == [0.0, COME_BACK, COME_BACK]
        assert come(doors, stack, OTHER)[0].room, "another server is another door"
    with doors.turn(ONE) as turn:
        assert turn.room, "whoever leaves makes room"


def test_a_server_that_answers_gets_many_until_it_does_not(doors: Doors):
    with ExitStack() as stack:
        (first,) = come(doors, stack, ONE)
        first.answered()
        assert [turn.room for turn in come(doors, stack, ONE, many=3)] == [True, True, False]
    with doors.turn(ONE):
        pass  # no answer
    with ExitStack() as stack:
        assert [turn.room for turn in come(doors, stack, ONE, many=2)] == [True, False]


def test_whoever_waits_at_the_door_gets_in_as_soon_as_the_server_answers():
    doors = Doors(lambda: 0.5, Room(sound=2, unproven=1, patience=30.0))
    got: list[bool] = []

    def wait() -> None:
        with doors.turn(ONE) as turn:
            got.append(turn.room)

    with doors.turn(ONE) as first:
        waiting = threading.Thread(target=wait)
        waiting.start()
        first.answered()
        assert eventually(lambda: got) == [True]
    waiting.join()


def test_a_fault_inside_leaves_room(doors: Doors):
    with pytest.raises(OSError, match="broken"), doors.turn(ONE):
        raise OSError("broken")
    with doors.turn(ONE) as turn:
        assert turn.room
