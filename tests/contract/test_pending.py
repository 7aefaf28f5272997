"""What is not confirmed stands in status with its deadline, is said when it is over, and is never dropped."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncengine.engine.events import Unconfirmed
from tests.support.proxy import Proxy
from tests.support.world import World, world

pytestmark = pytest.mark.server("dovecot")

LIES = {"mark-heard": rb"UID STORE .*\\Seen", "delete": rb"UID MOVE"}


@pytest.fixture
def wire(imap_server, proxy_to) -> Proxy:
    return proxy_to(imap_server.host, imap_server.imap_port, keep=True)


def never_confirms(wire: Proxy, what: str) -> None:
    """The server says OK and does nothing."""
    wire.answer(LIES[what], b"{tag} OK done\r\n", times=1000)


@pytest.fixture
def there(imap_server, wire, tmp_path, request):
    timer = getattr(request, "param", "20m")
    imap4 = {"server": wire.host, "port": wire.port}
    system = {} if timer is None else {"sync_pending_timer": timer}
    with world(tmp_path, imap_server, imap4=imap4, system=system) as one:
        one.said = []
        one.engine.subscribe(lambda e: one.said.append(e) if isinstance(e, Unconfirmed) else None)
        yield one


def begin(there: World, wire: Proxy, what: str) -> str:
    message = there.arrived()
    there.quiet()
    never_confirms(wire, what)
    if what == "delete":
        there.box.delete(message)
    else:
        there.box.mark_heard(message)
    there.resync()
    return message


@pytest.mark.parametrize("there", [None, "20m", 20], indirect=True)
@pytest.mark.parametrize("what", LIES)
def test_a_change_that_is_never_confirmed_is_pending_then_unconfirmed_and_still_tried(there, wire, what):
    message = begin(there, wire, what)
    status = there.engine.status("101")
    (item,) = status.pending
    assert (item.message, item.what, status.state) == (message, what, "pending")
    assert item.deadline == datetime.fromtimestamp(there.clock() + 1200, UTC)

    there.clock.forward(1199)
    there.resync()
    assert there.said == []
    there.clock.forward(1)
    there.resync()
    assert [(e.message, e.what) for e in there.said] == [(message, what)]
    assert there.engine.status("101").pending[0].unconfirmed

    wire.heal()
    there.sync_ok()
    assert there.engine.status("101").pending == ()
    if what == "delete":
        assert there.place(message)[0] == "Trash"
    else:
        assert there.seen(message)
    assert len(there.said) == 1


@pytest.mark.parametrize("there", ["0"], indirect=True)
def test_a_timer_of_zero_waits_for_ever(there, wire):
    begin(there, wire, "mark-heard")
    there.clock.forward(10 * 86400)
    there.resync()

    assert there.said == []
    assert there.engine.status("101").pending[0].deadline is None


def test_the_timer_runs_only_while_passes_succeed(there, wire):
    message = begin(there, wire, "mark-heard")
    there.clock.forward(600)
    there.resync()
    wire.refuse()
    there.clock.forward(5)
    assert not there.resync().ok
    there.clock.forward(3600)
    assert not there.resync().ok
    wire.heal()
    never_confirms(wire, "mark-heard")
    there.resync()
    there.resync()
    assert there.said == []

    there.clock.forward(600)
    there.resync()
    assert [e.message for e in there.said] == [message]


def test_a_clock_that_jumps_moves_the_deadlines_with_it(imap_server, wire, tmp_path):
    from syncengine.engine.clock import Clock
    from syncengine.engine.engine import Engine
    from syncengine.options.files import load
    from syncengine.options.install import installation_key

    with world(tmp_path, imap_server, imap4={"server": wire.host, "port": wire.port}) as there:
        begin(there, wire, "mark-heard")
        there.engine.close()
        steady = there.clock()
        wall = [steady]
        said = []
        engine = Engine(
            load(there.config), installation_key(there.config), clock=Clock(lambda: wall[0], lambda: steady)
        )
        engine.subscribe(lambda e: said.append(e) if isinstance(e, Unconfirmed) else None)
        wall[0] += 7 * 86400
        engine.resync("101")
        assert said == []
        assert engine.status("101").pending[0].deadline > datetime.fromtimestamp(wall[0], UTC)
        there.engine = engine
