"""E-mails of a POP3 account: listed and read aloud, a copy always left there, marked here alone."""

from __future__ import annotations

import poplib
from collections.abc import Iterator

import pytest

from tests.contract.test_aloud import Tape, heard, with_attachment
from tests.contract.test_emails import ALOUD, emails, letter
from tests.support.dovecot import Dovecot
from tests.support.proxy import Proxy
from tests.support.world import NUMBER, World, world


@pytest.fixture
def wire(dovecot: Dovecot, proxy_to) -> Proxy:
    return proxy_to(dovecot.host, dovecot.pop3_port, keep=True)


@pytest.fixture
def there(dovecot: Dovecot, wire: Proxy, tmp_path) -> Iterator[World]:
    smtp = {"server": "127.0.0.1", "port": 9, "security": "none"}
    options = {"protocol": "pop3", "delivery": "smtp"}
    with world(tmp_path, dovecot, system=ALOUD, smtp=smtp, options=options) as one:
        one.pop3 = {
            "server": wire.host,
            "port": wire.port,
            "security": "none",
            "account": one.login.user,
            "password": one.login.password,
        }
        one.reopen()
        yield one


def test_mails_are_listed_and_voice_messages_are_not(there: World):
    there.mail.append(letter("Lunch"))
    there.mail.append(b"X-VM-Message-UUID: vm-" + b"0" * 32 + b"-z\r\nSubject: voice\r\n\r\nhello\r\n")
    report = there.sync_ok()

    assert [(a.verb, a.count) for a in report.actions] == [("index", 1)]
    (mail,) = emails(there)
    assert (mail.subject, mail.sender, mail.folder, mail.heard) == ("Lunch", "Anna Berg", "INBOX", False)
    there.quiet()


def test_heard_and_deleted_is_marked_here_and_everything_stays_there(there: World, wire: Proxy):
    there.mail.append(letter("Lunch"))
    there.mail.append(letter("Report"))
    with there.box.mail_session(Tape()) as session:
        assert [item.envelope.subject for item in session.items] == ["Report", "Lunch"]
        session.skip()
        heard(session)
        session.skip()
        session.delete()
    there.sync_ok()
    known = {m.subject: (m.heard, m.deleted, m.pending) for m in emails(there)}
    assert known == {"Report": (True, False, False), "Lunch": (False, True, False)}
    lunch = next(m.id for m in emails(there) if m.subject == "Lunch")
    there.box.restore(lunch)
    assert not there.message(lunch).deleted

    assert len(there.mail.uids()) == 2
    assert there.mail.flags(there.mail.uids()[0]) == set()
    assert wire.said(rb"^DELE") == wire.said(rb"^RETR") == 0
    assert there.engine.status(NUMBER).state == "in-step"


def test_of_a_large_mail_only_the_beginning_is_fetched(there: World, wire: Proxy):
    there.mail.append(with_attachment(3 << 20))
    there.sync_ok()
    tape = Tape()
    wire.reset_counts()
    with there.box.mail_session(tape) as session:
        session.skip()
        heard(session)

    assert any("journey to Zürich" in line for line in tape.said)
    assert wire.counts.bytes_in < 200_000


def test_what_is_gone_there_leaves_the_list(there: World):
    there.mail.append(letter("Lunch"))
    there.sync_ok()
    there.mail.expunge(there.mail.uids()[0])
    there.sync_ok()

    assert emails(there) == []


def test_an_account_that_cannot_be_reached_is_said_and_listed_mails_stay(there: World, wire: Proxy):
    there.mail.append(letter("Lunch"))
    there.sync_ok()
    wire.refuse()
    report = there.resync()

    assert not report.ok
    assert len(emails(there)) == 1


def test_by_another_client_the_account_is_as_it_was(there: World, dovecot: Dovecot):
    there.mail.append(letter("Lunch"))
    there.sync_ok()
    other = poplib.POP3(dovecot.host, dovecot.pop3_port or 0)
    other.user(there.login.user)
    other.pass_(there.login.password)
    assert other.stat()[0] == 1
    other.quit()
