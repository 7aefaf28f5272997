"""When a pass may be left out: only while everything stands that it depends on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncengine.engine.outlook import Outlook
from syncengine.engine.quiet import Quiet
from syncengine.engine.runner import Passed
from syncengine.options.files import load
from tests.support.world import NUMBER, World, world


@pytest.fixture
def there(dovecot, tmp_path):
    with world(tmp_path, dovecot) as one:
        yield one


def passed_over(there: World) -> Passed:
    passed = there.engine.attempt(NUMBER)
    assert passed.report.ok
    return passed


def after(there: World, passed: Passed, outlook: Outlook | None = None) -> Quiet | None:
    binding = there.engine.binding(NUMBER)
    return Quiet.after(passed, outlook or there.engine.outlook(NUMBER), binding, there.clock())


def quiet(there: World) -> Quiet:
    """What is left when everything has been carried over, and seen to be."""
    for _ in range(4):
        if (left := after(there, passed_over(there))) is not None:
            return left
    raise AssertionError("it does not come to rest")


def stands(there: World, left: Quiet) -> bool:
    return left.stands(there.engine.binding(NUMBER), there.engine.index, there.clock())


def test_a_pass_that_asked_for_the_folders_alone_leaves_quiet(there: World):
    there.arrived()
    assert stands(there, quiet(there))


def test_a_pass_that_did_something_does_not(there: World):
    message = there.arrived()
    quiet(there)
    there.flag(message, "\\Seen")
    assert after(there, passed_over(there)) is None


def test_nor_one_that_failed_or_left_something_held_or_pending(there: World):
    there.arrived()
    passed_over(there)
    passed = passed_over(there)
    outlook = there.engine.outlook(NUMBER)
    assert outlook.settled
    assert after(there, passed) is not None
    assert after(there, replace(passed, report=replace(passed.report, ok=False))) is None
    assert after(there, replace(passed, report=replace(passed.report, held=True))) is None
    assert after(there, passed, replace(outlook, settled=False)) is None


def test_a_message_on_its_way_is_not_settled(there: World):
    there.arrived()
    there.options = {"delivery": "smtp"}
    there.smtp = {"server": "127.0.0.1", "port": 9, "security": "none"}
    there.reopen()
    there.deliver()
    assert there.engine.resync(NUMBER).actions == ()
    left = after(there, passed_over(there))
    assert left is None or left.until <= there.clock() + 600, "the next attempt wakes it"
    there.clock.forward(3600)
    assert left is None or not stands(there, left)


def test_a_change_at_the_phone_ends_it_whoever_makes_it(there: World):
    message = there.arrived()
    left = quiet(there)
    there.box.mark_heard(message)
    assert not stands(there, left)

    left = quiet(there)
    there.engine.index.database.execute("UPDATE messages SET state = 'new'")
    assert not stands(there, left), "also where no mark was left"


def test_other_options_end_it_and_the_same_ones_read_anew_do_not(there: World):
    there.arrived()
    left = quiet(there)
    there.engine.adopt_settings(load(there.config))
    assert stands(there, left)
    there.options = {"sync_mode": "inbox"}
    there.write()
    there.engine.adopt_settings(load(there.config))
    assert not stands(there, left)
    there.options = {}
    there.system["send_as_attachment"] = False
    there.write()
    there.engine.adopt_settings(load(there.config))
    assert not stands(there, left)


def test_it_ends_by_itself_before_long_and_whenever_the_clock_is_set_back(there: World):
    there.arrived()
    left = quiet(there)
    there.clock.forward(599)
    assert stands(there, left)
    there.clock.forward(1)
    assert not stands(there, left)
    there.clock.forward(-700)
    assert not stands(there, left)
