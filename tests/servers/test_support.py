"""The ground of the tests is itself tested: servers boot, users log in, the proxy counts and breaks."""

from __future__ import annotations

import imaplib
import os
import poplib
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from imapclient.exceptions import IMAPClientError

from tests.support.base import ROOT, Server, greets
from tests.support.faults import When
from tests.support.smtp import smtp_front
from tests.support.waiting import eventually

MAIL = (
    b"From: a@example.org\r\nTo: b@example.org\r\nSubject: hello\r\nMessage-ID: <1@example.org>\r\n\r\nHi\r\n"
)


def test_a_mail_program_does_its_verbs_on_every_server(imap_server, raw_client):
    """Append, read, flag, copy, move to Trash, expunge, and folders, the same for all servers."""
    mail = raw_client(imap_server, imap_server.new_user())
    uid = mail.append(MAIL)
    assert b"Subject: hello\r\n" in mail.read(uid)
    assert mail.flags(uid) == set()

    mail.flag(uid, "\\Seen")
    assert mail.flags(uid) == {"\\Seen"}
    mail.unflag(uid, "\\Seen")
    assert mail.flags(uid) == set()

    mail.create("Work")
    mail.create("Work/Sub")
    copy = mail.copy(uid, "Work/Sub")
    assert mail.find("<1@example.org>", "Work/Sub") == [copy]
    trashed = mail.trash(uid)
    assert mail.uids() == []
    assert mail.uids("Trash") == [trashed]
    mail.expunge(trashed, "Trash")
    assert mail.uids("Trash") == []

    mail.rename("Work/Sub", "Work/Other")  # GreenMail keeps a renamed folder below its parent
    assert mail.name("Work/Other") in mail.folders()
    mail.delete("Work/Other")
    assert mail.name("Work/Other") not in mail.folders()


def test_a_mail_program_outlives_a_session_that_the_server_broke(dovecot, raw_client, proxy_to):
    """SERVERBUG is asked again in a session of its own; every other refusal is told at once."""
    login, proxy = dovecot.new_user(), proxy_to(dovecot.host, dovecot.imap_port)
    raw_client(dovecot, login).append(MAIL)
    through = Server(name="proxy", host=proxy.host, imap_port=proxy.port, users=iter([]))
    program = raw_client(through, login)
    proxy.answer(rb"SELECT|EXAMINE", b"{tag} NO [SERVERBUG] Internal error occurred.\r\n", times=2)
    assert len(program.uids()) == 1
    assert proxy.counts.connections == 3

    proxy.answer(rb"SELECT|EXAMINE", b"{tag} NO [INUSE] later\r\n", times=1)
    with pytest.raises(IMAPClientError, match="INUSE"):
        program.uids()


def test_every_user_has_a_mailbox_of_their_own(imap_server, raw_client):
    """What one test's user gets, no other sees."""
    first, second = imap_server.new_user(), imap_server.new_user()
    raw_client(imap_server, first).append(MAIL)

    assert raw_client(imap_server, second).uids() == []


