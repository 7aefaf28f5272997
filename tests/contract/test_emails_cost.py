"""What e-mails cost: nothing where they are off, no trip where nothing changed, batches that resume."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.bench.account import Account
from tests.contract.test_emails import ALOUD, arrived, emails, letter, uid
from tests.support.dovecot import Dovecot
from tests.support.faults import When
from tests.support.mailprogram import MailProgram
from tests.support.proxy import Proxy
from tests.support.world import World, world

pytestmark = pytest.mark.server("dovecot")

MANY = 20_000
READABLE = frozenset({"COMPRESS=DEFLATE"})
"""Not used, so that the wire can be read."""


@pytest.fixture
def wire(dovecot: Dovecot, proxy_to) -> Proxy:
    return proxy_to(dovecot.host, dovecot.imap_port, keep=True)


@pytest.fixture
def there(dovecot: Dovecot, wire: Proxy, tmp_path) -> Iterator[World]:
    with world(tmp_path, dovecot, system=ALOUD, imap4={"server": wire.host, "port": wire.port}) as one:
        yield one


@pytest.fixture
def full(request, dovecot: Dovecot, wire: Proxy, tmp_path) -> Iterator[World]:
    """A mailbox with very many mails, in a world of its own."""
    account = Account(dovecot)
    account.fill(["INBOX"], request.param)
    with MailProgram(dovecot, account.login) as mail:
        imap4 = {"server": wire.host, "port": wire.port}
        one = World(tmp_path, dovecot, account.login, mail, system=ALOUD, imap4=imap4, mask=READABLE)
        one.open()
        yield one
        one.engine.close()


def cost(there: World, wire: Proxy) -> tuple[int, int]:
    """Trips and bytes of one pass, without the times in Dovecot's answers: they vary in length."""
    wire.reset_counts()
    there.sync_ok()
    said = b"".join(data for _, data in wire.transcript)
    return wire.counts.trips, len(re.sub(rb"\([0-9.+ ]+ secs\)", b"", said))


def asked(wire: Proxy) -> list[bytes]:
    """The UID sets whose e-mails were asked for."""
    return re.findall(rb"UID FETCH (\S+) \([^\r]*RFC822\.SIZE", b"\r\n".join(wire.lines("C")))


def test_switched_off_nothing_is_asked_and_nothing_is_kept(there: World, wire: Proxy):
    there.system = {}
    there.reopen()
    there.mail.append(letter("Lunch"))
    there.arrived()

    assert asked(wire) == []
    database = there.engine.index.database
    for table in ("emails", "email_folders"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    assert emails(there) == []


def test_nothing_changed_costs_what_it_costs_without_emails(there: World, wire: Proxy):
    arrived(there, "Lunch", "Report")
    there.arrived()
    there.quiet()
    on = cost(there, wire)
    there.system = {}
    there.reopen()
    there.quiet()

    assert cost(there, wire) == on
    assert on[0] == 2


def test_changes_cost_one_command_for_all_of_them(there: World, wire: Proxy):
    mails = arrived(there, *(f"Mail {n}" for n in range(20)))
    for mail in mails[:15]:
        there.box.mark_heard(mail)
    for mail in mails[10:]:
        there.box.delete(mail)
    wire.reset_counts()
    there.sync_ok()

    assert wire.said(rb"UID STORE") == 1
    assert wire.said(rb"UID (MOVE|COPY)") == 1


@pytest.mark.parametrize("full", [MANY], indirect=True)
def test_very_many_are_listed_quickly_in_batches_and_none_twice(full: World, wire: Proxy):
    started = time.monotonic()
    full.sync_ok()
    seconds = time.monotonic() - started

    assert len(asked(wire)) == -(-MANY // 10_000)
    assert len(emails(full)) == MANY
    last = {m.subject for m in full.box.messages(latest=3)}
    assert last == {f"Message {n} of the bench" for n in range(MANY - 3, MANY)}
    assert seconds < 30
    full.quiet()
    assert cost(full, wire)[0] == 2


@pytest.mark.parametrize("full", [11_000], indirect=True)
def test_a_listing_that_was_cut_off_goes_on_where_it_was_and_sees_what_happened(
    full: World, wire: Proxy, monkeypatch
):
    monkeypatch.setattr("syncengine.imap.observe._BATCH", 5_000)
    wire.cut(rb"UID FETCH 10001:11000 .*RFC822", when=When.BEFORE)
    assert not full.resync().ok
    kept = len(emails(full))
    assert kept == 5_000
    full.mail.flag(1, "\\Seen")
    full.mail.expunge(3)
    wire.reset_counts()
    full.sync_ok()

    assert asked(wire)[0].startswith(b"%d:" % (kept + 1))
    heard = {m.subject: m.heard for m in emails(full)}
    assert heard["Message 0 of the bench"]
    assert "Message 2 of the bench" not in heard
    assert len(heard) == 11_000 - 1
    full.quiet()


def test_a_mail_deleted_and_restored_again_is_fetched_once(there: World, wire: Proxy):
    (mail,) = arrived(there, "Lunch")
    there.box.delete(mail)
    there.sync_ok()
    there.quiet()
    there.box.restore(mail)
    there.sync_ok()
    there.quiet()

    assert uid(there, "Lunch")
    assert [m.id for m in emails(there)] == [mail]
