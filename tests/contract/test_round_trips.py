"""What a pass says on the wire, command by command, on real Dovecot: nobody loses a trip by accident.

A line of the table is a pass: ``|`` stands where the client waits for the server, so that its parts are
the round trips, greeting, login and logout included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

import pytest

from tests.support.proxy import Proxy
from tests.support.world import World, world

pytestmark = pytest.mark.server("dovecot")

MASKS = {
    "qresync": frozenset(),
    "condstore": frozenset({"QRESYNC"}),
    "plain": frozenset({"QRESYNC", "CONDSTORE"}),
    "bare": frozenset({"QRESYNC", "CONDSTORE", "ESEARCH", "LIST-STATUS", "LIST-EXTENDED"}),
}
_LISTED = "LIST LSUB | {}xSTATUS"
"""Without LIST-STATUS: every folder, what is subscribed, then all of them in one flush."""
PASSES = {
    "qresync": {
        "first listing": "AUTHENTICATE | ENABLE LIST | SELECT SEARCH FETCH | LOGOUT",
        "no change": "LOGIN ENABLE LIST | LOGOUT",
        "one flag in": "LOGIN ENABLE LIST | SELECT | LOGOUT",
        "several flags in": "LOGIN ENABLE LIST | SELECT | LOGOUT",
        "one flag out": "LOGIN ENABLE LIST | SELECT | STORE- | LOGOUT",
        "several flags out": "LOGIN ENABLE LIST | SELECT | STORE+ STORE- | LOGOUT",
        "one delete in": "LOGIN ENABLE LIST | SELECT FETCH | SELECT | LOGOUT",
        "one delete out": "LOGIN ENABLE LIST | SELECT FETCH | MOVE | LOGOUT",
    },
    "condstore": {
        "first listing": "AUTHENTICATE | LIST | SELECT SEARCH FETCH | LOGOUT",
        "no change": "LOGIN LIST | LOGOUT",
        "one flag in": "LOGIN LIST | SELECT FETCH SEARCH | LOGOUT",
        "several flags in": "LOGIN LIST | SELECT FETCH SEARCH | LOGOUT",
        "one flag out": "LOGIN LIST | SELECT | STORE- | LOGOUT",
        "several flags out": "LOGIN LIST | SELECT | STORE+ STORE- | LOGOUT",
        "one delete in": "LOGIN LIST | SELECT FETCH | SELECT FETCH SEARCH | SEARCH | LOGOUT",
        "one delete out": "LOGIN LIST | SELECT FETCH | MOVE | LOGOUT",
    },
    "plain": {
        "first listing": "AUTHENTICATE | LIST | SELECT SEARCH FETCH | LOGOUT",
        "no change": "LOGIN LIST | SELECT FETCH | LOGOUT",
        "one flag in": "LOGIN LIST | SELECT FETCH | LOGOUT",
        "several flags in": "LOGIN LIST | SELECT FETCH | LOGOUT",
        "one flag out": "LOGIN LIST | SELECT FETCH | STORE- FETCH | LOGOUT",
        "several flags out": "LOGIN LIST | SELECT FETCH | STORE+ STORE- FETCH | LOGOUT",
        "one delete in": "LOGIN LIST | SELECT FETCH | SELECT FETCH | SEARCH | LOGOUT",
        "one delete out": "LOGIN LIST | SELECT FETCH | SELECT FETCH | FETCH | MOVE | LOGOUT",
    },
    "bare": {
        "first listing": f"AUTHENTICATE | {_LISTED} | SELECT SEARCH FETCH | LOGOUT",
        "no change": f"LOGIN {_LISTED} | SELECT FETCH | LOGOUT",
        "one flag in": f"LOGIN {_LISTED} | SELECT FETCH | LOGOUT",
        "several flags in": f"LOGIN {_LISTED} | SELECT FETCH | LOGOUT",
        "one flag out": f"LOGIN {_LISTED} | SELECT FETCH | STORE- FETCH | LOGOUT",
        "several flags out": f"LOGIN {_LISTED} | SELECT FETCH | STORE+ STORE- FETCH | LOGOUT",
        "one delete in": f"LOGIN {_LISTED} | SELECT FETCH | SELECT FETCH | SEARCH | LOGOUT",
        "one delete out": f"LOGIN {_LISTED} | SELECT FETCH | SELECT FETCH | FETCH | MOVE | LOGOUT",
    },
}


@pytest.fixture
def wire(imap_server, proxy_to) -> Proxy:
    return proxy_to(imap_server.host, imap_server.imap_port, keep=True)


@pytest.fixture(params=MASKS)
def strategy(request) -> str:
    return request.param


@pytest.fixture
def there(imap_server, wire, strategy, tmp_path) -> Iterator[World]:
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


def said(there: World, wire: Proxy) -> str:
    """The commands of one pass in their order, ``|`` where an answer is waited for; repeated ones counted."""
    cost = trips(there, wire)
    flights = [
        b"".join(data for _, data in part)
        for who, part in groupby(wire.transcript, key=lambda entry: entry[0])
        if who == "C"
    ]
    assert len(flights) == cost
    return " | ".join(_named(flight) for flight in flights)


def _named(flight: bytes) -> str:
    words = [_name(line) for line in flight.splitlines()]
    runs = [(word, len(list(run))) for word, run in groupby(words)]
    return " ".join(word if count == 1 else f"{count}x{word}" for word, count in runs)


def _name(line: bytes) -> str:
    """The command of a line; of a STORE its sign, too."""
    found = re.fullmatch(rb"v\d+ (?:UID )?([A-Z]+)(?: \S+(?: \(UNCHANGEDSINCE \d+\))? ([+-])FLAGS)?.*", line)
    assert found, line
    return (found[1] + (found[2] or b"")).decode()


def settled(there: World) -> list[str]:
    messages = [there.arrived() for _ in range(3)]
    there.quiet()
    there.quiet()
    return messages


@pytest.mark.parametrize("folders", [1, 200], ids=["one folder", "200 folders"])
def test_every_kind_of_pass_says_what_the_table_says(there: World, wire: Proxy, strategy: str, folders: int):
    there.mail.create("Voice Mail Messages")
    for number in range(1, folders):
        there.mail.create(f"Folder {number}")
    for number in range(3):
        there.mail.append(b"From: a@example.net\r\nSubject: %d\r\n\r\nText\r\n" % number)
    done = {"first listing": said(there, wire)}
    first, second, third = settled(there)

    def after(what: str, *changes: Callable[[], object]) -> None:
        for change in changes:
            change()
        done[what] = said(there, wire)
        there.quiet()

    box = there.box
    after("no change")
    after("one flag in", partial(there.flag, first, "\\Seen"))
    after("several flags in", *(partial(there.flag, message, "\\Seen") for message in (second, third)))
    after("one flag out", partial(box.mark_new, first))
    after(
        "several flags out",
        *(partial(box.mark_new, message) for message in (second, third)),
        partial(box.mark_heard, first),
    )
    after("one delete in", partial(there.move, first, "Trash"))
    after("one delete out", partial(box.delete, second))
    total = len(there.mail.folders())

    assert done == {what: line.format(total) for what, line in PASSES[strategy].items()}


@pytest.mark.parametrize("strategy", ["qresync"], indirect=True)
def test_nothing_changed_costs_few_bytes(there: World, wire: Proxy):
    settled(there)
    trips(there, wire)

    assert wire.counts.bytes_in + wire.counts.bytes_out < 1800


def test_no_command_line_is_longer_than_servers_take(there: World, wire: Proxy):
    settled(there)

    assert max(map(len, wire.lines("C"))) < 8192