def test_a_wrong_password_is_refused(imap_server):
    """The servers check passwords."""
    login = imap_server.new_user()
    client = imaplib.IMAP4(imap_server.host, imap_server.imap_port, timeout=10)
    with client, pytest.raises(imaplib.IMAP4.error):
        client.login(login.user, "wrong")


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 error in"), ("", "1 skipped in")])
def test_an_absent_server_is_named_and_fails_in_ci(ci, outcome, tmp_path):
    """Without its folder Courier is absent: the header says so, and where CI=true that is no success."""
    test = "tests/servers/test_support.py::test_a_wrong_password_is_refused"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--servers", "courier", test],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path), "CI": ci},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "server absent: courier (" in done.stdout
    assert outcome in done.stdout


def test_servers_die_with_the_tests(tmp_path):
    """Tests that are killed leave no server behind."""
    code = """
import signal, sys
from pathlib import Path
from tests.support import dovecot
from tests.support.tls import Authority
with dovecot.start(Authority(Path(sys.argv[1]))) as server:
    print(server.imap_port, server.state, flush=True)
    signal.pause()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as tests:
        port, state = tests.stdout.readline().split()
        assert greets(int(port), b"* OK")
        tests.kill()

    eventually(lambda: not greets(int(port), b"* OK"))
    eventually(lambda: not shutil.rmtree(state, ignore_errors=True) and not Path(state).exists())


def test_the_servers_differ_where_the_engine_must_cope(imap_server):
    """The facts by which tests choose are the servers' own words."""
    expected = {
        "dovecot": (True, True, True),
        "cyrus": (True, True, True),
        "courier": (False, False, True),
        "greenmail": (False, True, True),
        "sim-qresync": (True, True, True),
        "sim-condstore": (False, True, True),
        "sim-bare": (False, False, True),
    }
    facts = tuple(imap_server.capable(name) for name in ("QRESYNC", "MOVE", "UIDPLUS"))

    assert facts == expected[imap_server.name]


@pytest.mark.parametrize("layout", ["dovecot", "dovecot_mdbox"])
def test_dovecot_delivers_by_lmtp_and_shows_it_over_pop3(layout, request, raw_client):
    """Mail handed to LMTP is there at the 250, for IMAP and POP3 alike; an unknown user is refused."""
    server = request.getfixturevalue(layout)
    login = server.new_user()
    with smtplib.LMTP(server.host, server.lmtp_port) as lmtp:
        lmtp.sendmail("a@example.org", [login.address], MAIL)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            lmtp.sendmail("a@example.org", ["nobody@localhost"], MAIL)

    assert len(raw_client(server, login).uids()) == 1
    pop = poplib.POP3(server.host, server.pop3_port, timeout=10)
    pop.user(login.user)
    pop.pass_(login.password)
    assert len(pop.list()[1]) == 1
    pop.quit()


def test_smtp_delivers_into_the_account_octet_by_octet(dovecot, dovecot_smtp, raw_client):
    """After the 250 the mail is there; what the account refuses is refused at RCPT."""
    login = dovecot.new_user()
    mail = MAIL + b".\r\n..dots\r\n\xfc\r\n"
    with smtplib.SMTP(dovecot_smtp.host, dovecot_smtp.port) as smtp:
        smtp.sendmail("a@example.org", [login.address], mail)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail("a@example.org", ["nobody@localhost"], mail)

    inbox = raw_client(dovecot, login)
    assert [inbox.read(uid).endswith(mail) for uid in inbox.uids()] == [True]
    assert dovecot_smtp.delivered == [("a@example.org", (login.address,), mail)]


def test_smtp_can_demand_tls_and_a_password(dovecot, authority):
    """A wrong password is refused, the right one lets mail through."""
    user = dovecot.new_user()
    with (
        smtp_front(dovecot, tls=authority.server_context(), password="right") as front,
        smtplib.SMTP_SSL("localhost", front.port, context=authority.client_context()) as smtp,
    ):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("anybody", "wrong")
        smtp.login("anybody", "right")
        smtp.sendmail("a@example.org", [user.address], MAIL)
        assert len(front.delivered) == 1


def test_dovecot_takes_tokens_and_refuses_stale_ones(dovecot):
    """XOAUTH2 works with a token of ours; one that ran out or was forged does not."""
    user = dovecot.new_user().user

    def try_token(token: str) -> str:
        client = imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=10)
        with client:
            answer = f"user={user}\x01auth=Bearer {token}\x01\x01".encode()
            return client.authenticate("XOAUTH2", lambda challenge: answer if not challenge else b"")[0]

    assert try_token(dovecot.token(user)) == "OK"
    for bad in (dovecot.token(user, lifetime=-60), dovecot.token(user, secret=b"forged")):
        with pytest.raises(imaplib.IMAP4.error):
            try_token(bad)


def test_dovecot_shows_a_certificate_that_our_authority_signed(dovecot, authority):
    """TLS verifies, by name and by address."""
    for host in ("localhost", "127.0.0.1"):
        context = authority.client_context()
        with imaplib.IMAP4_SSL(host, dovecot.imaps_port, ssl_context=context, timeout=10) as client:
            assert client.noop()[0] == "OK"


