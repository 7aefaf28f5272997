"""What a pass costs on the wire, counted by a proxy on real Dovecot, exactly: nobody loses it by accident.

A trip is one client write after a server write; greeting, login and logout included.
"""

from __future__ import annotations

import pytest

from tests.support.proxy import Proxy
from tests.support.world import World, world

pytestmark = pytest.mark.server("dovecot")


@pytest.fixture
def wire(imap_server, proxy_to) -> Proxy:
    return proxy_to(imap_server.host, imap_server.imap_port, keep=True)


MASKS = {
    "qresync": frozenset(),
    "condstore": frozenset({"QRESYNC"}),
    "plain": frozenset({"QRESYNC", "CONDSTORE"}),
    "bare": frozenset({"QRESYNC", "CONDSTORE", "ESEARCH", "LIST-STATUS", "LIST-EXTENDED"}),
}


@pytest.fixture(params=MASKS)
def strategy(request) -> str:
    return request.param


@pytest.fixture
def there(imap_server, wire, strategy, tmp_path):
    imap4 = {"server": wire.host, "port": wire.port}
    with world(tmp_path, imap_server, mask=MASKS[strategy], imap4=imap4) as one:
        yield one


def trips(there: World, wire: Proxy) -> int:
    """Trips of one pass, as the wire counts them; the report says the same."""
    wire.reset_counts()
    report = there.sync_ok()
    assert report.traffic.round_trips == wire.counts.trips
    assert report.traffic.bytes_out == wire.counts.bytes_out
    return wire.counts.trips


def settled(there: World) -> list[str]:
    messages = [there.arrived() for _ in range(3)]
    there.quiet()
    there.quiet()
    return messages


COST = {
    #            nothing, flag in, 2 flags in, flag out, 3 flags out, delete in, delete out
    "qresync": (2, 3, 3, 4, 4, 4, 4),
    "condstore": (3, 3, 3, 4, 4, 5, 6),
    "plain": (3, 3, 3, 4, 4, 5, 6),
    "bare": (4, 4, 4, 5, 5, 6, 7),
}


def test_a_pass_costs_what_the_table_says(there: World, wire: Proxy, strategy: str):
    first, second, third = settled(there)
    nothing = trips(there, wire)
    there.flag(first, "\\Seen")
    flag_in = trips(there, wire)
    there.quiet()
    for message in (second, third):
        there.flag(message, "\\Seen")
    flags_in = trips(there, wire)
    there.quiet()
    there.box.mark_new(first)
    flag_out = trips(there, wire)
    there.quiet()
    for message in (second, third):
        there.box.mark_new(message)
    there.box.mark_heard(first)
    flags_out = trips(there, wire)
    there.quiet()
    there.move(first, "Trash")
    delete_in = trips(there, wire)
    there.quiet()
    there.box.delete(second)
    delete_out = trips(there, wire)

    assert (nothing, flag_in, flags_in, flag_out, flags_out, delete_in, delete_out) == COST[strategy]


@pytest.mark.parametrize("strategy", ["qresync"], indirect=True)
def test_nothing_changed_in_two_hundred_folders_costs_no_more(there: World, wire: Proxy):
    for number in range(200):
        there.mail.create(f"Folder {number}")
    settled(there)

    assert trips(there, wire) == 2


@pytest.mark.parametrize("strategy", ["qresync"], indirect=True)
def test_nothing_changed_costs_few_bytes(there: World, wire: Proxy):
    settled(there)
    trips(there, wire)

    assert wire.counts.bytes_in + wire.counts.bytes_out < 1800


def test_no_command_line_is_longer_than_servers_take(there: World, wire: Proxy):
    settled(there)

    assert max(map(len, wire.lines("C"))) < 8192
