"""Deleting over POP3: on Dovecot what is deleted, and against a scripted server what never is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import pytest

from syncengine.delivery.account import Pop3Settings
from syncengine.delivery.pop3 import Pop3Result, delete_by_token
from syncengine.delivery.steps import pop3_steps
from syncengine.errors import AuthenticationFailed, ConnectionLost, MailboxError, Throttled
from syncengine.model import Security, Token, token_of
from syncengine.rules.identity import recognise
from tests.support.base import HOST, Login
from tests.support.dovecot import Dovecot
from tests.support.mailprogram import MailProgram

DOMAIN = "pbx.example.com"
WHOSE = partial(recognise, domain=DOMAIN, mailbox="101", own_addresses=frozenset())


def token(number: int) -> Token:
    return token_of(f"{number:032x}")


def voice(number: int) -> bytes:
    return (
        f"Message-ID: <{token(number)}@{DOMAIN}>\r\nX-VM-Message-UUID: {token(number)}\r\n"
        f"Subject: call {number}\r\n\r\nRef: {token(number)}\r\n"
    ).encode()


def quoted(number: int) -> bytes:
    """A mail about a message of ours, that is not it."""
    return (
        f"Subject: about\r\nIn-Reply-To: <{token(number)}@{DOMAIN}>\r\n\r\nRef: {token(number)}\r\n".encode()
    )


def settings(at: Dovecot, login: Login, /, **changed: object) -> Pop3Settings:
    usual = Pop3Settings(
        server=at.host,
        port=at.pop3s_port or 0,
        account=login.user,
        password=login.password,
        ca_file=at.ca_file,
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


def delete(
    given: Pop3Settings, number: int, cache: Mapping[str, Token | None] | None = None, limit: int = 200
) -> Pop3Result:
    return delete_by_token(given, token(number), uidl_cache=cache or {}, search_limit=limit, recognise=WHOSE)


def fill(server: Dovecot, login: Login, *messages: bytes) -> None:
    with MailProgram(server, login) as program:
        for message in messages:
            program.append(message)


def subjects(server: Dovecot, login: Login) -> list[str]:
    with MailProgram(server, login) as program:
        program.client.select_folder("INBOX", readonly=True)
        found = program.client.fetch(program.client.search("ALL") or [0], ["ENVELOPE"])
        return [found[uid][b"ENVELOPE"].subject.decode() for uid in sorted(found)]


@pytest.mark.parametrize("security", Security)
def test_a_message_is_found_by_its_header_and_deleted_alone(dovecot: Dovecot, security: Security) -> None:
    login = dovecot.new_user()
    fill(dovecot, login, voice(1), voice(2), quoted(2), voice(3))
    port = dovecot.pop3s_port if security is Security.TLS else dovecot.pop3_port
    result = delete(settings(dovecot, login, security=security, port=port), 2)
    assert (result.found, result.deleted) == (True, True)
    assert subjects(dovecot, login) == ["call 1", "about", "call 3"]
    assert sorted(str(carried) for carried in result.seen.values()) == sorted(
        ["None", token(1), token(2), token(3)]
    )


def test_every_copy_is_deleted(dovecot: Dovecot) -> None:
    login = dovecot.new_user()
    fill(dovecot, login, voice(1), voice(2), voice(1))
    assert delete(settings(dovecot, login), 1).deleted
    assert subjects(dovecot, login) == ["call 2"]


def test_the_cache_spares_looking_and_is_verified_all_the_same(dovecot: Dovecot) -> None:
    login = dovecot.new_user()
    fill(dovecot, login, voice(1), voice(2), voice(3))
    seen = delete(settings(dovecot, login), 9).seen
    again = delete(settings(dovecot, login), 2, cache=seen)
    assert (again.deleted, list(again.seen.values())) == (True, [token(2)])
    lie = {uidl: token(7) for uidl in seen}
    wrong = delete(settings(dovecot, login), 7, cache=lie)
    assert (wrong.found, wrong.deleted) == (False, False)
    assert subjects(dovecot, login) == ["call 1", "call 3"]


def test_the_search_looks_at_the_newest_and_no_further_than_its_bound(dovecot: Dovecot) -> None:
    login = dovecot.new_user()
    fill(dovecot, login, voice(1), voice(2), voice(3))
    beyond = delete(settings(dovecot, login), 1, limit=2)
    assert (beyond.found, set(beyond.seen.values())) == (False, {token(2), token(3)})
    assert delete(settings(dovecot, login), 1, cache=beyond.seen, limit=2).deleted


def test_what_is_not_there_and_an_empty_mailbox_are_not_found(dovecot: Dovecot) -> None:
    login = dovecot.new_user()
    assert delete(settings(dovecot, login), 1) == Pop3Result(found=False, deleted=False, seen={})


def test_a_wrong_password_is_said_without_it(dovecot: Dovecot) -> None:
    login = dovecot.new_user()
    with pytest.raises(AuthenticationFailed, match="login refused") as caught:
        delete(settings(dovecot, login, password="hunter2 secret"), 1)
    assert "hunter2" not in str(caught.value)


def test_a_password_with_a_line_end_becomes_no_command(dovecot: Dovecot) -> None:
    login = dovecot.new_user()
    fill(dovecot, login, voice(1))
    with pytest.raises(AuthenticationFailed, match="line end"):
        delete(settings(dovecot, login, password=f"{login.password}\r\nDELE 1"), 1)
    assert subjects(dovecot, login) == ["call 1"]


def test_an_untrusted_certificate_is_refused(dovecot: Dovecot) -> None:
    with pytest.raises(MailboxError, match="certificate is not trusted"):
        delete(settings(dovecot, dovecot.new_user(), ca_file=None), 1)


def test_check_goes_step_by_step_and_stops_at_the_first_that_fails(dovecot: Dovecot) -> None:
    login = dovecot.new_user()
    fill(dovecot, login, voice(1))
    good = list(pop3_steps(settings(dovecot, login)))
    assert [(step.name, step.ok) for step in good] == [
        (name, True) for name in ("name", "tcp", "tls", "greeting", "login", "stat", "uidl")
    ]
    assert good[-1].detail == "1 unique-ids"
    plain = settings(dovecot, login, security=Security.STARTTLS, port=dovecot.pop3_port)
    assert [step.name for step in pop3_steps(plain)][2:4] == ["greeting", "starttls"]
    refused = list(pop3_steps(settings(dovecot, login, password="wrong")))
    assert (refused[-1].name, refused[-1].ok) == ("login", False)
    gone = list(pop3_steps(settings(dovecot, login, server="no-such-host.invalid")))
    assert [(step.name, step.ok) for step in gone] == [("name", False)]


# A server that obeys a script

HEADER = voice(1).partition(b"\r\n\r\n")[0].decode()
POP: Mapping[str, str] = {
    "GREETING": "+OK hello",
    "CAPA": "+OK\r\nUSER\r\n.",
    "USER": "+OK",
    "PASS": "+OK",
    "STAT": "+OK 1 100",
    "UIDL": "+OK\r\n1 aaa\r\n.",
    "TOP": f"+OK\r\n{HEADER}\r\n\r\n.",
    "DELE": "+OK",
    "QUIT": "+OK",
}


@contextmanager
def scripted(**script: str) -> Iterator[tuple[Pop3Settings, list[str]]]:
    """Run a POP3 server for one connection; an empty answer closes it, and ``...`` is silence."""
    said: list[str] = []

    def serve(listener: socket.socket) -> None:
        answers = {**POP, **script}
        with suppress(OSError):
            sock, _ = listener.accept()
            with sock, sock.makefile("rb") as lines:
                verb = "GREETING"
                while answers.get(verb, "-ERR what"):
                    if answers[verb] != "...":
                        sock.sendall(answers.get(verb, "-ERR what").encode() + b"\r\n")
                    line = lines.readline().decode().strip()
                    if not line or verb == "QUIT":
                        return
                    said.append(line)
                    verb = line.split()[0]

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield (
            Pop3Settings(
                server=HOST,
                port=listener.getsockname()[1],
                account="a",
                password="b",
                security=Security.NONE,
                timeout=0.5,
            ),
            said,
        )
        thread.join(5)


def test_without_uidl_the_headers_are_looked_at_and_nothing_is_remembered() -> None:
    with scripted(UIDL="-ERR what") as (given, said):
        result = delete(given, 1)
    assert (result.deleted, result.seen) == (True, {})
    assert said == ["USER a", "PASS b", "UIDL", "STAT", "TOP 1 0", "DELE 1", "QUIT"]


@pytest.mark.parametrize("script", [{"DELE": "-ERR locked"}, {"QUIT": "-ERR some messages not removed"}])
def test_deleted_is_only_what_dele_and_quit_confirmed(script: dict[str, str]) -> None:
    with scripted(**script) as (given, _):
        result = delete(given, 1)
    assert (result.found, result.deleted) == (True, False)


def test_a_message_whose_header_cannot_be_read_is_left_alone() -> None:
    with scripted(TOP="-ERR what") as (given, said):
        result = delete(given, 1)
    assert (result.found, result.seen) == (False, {})
    assert "DELE 1" not in said


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ({"GREETING": ""}, ConnectionLost),
        ({"GREETING": "HTTP/1.1 200"}, ConnectionLost),
        ({"PASS": ""}, ConnectionLost),
        ({"UIDL": "+OK\r\n1 aaa"}, ConnectionLost),
        ({"UIDL": "garbage"}, ConnectionLost),
        ({"UIDL": "-ERR", "STAT": "+OK many"}, ConnectionLost),
        ({"UIDL": "-ERR", "STAT": "+OK"}, ConnectionLost),
        ({"TOP": "what"}, ConnectionLost),
        ({"DELE": ""}, ConnectionLost),
        ({"QUIT": ""}, ConnectionLost),
        ({"QUIT": "..."}, ConnectionLost),
        ({"PASS": "-ERR [IN-USE] locked by another"}, Throttled),
        ({"PASS": "-ERR [AUTH] no"}, AuthenticationFailed),
    ],
)  # fmt: skip
def test_whatever_is_doubtful_ends_without_quit(script: dict[str, str], error: type[Exception]) -> None:
    with scripted(**script) as (given, said), pytest.raises(error, match=given.server) as caught:
        delete(given, 1)
    assert "\n" not in str(caught.value)
    assert "QUIT" in script or "QUIT" not in said
    assert "DELE" in script or "QUIT" in script or "DELE 1" not in said


@pytest.mark.parametrize(
    "lines", ["x" * 1_100_000 + "\r\n", f"X: {'y' * 95}\r\n" * 180_000], ids=["line", "lines"]
)
def test_a_header_without_end_ends_the_session_and_deletes_nothing(lines: str) -> None:
    with (
        scripted(TOP=f"+OK\r\n{HEADER}\r\n{lines}.") as (given, said),
        pytest.raises(ConnectionLost, match="too long"),
    ):
        delete(replace(given, timeout=10), 1)
    assert said[-1] == "TOP 1 0"


def test_stls_fails_closed_and_a_login_in_the_clear_is_refused_off_loopback() -> None:
    with scripted() as (given, said), pytest.raises(MailboxError, match="no STLS"):
        delete(replace(given, security=Security.STARTTLS), 1)
    assert said == ["CAPA"]
    injected = {"CAPA": "+OK\r\nSTLS\r\n.", "STLS": "+OK\r\n+OK injected"}
    with scripted(**injected) as (given, said), pytest.raises(MailboxError, match="plaintext came"):
        delete(replace(given, security=Security.STARTTLS), 1)
    assert said == ["CAPA", "STLS"]
    with pytest.raises(AuthenticationFailed, match="without encryption"):
        delete(replace(given, server="pop.example.com"), 1)


def test_a_server_that_echoes_the_password_does_not_get_it_shown() -> None:
    with scripted(PASS="-ERR not hunter2") as (given, _), pytest.raises(AuthenticationFailed) as caught:
        delete(replace(given, password="hunter2"), 1)
    assert "hunter2" not in str(caught.value)