@pytest.mark.parametrize("kind", ["expired", "wrong_name"])
def test_the_proxy_shows_bad_certificates(kind, dovecot, authority, proxy_to):
    """A client that verifies refuses them."""
    context = authority.server_context(getattr(authority, kind))
    proxy = proxy_to(dovecot.host, dovecot.imap_port, tls=context)

    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL("localhost", proxy.port, ssl_context=authority.client_context(), timeout=10)


def test_the_proxy_counts_inside_tls(dovecot, authority, proxy_to):
    """With a good certificate the proxy sees what is said."""
    proxy = proxy_to(dovecot.host, dovecot.imap_port, tls=authority.server_context(), keep=True)
    context = authority.client_context()
    with imaplib.IMAP4_SSL("localhost", proxy.port, ssl_context=context, timeout=10) as client:
        client.noop()

    assert proxy.said(rb"NOOP") == 1


def test_the_proxy_counts_trips_and_bytes_exactly(greeter, proxy_to):
    """A trip is a client's write after a server's; what travels together is one."""
    proxy = proxy_to(*greeter)
    with Talk(proxy) as talk:
        assert talk.line() == b"* OK hi\r\n"
        talk.send(b"a noop\r\n")
        assert talk.line() == b"a OK\r\n"
        talk.send(b"b noop\r\nc noop\r\n")
        assert talk.line() + talk.line() == b"b OK\r\nc OK\r\n"

        assert (proxy.counts.trips, proxy.counts.connections) == (2, 1)
        assert (proxy.counts.bytes_in, proxy.counts.bytes_out) == (9 + 3 * 6, 3 * 8)
        assert proxy.reset_counts().trips == 2
        assert proxy.counts.trips == 0


def test_the_proxy_cuts_before_the_server_hears(greeter, proxy_to):
    """What came before the fatal line is answered; the line itself never arrives."""
    proxy = proxy_to(*greeter)
    proxy.cut(rb"^c ")
    with Talk(proxy) as talk:
        talk.line()
        talk.send(b"b noop\r\n")
        assert talk.line() == b"b OK\r\n"
        talk.send(b"c store\r\n")
        assert talk.line() == b""
    assert b"c store" not in greeter.heard
    with Talk(proxy) as talk:
        talk.line()
        talk.send(b"c store\r\n")
        assert talk.line() == b"c OK\r\n"


@pytest.mark.parametrize("when", [When.FORWARDED, When.ANSWERED])
def test_the_proxy_cuts_after_the_server_heard(when, greeter, proxy_to):
    """The server has done it, the client never learns."""
    proxy = proxy_to(*greeter)
    proxy.cut(rb"^c ", when=when)
    with Talk(proxy) as talk:
        talk.line()
        talk.send(b"c store\r\n")
        assert talk.line() == b""
    assert b"c store" in greeter.heard


def test_a_lost_append_is_in_the_mailbox(dovecot, raw_client, proxy_to):
    """Cut at the tagged answer, an APPEND with its literal has been done."""
    login = dovecot.new_user()
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    proxy.cut(rb"APPEND", when=When.ANSWERED)
    client = imaplib.IMAP4(proxy.host, proxy.port, timeout=10)
    client.login(login.user, login.password)
    with pytest.raises(imaplib.IMAP4.abort):
        client.append("INBOX", "", "", MAIL)
    client.shutdown()

    assert len(raw_client(dovecot, login).uids()) == 1
    assert b"APPENDUID" in proxy.settings.lost[0]


def test_the_proxy_skips_the_first_occurrences(greeter, proxy_to):
    """``skip`` aims at the n-th line, so that a test can cut at every step in turn."""
    proxy = proxy_to(*greeter)
    proxy.cut(rb"noop", skip=1)
    with Talk(proxy) as talk:
        talk.line()
        talk.send(b"a noop\r\n")
        assert talk.line() == b"a OK\r\n"
        talk.send(b"b noop\r\n")
        assert talk.line() == b""


