"""An e-mail of a real server, read aloud: what is fetched, what is heard, and what becomes of it."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.errors import MailboxError, UsageError
from syncengine.speech import language
from syncengine.speech.session import MailSession
from tests.contract.test_emails import ALOUD, emails, letter, uid
from tests.support.proxy import Proxy
from tests.support.waiting import eventually
from tests.support.world import World, world

REAL = ("dovecot", "greenmail", "cyrus", "courier")


class Tape:
    """A voice that writes down what it is to say."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def speak(self, text: str, language: str) -> bytes:
        self.said.append(text)
        return bytes(1600)

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


def with_attachment(octets: int) -> bytes:
    sound = encodebytes(bytes(octets)).replace(b"\n", b"\r\n")
    return (
        b"From: Anna Berg <anna@example.org>\r\nSubject: Holiday\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        b'Content-Type: multipart/alternative; boundary="c"\r\n\r\n--c\r\n'
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"The pictures of our journey to Z=C3=BCrich are attached to this message.\r\n--c\r\n"
        b"Content-Type: text/html\r\n\r\n<p>Nobody reads this.\r\n--c--\r\n--b\r\n"
        b'Content-Type: image/jpeg\r\nContent-Disposition: attachment; filename="a.jpg"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + sound + b"\r\n--b--\r\n"
    )


@pytest.fixture
def wire(imap_server, proxy_to) -> Proxy:
    return proxy_to(imap_server.host, imap_server.imap_port, keep=True)


@pytest.fixture
def there(imap_server, wire, tmp_path) -> Iterator[World]:
    imap4 = {"server": wire.host, "port": wire.port}
    with world(tmp_path, imap_server, system=ALOUD, imap4=imap4) as one:
        yield one


def heard(session: MailSession) -> None:
    while session.next_sentence() is not None:
        pass


@pytest.mark.server(*REAL)
def test_only_the_text_of_a_large_mail_is_fetched_and_it_is_read_after_its_end(there: World, wire: Proxy):
    there.mail.append(with_attachment(3 << 20))
    there.sync_ok()
    tape = Tape()
    wire.reset_counts()
    with there.box.mail_session(tape) as session:
        session.skip()
        heard(session)
    assert any("journey to Zürich" in line for line in tape.said), tape.said
    assert any("attachment" in line for line in tape.said)
    assert not any("Nobody" in line for line in tape.said)
    assert wire.counts.bytes_in < 4_000
    assert "\\Seen" not in there.mail.flags(uid(there, "Holiday")), "the fetch itself marks nothing"

    there.sync_ok()
    assert "\\Seen" in there.mail.flags(uid(there, "Holiday"))
    there.quiet()


@pytest.mark.server(*REAL)
def test_a_mail_that_was_left_before_its_end_stays_unread(there: World):
    there.mail.append(letter("Lunch"))
    there.sync_ok()
    with there.box.mail_session(Tape()) as session:
        session.skip()
        for _ in range(3):
            session.next_sentence()
        session.keep()
    there.quiet()

    assert "\\Seen" not in there.mail.flags(uid(there, "Lunch"))


@pytest.mark.server(*REAL)
def test_deleted_by_the_caller_it_goes_to_trash(there: World):
    there.mail.append(letter("Lunch"))
    there.sync_ok()
    with there.box.mail_session(Tape()) as session:
        session.skip()
        session.delete()
        assert session.items == ()
    there.sync_ok()

    assert uid(there, "Lunch", "Trash")
    there.quiet()


@pytest.mark.server("dovecot")
def test_new_mails_come_first_and_the_latest_of_them(there: World):
    for subject, flags in (("One", ()), ("Two", ("\\Seen",)), ("Three", ())):
        there.mail.append(letter(subject), "INBOX", *flags)
    there.sync_ok()
    with there.box.mail_session(Tape()) as session:
        assert [item.envelope.subject for item in session.items] == ["Three", "One", "Two"]


@pytest.mark.server("dovecot")
def test_a_mail_that_has_gone_meanwhile_is_said_so_and_the_next_one_is_read(there: World):
    there.mail.append(letter("One"))
    there.mail.append(letter("Two"))
    there.sync_ok()
    there.mail.expunge(uid(there, "Two"))
    with there.box.mail_session(Tape()) as session:
        session.skip()
        with pytest.raises(MailboxError, match="no longer"):
            heard(session)
        session.skip()
        heard(session)
    there.sync_ok()

    assert [(m.subject, m.heard) for m in emails(there)] == [("One", True)]


@pytest.mark.server("dovecot")
def test_a_connection_that_was_dropped_between_two_mails_is_opened_anew(there: World, wire: Proxy):
    there.mail.append(letter("One"))
    there.mail.append(letter("Two"))
    there.sync_ok()
    with there.box.mail_session(Tape()) as session:
        session.skip()
        heard(session)
        wire.drop_all()
        session.skip()
        heard(session)

    assert [m.heard for m in emails(there)] == [True, True]


@pytest.mark.server("dovecot")
def test_the_language_can_be_guessed_when_the_first_mail_is_reached(there: World):
    language._identifier.cache_clear()
    with there.box.mail_session(Tape()):
        assert eventually(lambda: language._identifier.cache_info().currsize == 1)


@pytest.mark.server("dovecot")
def test_a_mailbox_that_was_never_looked_at_is_looked_at_first(there: World):
    there.mail.append(letter("Lunch"))
    with there.box.mail_session(Tape()) as session:
        assert [item.envelope.subject for item in session.items] == ["Lunch"]


@pytest.mark.server("dovecot")
@pytest.mark.parametrize(
    ("system", "options", "imap4", "why"),
    [
        ({"text_to_speech": False}, {}, {}, "text_to_speech is false"),
        ({}, {"sync_mode": "none", "delivery": "smtp"}, {}, "sync mode is none"),
        ({"email_integration": False}, {}, {}, "email_integration is false"),
    ],
)
def test_where_no_mail_can_be_read_it_says_why(imap_server, tmp_path: Path, system, options, imap4, why):
    smtp = {"server": "127.0.0.1", "port": 25, "security": "none"}
    how = {"system": ALOUD | system, "options": options, "imap4": imap4, "smtp": smtp}
    with world(tmp_path, imap_server, **how) as there, pytest.raises(UsageError, match=why):
        there.box.mail_session(Tape())
