"""Logging in, and a line or a server on which things go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncengine.errors import AuthenticationFailed, ConnectionLost, MailboxError, Throttled
from syncengine.imap.replica import ImapAccount
from syncengine.imap.settings import Authentication
from syncengine.model import Cursor, Folder, ModSeq, Security, Uid, UidValidity
from tests.contract.imap_kit import Line, Mail, MakeProxy, Open, View, mail, named, scripted_account, token
from tests.contract.imap_script import LOGGED_IN, Answer, scripted
from tests.support.base import Login, Server, free_ports
from tests.support.dovecot import Dovecot
from tests.support.tls import Authority

# logging in


@pytest.mark.parametrize("way", [Authentication.PLAIN, Authentication.LOGIN, Authentication.CRAM_MD5])
@pytest.mark.parametrize("mask", [frozenset[str](), frozenset({"SASL-IR"})], ids=["SASL-IR", "challenge"])
def test_passwords_log_in_and_wrong_ones_are_told_apart_and_never_shown(
    dovecot: Dovecot, connect: Open, way: Authentication, mask: frozenset[str]
) -> None:
    login, line = dovecot.new_user(), Line()
    assert connect(dovecot, login, authentication=way, mask=mask, trace=line).folders()
    wrong = connect(dovecot, login, authentication=way, mask=mask, secret=lambda: "wr0ng-secret", trace=line)
    with pytest.raises(AuthenticationFailed) as failure:
        wrong.folders()
    assert "wr0ng-secret" not in str(failure.value)
    with pytest.raises(ConnectionLost):
        wrong.folders()
    said = b"\n".join(text for _, text in line.said)
    assert login.password.encode() not in said
    assert b"wr0ng-secret" not in said


@pytest.mark.parametrize("way", [Authentication.XOAUTH2, Authentication.OAUTHBEARER])
@pytest.mark.parametrize("mask", [frozenset[str](), frozenset({"SASL-IR"})], ids=["SASL-IR", "challenge"])
def test_tokens_log_in_and_an_expired_one_is_refused_without_hanging(
    dovecot: Dovecot, connect: Open, way: Authentication, mask: frozenset[str]
) -> None:
    login = dovecot.new_user()
    good = dovecot.token(login.user)
    assert connect(dovecot, login, authentication=way, mask=mask, secret=lambda: good).folders()
    for known in (frozenset[str](), dovecot.capabilities | {"SASL-IR"}):
        old = connect(
            dovecot,
            login,
            authentication=way,
            mask=mask,
            secret=lambda: dovecot.token(login.user, lifetime=-60),
            known_capabilities=known,
            timeout=5.0,
        )
        with pytest.raises((AuthenticationFailed, ConnectionLost)):
            old.folders()


def test_a_known_server_still_refuses_a_wrong_password_as_such(dovecot: Dovecot, connect: Open) -> None:
    known = dovecot.capabilities | {"SASL-IR", "AUTH=PLAIN"}
    account = connect(dovecot, dovecot.new_user(), secret=lambda: "no", known_capabilities=known)
    with pytest.raises(AuthenticationFailed):
        account.folders()


def test_tls_and_starttls_verify_the_server(dovecot: Dovecot, connect: Open) -> None:
    login = dovecot.new_user()
    for security, port in ((Security.TLS, dovecot.imaps_port), (Security.STARTTLS, dovecot.imap_port)):
        how = {"security": security, "port": port}
        assert connect(dovecot, login, ca_file=str(dovecot.ca_file), **how).folders()
        with pytest.raises(
            ConnectionLost, match=r"the certificate is not trusted: .*ca_file names its authority"
        ):
            connect(dovecot, login, **how).folders()


def test_a_certificate_for_another_name_or_out_of_date_is_refused(
    dovecot: Dovecot, connect: Open, proxy_to: MakeProxy, authority: Authority
) -> None:
    for pair in (authority.wrong_name, authority.expired):
        proxy = proxy_to(dovecot.host, dovecot.imap_port, tls=authority.server_context(pair))
        account = connect(proxy, dovecot.new_user(), security=Security.TLS, ca_file=str(authority.ca_file))
        with pytest.raises(ConnectionLost, match="the certificate is not trusted: ") as raised:
            account.folders()
        assert "ca_file" not in str(raised.value)


def test_a_ca_file_that_is_none_is_named(dovecot: Dovecot, connect: Open, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    for name, why in (("empty.pem", "no certificates in it"), ("missing.pem", "No such file or directory")):
        account = connect(
            dovecot, dovecot.new_user(), security=Security.TLS, ca_file=str(tmp_path / name),
            port=dovecot.imaps_port,
        )  # fmt: skip
        with pytest.raises(ConnectionLost, match=rf"{name}: the certificates of ca_file .*\({why}\)"):
            account.folders()


def test_what_keeps_a_server_from_being_reached_is_said_without_numbers(connect: Open) -> None:
    (port,) = free_ports(1)
    for host, said in (("localhost", "Connection refused"), ("nowhere.invalid", "the name is not found")):
        with pytest.raises(ConnectionLost, match=f"{host}:{port}: cannot be reached or used: {said}$"):
            connect(
                Server(name="none", host=host, imap_port=port, users=iter(())), Login("u", "p", "u@localhost")
            ).folders()


def test_compression_changes_nothing_but_the_octets(
    dovecot: Dovecot, connect: Open, raw_client: Mail
) -> None:
    login = dovecot.new_user()
    program = raw_client(dovecot, login)
    for number in range(30):
        program.append(mail(number))
    plain, packed = View(), View()
    account, smaller = connect(dovecot, login), connect(dovecot, login, compress=True)
    plain.observe(account)
    packed.observe(smaller)
    assert plain == packed
    assert smaller.traffic.bytes_in < account.traffic.bytes_in / 2


# what can go wrong on the line


def test_a_server_that_falls_silent_loses_the_connection_for_good(
    dovecot: Dovecot, connect: Open, proxy_to: MakeProxy
) -> None:
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    account = connect(proxy, dovecot.new_user(), timeout=0.5)
    inbox = named(account, "INBOX")
    proxy.stall(rb"SELECT")
    with pytest.raises(ConnectionLost):
        account.search(inbox, [token(1)])
    with pytest.raises(ConnectionLost):
        account.folders()


@pytest.mark.parametrize("octets", [10, 300, 700, 900, 1200])
def test_a_connection_cut_anywhere_is_lost_and_nothing_else(
    dovecot: Dovecot, connect: Open, proxy_to: MakeProxy, octets: int
) -> None:
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    proxy.cut_after(server=octets)
    account = connect(proxy, dovecot.new_user())
    with pytest.raises(ConnectionLost):
        for _ in range(20):
            account.folders()


def test_octets_that_come_one_by_one_are_read_all_the_same(
    dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    login = dovecot.new_user()
    raw_client(dovecot, login).append(mail(1))
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    proxy.trickle()
    view = View()
    view.observe(connect(proxy, login))
    assert view.tokens == {token(1)}


def test_an_idle_account_tells_of_changes_and_of_its_end(
    imap_server: Server, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    if not imap_server.capable("IDLE"):
        pytest.skip(f"{imap_server.name} has no IDLE")
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    proxy = proxy_to(imap_server.host, imap_server.imap_port)
    account = connect(proxy, login)
    account.watch("INBOX")
    program.append(mail(1))
    assert any(account.told(5.0) for _ in range(3))
    account.unwatch()
    view = View()
    view.observe(account)
    assert view.tokens == {token(1)}
    account.watch("INBOX")
    proxy.drop_all()
    with pytest.raises(ConnectionLost):
        for _ in range(100):
            account.told(1.0)
    assert not account.alive


def test_where_the_server_can_it_tells_of_every_folder(
    dovecot: Dovecot, connect: Open, raw_client: Mail
) -> None:
    login = dovecot.new_user()
    program = raw_client(dovecot, login)
    program.create("Work")
    account = connect(dovecot, login)
    account.watch("INBOX")
    assert not account.told(0.05)
    program.append(mail(1), "Work")
    assert account.told(10.0)
    account.unwatch()
    view = View()
    view.observe(account, "Work")
    assert view.tokens == {token(1)}


# what no real server says on request


@contextmanager
def watching(pieces: list[bytes]) -> Iterator[ImapAccount]:
    """An account in IDLE on a server that then sends ``pieces``, each as its own packet."""

    def answer(line: bytes) -> Answer:
        match line.split(b" ")[0]:
            case b"AUTHENTICATE":
                return LOGGED_IN
            case b"SELECT":
                return b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n%(tag)s OK [READ-WRITE]\r\n"
            case b"IDLE":
                return pieces
            case _:
                return b"%(tag)s OK\r\n"

    with scripted(answer) as server:
        account = scripted_account(server.port)
        account.watch("INBOX")
        yield account
        account.close()


def test_an_event_in_the_same_packet_as_the_go_ahead_is_seen_at_once() -> None:
    with watching([b"+ idling\r\n* 2 EXISTS\r\n"]) as account:
        assert account.has_buffered()
        assert account.told(0)


def test_an_event_in_two_packets_is_one_event() -> None:
    with watching([b"+ idling\r\n", b"* 2 EX", b"ISTS\r\n"]) as account:
        assert account.told(2) or account.told(2)


def test_still_here_is_no_event() -> None:
    with watching([b"+ idling\r\n* OK Still here\r\n"]) as account:
        assert not account.told(0.05)


def test_a_literal_in_idle_is_read_past() -> None:
    with watching([b"+ idling\r\n* 1 FETCH (UID 3 BODY[HEADER.FIELDS (A)] {4}\r\nab\r\n)\r\n"]) as account:
        assert account.told(1)


def test_a_server_that_hangs_up_in_idle_is_noticed_at_once() -> None:
    with (
        watching([b"+ idling\r\n* BYE see you\r\n"]) as account,
        pytest.raises(ConnectionLost, match="see you"),
    ):
        account.told(1)


@pytest.mark.parametrize(
    "noise",
    [
        b"* 1 FETCH (UID\r\n",
        b"hello\r\n",
        b"x9 OK never asked\r\n",
        b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n",
        b"+ more?\r\n",
        b"* BYE\r\n",
        b'* LIST () "/\r\n',
        b"\xff\xfe\x00\r\n",
    ],
)
def test_nonsense_loses_the_connection_and_crashes_nothing(noise: bytes) -> None:
    def answer(line: bytes) -> Answer:
        return LOGGED_IN if line.startswith(b"AUTH") else noise

    with scripted(answer) as server:
        account = scripted_account(server.port)
        with pytest.raises(ConnectionLost):
            account.folders()
        assert not account.alive
        account.close()


@pytest.mark.parametrize(
    "line",
    [b"* 1 FETCH (UID 1 FLAGS ())\r\n", b"* LIST () NIL x\r\n", b"* SEARCH 1 3 5 7 9\r\n", b"* 1 EXISTS\r\n"],
)
def test_an_answer_without_end_is_cut_off(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncengine.imap.channel.MAX_WEIGHT", 1_000)

    def answer(asked: bytes) -> Answer:
        return LOGGED_IN if asked.startswith(b"AUTH") else line * 5_000 + b"%(tag)s OK\r\n"

    with scripted(answer) as server:
        account = scripted_account(server.port)
        with pytest.raises(ConnectionLost, match="without end"):
            account.folders()


def test_a_request_to_come_back_later_is_heeded_wherever_it_comes() -> None:
    backoff = b"Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"
    for said in (b"%(tag)s NO " + backoff, b"* BYE " + backoff, b"%(tag)s BAD [UNAVAILABLE] x\r\n"):
        for at_login in (True, False):

            def answer(line: bytes, said: bytes = said, at_login: bool = at_login) -> Answer:
                return LOGGED_IN if line.startswith(b"AUTH") and not at_login else said

            with scripted(answer) as server:
                account = scripted_account(server.port)
                with pytest.raises(Throttled) as failure:
                    account.folders()
                assert failure.value.retry_after in (299.961, 60.0)
                account.close()


def test_a_greeting_that_turns_us_away_is_heeded() -> None:
    with (
        scripted(lambda _: b"", greeting=b"* BYE [UNAVAILABLE] too busy\r\n") as server,
        pytest.raises(Throttled, match="too busy"),
    ):
        scripted_account(server.port).folders()
    with (
        scripted(lambda _: b"", greeting=b"* PREAUTH welcome root\r\n") as server,
        pytest.raises(ConnectionLost, match="PREAUTH"),
    ):
        scripted_account(server.port).folders()


def test_octets_between_starttls_and_tls_are_refused() -> None:
    def answer(line: bytes) -> Answer:
        return b"%(tag)s OK go\r\n* OK [CAPABILITY IMAP4rev1] injected\r\n" if line == b"STARTTLS" else None

    with scripted(answer) as server, pytest.raises(ConnectionLost, match="in between"):
        scripted_account(server.port, security=Security.STARTTLS).folders()
    assert not any(b"AUTH" in line for line in server.lines)


def test_no_password_goes_to_a_server_that_refuses_starttls() -> None:
    with scripted(lambda _: b"%(tag)s BAD no\r\n") as server, pytest.raises(ConnectionLost, match="STARTTLS"):
        scripted_account(server.port, security=Security.STARTTLS).folders()
    assert [line.split(b" ", 1)[1] for line in server.lines] == [b"STARTTLS"]


def test_an_empty_folder_list_is_an_error_and_no_evidence() -> None:
    def answer(line: bytes) -> Answer:
        return LOGGED_IN if line.startswith(b"AUTH") else b"%(tag)s OK\r\n"

    with scripted(answer) as server:
        account = scripted_account(server.port)
        with pytest.raises(MailboxError, match="no folder"):
            account.folders()
        account.close()


def test_a_password_that_the_server_repeats_is_not_passed_on() -> None:
    with (
        scripted(lambda _: b"%(tag)s NO bad password hunter2 given\r\n") as server,
        pytest.raises(AuthenticationFailed) as failure,
    ):
        scripted_account(server.port).folders()
    assert "hunter2" not in str(failure.value)


def test_completions_without_text_are_enough() -> None:
    def answer(line: bytes) -> Answer:
        if line.startswith(b"AUTH"):
            return b"%(tag)s ok\r\n"
        if line.startswith(b"CAPABILITY"):
            return b"* capability imap4rev1\r\n%(tag)s OK\r\n"
        if line.startswith(b"LIST"):
            return b'* list () "/" inbox\r\n%(tag)s ok\r\n'
        return b"%(tag)s Ok\r\n"

    with scripted(answer) as server:
        account = scripted_account(server.port)
        assert [folder.name for folder in account.folders()] == ["INBOX"]
        account.close()


def test_modseq_is_what_select_said_before_anything_else_happened() -> None:
    """A later HIGHESTMODSEQ, as a tagged or untagged code of another command, must not move the cursor."""

    def answer(line: bytes) -> Answer:
        if line.startswith(b"AUTH"):
            return b"%(tag)s OK [CAPABILITY IMAP4rev1 CONDSTORE ENABLE QRESYNC ESEARCH] in\r\n"
        if line.startswith(b"ENABLE"):
            return b"* ENABLED QRESYNC\r\n%(tag)s OK\r\n"
        if line.startswith(b"SELECT"):
            return (
                b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 9]\r\n"
                b"* OK [HIGHESTMODSEQ 5]\r\n%(tag)s OK\r\n"
            )
        return b'* ESEARCH (TAG "x") UID\r\n* OK [HIGHESTMODSEQ 99]\r\n%(tag)s OK [HIGHESTMODSEQ 99]\r\n'

    with scripted(answer) as server:
        account = scripted_account(server.port)
        deltas = list(account.observe(Folder("INBOX", "/", frozenset()), None, []))
        assert deltas[-1].cursor == Cursor("INBOX", UidValidity(7), Uid(9), ModSeq(5), 0)
        account.close()
