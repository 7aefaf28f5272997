"""TLS that is not what was asked for is refused in IMAP, SMTP and POP3 alike, before any secret is said.

RFC 8314; for STARTTLS besides: a server that does not offer it, that refuses it, or before whose TLS
somebody slipped in octets (CVE-2011-0411), or that is logged in already (RFC 9051 section 7.1.4).
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncengine.delivery.account import Pop3Settings, SmtpSettings
from syncengine.delivery.pop3 import delete_by_token
from syncengine.delivery.smtp import attempt
from syncengine.errors import MailboxError
from syncengine.imap.replica import ImapAccount
from syncengine.imap.settings import AccountSettings
from syncengine.model import Security, token_of
from syncengine.rules.replies import Result
from tests.support.base import HOST
from tests.support.tls import Authority

SECRET = "planted-secret-91"
TOKEN = token_of("9" * 32)


@dataclass
class Impostor:
    """A server that shows a certificate at once, or after it was asked to start TLS."""

    port: int
    context: ssl.SSLContext
    dialogue: dict[bytes, bytes] | None
    """What is answered in clear, by the command's first word; None begins with TLS."""
    greeting: bytes = b""
    heard: list[bytes] = field(default_factory=list)
    handshakes: int = 0

    def serve(self, sock: socket.socket) -> None:
        """One connection, until TLS is there or not."""
        sock.settimeout(10)
        if self.dialogue is not None:
            sock.sendall(self.greeting)
            if not self._speak(sock, self.dialogue):
                return
        with self.context.wrap_socket(sock, server_side=True) as secured:
            self.handshakes += 1
            self.heard.append(secured.recv(4096))

    def _speak(self, sock: socket.socket, dialogue: dict[bytes, bytes]) -> bool:
        while line := sock.recv(4096):
            self.heard.append(line)
            words = line.split()
            tag = words[0] if words and words[0].startswith(b"v") else b""
            verb = (words[1] if tag else words[0]).upper()
            answer = dialogue.get(verb, b"%T BAD what\r\n" if tag else b"500 -ERR what\r\n")
            if not tag and b"POP" in self.greeting and answer.startswith(b"500"):
                answer = b"-ERR what\r\n"
            sock.sendall(answer.replace(b"%T", tag))
            if verb in (b"STARTTLS", b"STLS") and b"go" in answer:
                return True
        return False


@contextmanager
def impostor(
    context: ssl.SSLContext, dialogue: dict[bytes, bytes] | None = None, greeting: bytes = b""
) -> Iterator[Impostor]:
    with socket.create_server((HOST, 0)) as listener:
        one = Impostor(listener.getsockname()[1], context, dialogue, greeting)

        def run() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock, suppress(OSError, ssl.SSLError):
                    one.serve(sock)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield one
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


GREETINGS = {"imap": b"* OK IMAP4rev1\r\n", "smtp": b"220 hi\r\n", "pop3": b"+OK POP\r\n"}
STARTS: dict[str, dict[bytes, bytes]] = {
    "imap": {b"STARTTLS": b"%T OK go\r\n"},
    "smtp": {b"EHLO": b"250-hi\r\n250 STARTTLS\r\n", b"STARTTLS": b"220 go\r\n"},
    "pop3": {b"CAPA": b"+OK\r\nSTLS\r\n.\r\n", b"STLS": b"+OK go\r\n"},
}


def tried(protocol: str, port: int, security: Security, ca_file: Path) -> str:
    """Use a server as the engine does; what is said of it."""
    match protocol:
        case "imap":
            account = ImapAccount(
                AccountSettings(
                    host=HOST,
                    port=port,
                    security=security,
                    account="u",
                    secret=lambda: SECRET,
                    ca_file=str(ca_file),
                    timeout=10,
                ),
                recognise=lambda _: None,
            )
            with pytest.raises(MailboxError) as refused:
                account.folders()
            return str(refused.value)
        case "smtp":
            given = SmtpSettings(
                server=HOST,
                port=port,
                mail_from="u@example.com",
                helo_name="x.example.com",
                security=security,
                ca_file=ca_file,
                timeout=10,
                account="u",
                password=SECRET,
            )
            what = attempt(
                b"x",
                None,
                ("u@example.com",),
                given,
                token=TOKEN,
                on_data=lambda _: None,
                on_progress=lambda: None,
            )
            assert what.result is Result.CONFIGURATION
            return what.last_reply
        case _:
            pop3 = Pop3Settings(
                server=HOST,
                port=port,
                account="u",
                password=SECRET,
                security=security,
                ca_file=ca_file,
                timeout=10,
            )
            with pytest.raises(MailboxError) as refused:
                delete_by_token(pop3, TOKEN, uidl_cache={}, search_limit=1, recognise=lambda _: None)
            return str(refused.value)


