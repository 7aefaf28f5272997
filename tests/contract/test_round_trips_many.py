"""What a pass costs where there is much of something, and on a connection that is kept: counted, exactly.

Many folders, a first look, a thousand flags, a kept connection, a watching one. A trip is one client write
after a server write; greeting, login and logout included.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from syncengine.engine.binding import Binding
from syncengine.engine.clock import Clock
from syncengine.imap import observe
from syncengine.imap.replica import ImapAccount
from syncengine.index import Index
from syncengine.options.files import load
from syncengine.service.service import Service
from tests.bench.account import Account
from tests.contract.test_round_trips import settled, trips
from tests.contract.test_service import SLOW, add_mailbox
from tests.support.dovecot import Dovecot
from tests.support.mailprogram import MailProgram
from tests.support.proxy import Proxy
from tests.support.waiting import eventually
from tests.support.world import World, wav, world

pytestmark = pytest.mark.server("dovecot")

ALOUD = {"text_to_speech": True}
PLAINLY = frozenset({"COMPRESS=DEFLATE"})
"""Not used, so that the wire can be read."""


@pytest.fixture
def wire(dovecot: Dovecot, proxy_to) -> Proxy:
    return proxy_to(dovecot.host, dovecot.imap_port, keep=True)


@contextmanager
def place(folder, dovecot: Dovecot, wire: Proxy, **how) -> Iterator[World]:
    with world(folder, dovecot, imap4={"server": wire.host, "port": wire.port}, **how) as one:
        yield one


@pytest.fixture
def there(dovecot: Dovecot, wire: Proxy, tmp_path) -> Iterator[World]:
    with place(tmp_path, dovecot, wire) as one:
        yield one


@contextmanager
def filled(folder, dovecot: Dovecot, wire: Proxy, messages: int, **how) -> Iterator[tuple[World, Account]]:
    """An account with so many e-mails in INBOX, nothing read of it yet."""
    account = Account(dovecot)
    account.fill(["INBOX"], messages)
    imap4 = {"server": wire.host, "port": wire.port}
    with MailProgram(dovecot, account.login) as mail:
        one = World(folder, dovecot, account.login, mail, imap4=imap4, **how)
        one.open()
        try:
            yield one, account
        finally:
            one.engine.close()


def test_one_flag_among_two_hundred_folders_costs_one_trip_more(there: World, wire: Proxy):
    for number in range(200):
        there.mail.create(f"Folder {number}")
    first, second, _ = settled(there)
    there.flag(first, "\\Seen")
    there.move(second, "Folder 7")

    assert trips(there, wire) == 2 + 2, "INBOX, and the folder with something new"
    assert wire.said(rb"SELECT") == 2


@pytest.mark.parametrize(("messages", "cost"), [(100, 4), (1_500, 5), (2_500, 5)])
def test_a_first_look_costs_one_trip_a_folder_and_one_a_batch(messages, cost, dovecot, wire: Proxy, tmp_path):
    """Login waits for the capabilities once; folders without a message are not opened."""
    with filled(tmp_path, dovecot, wire, messages, options={"sync_mode": "inbox"}) as (there, _):
        assert trips(there, wire) == cost
        assert trips(there, wire) == 2


def test_a_large_first_look_is_compressed_in_no_trip_of_its_own(dovecot, wire: Proxy, tmp_path):
    taken = {}
    for mask in (frozenset(), PLAINLY):
        folder = tmp_path / ("plain" if mask else "compressed")
        folder.mkdir()
        with filled(folder, dovecot, wire, 2_500, system=ALOUD, mask=mask) as (there, _):
            taken[mask] = (trips(there, wire), wire.counts.bytes_in)
            assert wire.said(rb"COMPRESS") == (0 if mask else 1)

    plain, compressed = taken[PLAINLY], taken[frozenset()]
    assert compressed[0] == plain[0]
    assert compressed[1] * 8 < plain[1]


def test_the_next_batch_is_asked_for_before_one_is_read(dovecot, wire: Proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(observe, "_BATCH", 200)
    with filled(tmp_path, dovecot, wire, 1_000, system=ALOUD, mask=PLAINLY) as (there, _):
        there.sync_ok()
        asked = [line.split()[0] for line in wire.lines("C") if b"RFC822.SIZE" in line]
        heard = b"".join(data if who == "S" else b"\r\n>" + data for who, data in wire.transcript)

        assert len(asked) == 5
        first, second = asked[:2]
        assert heard.index(second + b" UID FETCH") < heard.index(b"\r\n" + first + b" OK")
        assert len(there.box.messages()) == 1_000


def test_what_was_asked_ahead_and_given_up_is_taken_for_nothing_else(connect, dovecot, monkeypatch):
    monkeypatch.setattr(observe, "_BATCH", 200)
    account = Account(dovecot)
    account.fill(["INBOX"], 1_000)
    remote = connect(dovecot, account.login)
    inbox = next(folder for folder in remote.folders() if folder.name == "INBOX")
    given_up = remote.emails(inbox, None, tuple)
    assert len(next(given_up).found) == 200
    given_up.close()

    assert {folder.name for folder in remote.folders()} >= {"INBOX", "Trash"}
    again = [found.place.uid for delta in remote.emails(inbox, None, tuple) for found in delta.found]
    assert again == list(range(1, 1_001))


def touched(there: World, count: int) -> None:
    """Have the phone mark so many e-mails the other way."""
    emails = there.engine.index.emails
    for row in list(emails.latest_first(1))[:count]:
        emails.say_heard(1, row, not row.is_heard, 0.0)


def test_a_thousand_flags_out_are_one_command_each_way(dovecot, wire: Proxy, tmp_path):
    with filled(tmp_path, dovecot, wire, 2_000, system=ALOUD, mask=PLAINLY) as (there, _):
        there.sync_ok()
        there.quiet()
        touched(there, 1_000)
        cost = trips(there, wire)

        assert wire.said(rb"UID STORE .* \+FLAGS") == 1
        assert wire.said(rb"UID STORE .* -FLAGS") == 1
        assert cost == 4
        assert max(map(len, wire.lines("C"))) < 8192


def test_more_flags_than_fit_a_line_are_several_commands_in_one_flight(dovecot, wire: Proxy, tmp_path):
    """RFC 7162 section 4: lines of no more than 8,192 octets."""
    with filled(tmp_path, dovecot, wire, 3_000, system=ALOUD, mask=PLAINLY) as (there, _):
        there.sync_ok()
        there.quiet()
        emails = there.engine.index.emails
        for row in list(emails.latest_first(1)):
            if row.place.uid % 2:
                emails.say_heard(1, row, not row.is_heard, 0.0)
        cost = trips(there, wire)

        assert wire.said(rb"UID STORE") == 2
        assert cost == 4
        assert 6_000 < max(map(len, wire.lines("C"))) < 8_192
        assert not any(row.pending for row in emails.latest_first(1))


@pytest.mark.parametrize(("count", "compressed"), [(99, False), (100, True)])
def test_what_waits_in_great_number_is_compressed_in_no_trip_of_its_own(
    count, compressed, dovecot, wire: Proxy, tmp_path
):
    with filled(tmp_path, dovecot, wire, 200, system=ALOUD) as (there, _):
        there.sync_ok()
        there.quiet()
        touched(there, count)

        assert trips(there, wire) == 4
        assert wire.said(rb"COMPRESS") == compressed
        assert (wire.counts.bytes_in < 4_000) == compressed


def test_a_thousand_flags_in_cost_what_one_costs(dovecot, wire: Proxy, tmp_path):
    with filled(tmp_path, dovecot, wire, 2_000, system=ALOUD) as (there, account):
        there.sync_ok()
        there.quiet()
        account.flag(range(1, 1_001))

        assert trips(there, wire) == 3


def test_on_a_kept_connection_a_pass_that_finds_nothing_is_one_trip(there: World, wire: Proxy):
    with ExitStack() as stack:
        kept: list[ImapAccount] = []

        @contextmanager
        def keeping(binding: Binding, index: Index) -> Iterator[ImapAccount]:
            if not kept:
                kept.append(stack.enter_context(binding.connect(index)))
            yield kept[0]

        there.engine.lend(keeping)
        settled(there)

        assert trips(there, wire) == 1


def test_a_watching_connection_says_nothing_while_nothing_changes(dovecot, wire: Proxy, tmp_path):
    """Shown by another mailbox's push, which is noticed and carried out meanwhile."""
    with place(tmp_path, dovecot, wire, sync=SLOW) as there:
        there.engine._clock = Clock()
        there.arrived()
        there.quiet()
        other = add_mailbox(there, "102")
        there.engine.adopt_settings(load(there.config))
        box = there.engine.mailbox("102")
        service = Service(there.engine)
        there.engine.start_loops(service)
        try:
            eventually(lambda: service.figures().first_round == 0)
            message = box.deliver(wav(), kind="voice").id
            eventually(lambda: box.message(message).delivery == "confirmed")
            eventually(lambda: service.figures().watching == 2 and service.figures().busy == 0)
            wire.reset_counts()
            with MailProgram(dovecot, other) as mail:
                folder = next(
                    f for f in ("INBOX", "Voice Mail Messages") if f in mail.folders() and mail.uids(f)
                )
                mail.flag(mail.uids(folder)[0], "\\Seen", folder=folder)
            eventually(lambda: box.message(message).heard)

            assert (wire.counts.trips, wire.counts.bytes_out) == (0, 0)
        finally:
            there.engine.stop()