@pytest.mark.parametrize(("side", "size", "got"), [("server", 4, b"* OK"), ("server", 12, b"* OK hi\r\na O")])
def test_the_proxy_cuts_after_so_many_bytes(side, size, got, greeter, proxy_to):
    """The client gets exactly that many bytes, then the end."""
    proxy = proxy_to(*greeter)
    proxy.cut_after(server=size)
    with Talk(proxy) as talk:
        talk.send(b"a noop\r\n")
        assert talk.rest() == got


def test_the_proxy_stalls_and_the_connection_stays_open(greeter, proxy_to):
    """A stalled connection says nothing and does not end."""
    proxy = proxy_to(*greeter)
    proxy.stall(rb"^c ")
    with Talk(proxy, timeout=0.3) as talk:
        talk.line()
        talk.send(b"c store\r\n")
        with pytest.raises(TimeoutError):
            talk.line()
        assert proxy.open == 1


def test_the_proxy_holds_everything_back_and_lets_it_go(greeter, proxy_to):
    """What was held back arrives afterwards, complete."""
    proxy = proxy_to(*greeter)
    with Talk(proxy) as talk:
        talk.line()
        proxy.hold()
        talk.send(b"a noop\r\n")
        talk.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            talk.sock.recv(1)
        talk.sock.settimeout(10)
        proxy.release()
        assert talk.line() == b"a OK\r\n"


def test_the_proxy_delays_both_ways(greeter, proxy_to):
    """25 ms each way make a round trip of 50 ms at least."""
    proxy = proxy_to(*greeter)
    proxy.delay(0.025)
    with Talk(proxy) as talk:
        talk.line()
        began = time.monotonic()
        talk.send(b"a noop\r\nb noop\r\n")
        talk.line()
        talk.line()
        assert time.monotonic() - began >= 0.05


def test_the_proxy_answers_in_place_of_the_server(greeter, proxy_to):
    """The server never sees the command, literal and all, and the talk goes on."""
    proxy = proxy_to(*greeter)
    proxy.answer(rb"HEADER", b"* SEARCH\r\n{tag} OK\r\n")
    with Talk(proxy) as talk:
        talk.line()
        talk.send(b"a search HEADER X {3+}\r\nabc UNDELETED\r\nb noop\r\n")
        assert [talk.line() for _ in range(3)] == [b"* SEARCH\r\n", b"a OK\r\n", b"b OK\r\n"]
    assert b"abc" not in greeter.heard


def test_the_proxy_rewrites_lines_that_arrive_in_pieces(greeter, proxy_to):
    """Lines are whole before they are changed, also when the client gets them byte by byte."""
    proxy = proxy_to(*greeter)
    proxy.rewrite(rb"^(\w) OK", rb"\1 NO")
    proxy.trickle()
    with Talk(proxy) as talk:
        talk.line()
        talk.send(b"a no")
        eventually(lambda: proxy.counts.bytes_out == 4)
        talk.send(b"op\r\n")
        assert talk.line() == b"a NO\r\n"


def test_the_proxy_refuses_and_heals(greeter, proxy_to):
    """A refused client gets nothing; after ``heal`` all is as before."""
    proxy = proxy_to(*greeter)
    proxy.refuse()
    with Talk(proxy) as talk:
        assert talk.line() == b""
    proxy.heal()
    with Talk(proxy) as talk:
        assert talk.line() == b"* OK hi\r\n"
        proxy.drop_all()
        assert talk.line() == b""


class Talk:
    """A client that says exactly what it is told."""

    def __init__(self, proxy, timeout: float = 10) -> None:
        self.sock = socket.create_connection((proxy.host, proxy.port), timeout=timeout)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.file.close()
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        return self.file.readline()

    def rest(self) -> bytes:
        return self.file.read()


class Greeter(tuple):
    """The address of a server that says OK to every line, and what it heard."""

    heard: bytearray


@pytest.fixture
def greeter():
    """A server that greets and answers each line's tag with OK."""
    import socketserver

    heard = bytearray()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"* OK hi\r\n")
            for line in self.rfile:
                heard.extend(line)
                self.wfile.write(line.split(b" ")[0] + b" OK\r\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    import threading

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = Greeter(server.server_address)
        address.heard = heard
        yield address
        server.shutdown()
        thread.join()