def nothing_said(one: Impostor) -> None:
    """Neither secret nor account went out, in clear or under the wrong TLS."""
    said = b"".join(one.heard)
    for word in (SECRET.encode(), b"AUTH", b"LOGIN", b"PASS", b"USER", b"MAIL"):
        assert word not in said.upper().replace(b"AUTH=", b""), said


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize("protocol", STARTS)
@pytest.mark.parametrize("kind", ["wrong_name", "expired", "self_signed"])
def test_a_certificate_that_does_not_hold_is_refused(authority: Authority, kind, protocol, security):
    context = authority.server_context(getattr(authority, kind))
    dialogue = STARTS[protocol] if security is Security.STARTTLS else None
    with impostor(context, dialogue, GREETINGS[protocol]) as one:
        said = tried(protocol, one.port, security, authority.ca_file)
    assert "certificate" in said, said
    assert len(said.splitlines()) == 1
    nothing_said(one)


STRIPPED: dict[str, list[dict[bytes, bytes]]] = {
    "imap": [{}, {b"STARTTLS": b"%T NO not now\r\n"}, {b"STARTTLS": b"%T BAD what\r\n"}],
    "smtp": [
        {b"EHLO": b"250 hi\r\n", b"HELO": b"250 hi\r\n"},
        {b"EHLO": b"250-hi\r\n250 STARTTLS\r\n", b"STARTTLS": b"502 no\r\n"},
    ],
    "pop3": [
        {b"CAPA": b"+OK\r\nUIDL\r\n.\r\n"},
        {b"CAPA": b"-ERR what\r\n"},
        {b"CAPA": b"+OK\r\nSTLS\r\n.\r\n", b"STLS": b"-ERR no\r\n"},
    ],
}
BEFORE = {
    "imap": {b"STARTTLS": b"%T OK go\r\n* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] slipped in\r\n"},
    "smtp": STARTS["smtp"] | {b"STARTTLS": b"220 go\r\n250 slipped in\r\n"},
    "pop3": STARTS["pop3"] | {b"STLS": b"+OK go\r\n+OK slipped in\r\n"},
}


@pytest.mark.parametrize(
    ("protocol", "dialogue"), [(name, dialogue) for name, all_ in STRIPPED.items() for dialogue in all_]
)
def test_without_starttls_nothing_is_said(authority: Authority, protocol, dialogue):
    """Whoever sits in between takes the offer away, or refuses for the server."""
    with impostor(authority.server_context(), dialogue, GREETINGS[protocol]) as one:
        said = tried(protocol, one.port, Security.STARTTLS, authority.ca_file)
    assert "TLS" in said or said == "502 no", said
    assert one.handshakes == 0
    nothing_said(one)


@pytest.mark.parametrize("protocol", BEFORE)
def test_octets_before_tls_are_refused(authority: Authority, protocol):
    """They would be taken for the server's own words under TLS."""
    with impostor(authority.server_context(), BEFORE[protocol], GREETINGS[protocol]) as one:
        tried(protocol, one.port, Security.STARTTLS, authority.ca_file)
    nothing_said(one)


def test_a_session_that_is_logged_in_before_tls_is_refused(authority: Authority):
    """After PREAUTH there is no STARTTLS: somebody in between could speak for anybody."""
    with impostor(authority.server_context(), STARTS["imap"], b"* PREAUTH welcome\r\n") as one:
        tried("imap", one.port, Security.STARTTLS, authority.ca_file)
    nothing_said(one)
    assert not any(b"LIST" in line or b"SELECT" in line for line in one.heard)


@pytest.mark.parametrize("protocol", STARTS)
def test_the_impostor_is_believed_with_the_right_certificate(authority: Authority, protocol):
    """The tests above can fail: with a good certificate the session goes on under TLS."""
    with (
        impostor(authority.server_context(), STARTS[protocol], GREETINGS[protocol]) as one,
        suppress(AssertionError),
    ):
        tried(protocol, one.port, Security.STARTTLS, authority.ca_file)
    assert one.handshakes == 1
    assert one.heard[-1]
