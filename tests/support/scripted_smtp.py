"""An SMTP server that obeys a script: for every step of a session what it answers, or how it fails.

It notes what it was sent, octet by octet, so that a test can say what was on the wire.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto

from tests.support.base import HOST
from tests.support.waiting import eventually


class Does(Enum):
    """What a server may do instead of answering."""

    CLOSE = auto()
    """Close the connection."""
    NOTHING = auto()
    """Say nothing, and read on until the client goes."""
    STOP_READING = auto()
    """Read no more until released, then note what was still sent."""


Answer = str | bytes | Does
"""Text is sent with CRLF, bytes as they are; lists of these are used up, the last one stays."""

NORMAL: Mapping[str, Answer] = {
    "GREETING": "220 mail.example ESMTP",
    "EHLO": "250-mail.example\r\n250 HELP",
    "HELO": "250 mail.example",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 welcome",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go ahead",
    "BODY": "",
    "END": "250 ok 902549473 qp 24035",
    "QUIT": "221 mail.example",
}


@dataclass(slots=True)
class Session:
    """What one connection brought."""

    commands: list[str] = field(default_factory=list)
    body: bytes = b""
    """What came after 354, without the final dot."""
    dotted: bool = False
    """Whether the final dot came."""
    encrypted: bool = False
    over: bool = False

    def verbs(self) -> list[str]:
        """The first words of the commands."""
        return [command.split()[0].upper() if command.split() else "" for command in self.commands]


class ScriptedSmtp:
    """The server while it runs."""

    def __init__(
        self, script: Mapping[str, Answer | list[Answer]], tls: ssl.SSLContext | None, *, at_once: bool
    ):
        self._script: dict[str, list[Answer]] = {
            step: list(answer) if isinstance(answer, list) else [answer]
            for step, answer in {**NORMAL, **script}.items()
        }
        self._tls = tls
        self._at_once = at_once
        self.released = threading.Event()
        self.sessions: list[Session] = []
        self._listener = socket.create_server((HOST, 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def session(self, number: int = 0) -> Session:
        """Return a session that is over."""
        return eventually(lambda: next((s for s in self.sessions[number : number + 1] if s.over), None))

    def close(self) -> None:
        """Take no more connections."""
        self.released.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                session = Session()
                self.sessions.append(session)
                threading.Thread(target=self._serve, args=(sock, session), daemon=True).start()

    def _serve(self, sock: socket.socket, session: Session) -> None:
        link = _Link(sock)
        try:
            sock.settimeout(20)
            if self._at_once and self._tls:
                link.encrypt(self._tls)
                session.encrypted = True
            self._talk(link, session)
        except (OSError, _Gone):
            pass
        finally:
            with suppress(OSError):
                link.sock.close()
            session.over = True

    def _talk(self, link: _Link, session: Session) -> None:
        self._answer("GREETING", link)
        while True:
            line = link.line().decode("utf-8", "replace").rstrip("\r\n")
            session.commands.append(line)
            verb = (line.split() or ["?"])[0].upper()
            if verb not in self._script:
                verb = "AUTH"  # an answer to a challenge
            sent = self._answer(verb, link)
            if verb == "STARTTLS" and sent.startswith(b"220") and self._tls:
                link.encrypt(self._tls)
                session.encrypted = True
            elif verb == "DATA" and sent.startswith(b"354"):
                self._body(link, session)
            elif verb == "QUIT":
                return

    def _body(self, link: _Link, session: Session) -> None:
        behaviour = self._next("BODY")
        if behaviour is Does.STOP_READING:
            self.released.wait(20)
            session.body = link.rest()
            session.dotted = b"\r\n.\r\n" in session.body
            raise _Gone
        if behaviour != "":
            session.body += link.line()
            if behaviour is Does.CLOSE:
                raise _Gone
            link.say(behaviour)
            raise _Gone
        try:
            while (line := link.line()) != b".\r\n":
                session.body += line
        except (_Gone, OSError):
            session.body += link.buffer
            raise
        session.dotted = True
        self._answer("END", link)

    def _answer(self, step: str, link: _Link) -> bytes:
        answer = self._next(step)
        if answer is Does.CLOSE:
            raise _Gone
        if answer is Does.NOTHING:
            while True:
                link.line()
        return link.say(answer)

    def _next(self, step: str) -> Answer:
        answers = self._script[step]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class _Gone(Exception):
    """The connection is over."""


class _Link:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""

    def encrypt(self, context: ssl.SSLContext) -> None:
        self.sock = context.wrap_socket(self.sock, server_side=True)

    def line(self) -> bytes:
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise _Gone
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def rest(self) -> bytes:
        """Whatever comes until the client is gone."""
        parts = [self.buffer]
        with suppress(OSError):
            while part := self.sock.recv(1 << 20):
                parts.append(part)
        return b"".join(parts)

    def say(self, answer: Answer) -> bytes:
        data = answer.encode() + b"\r\n" if isinstance(answer, str) else answer
        assert isinstance(data, bytes)
        self.sock.sendall(data)
        return data


@contextmanager
def scripted(
    script: Mapping[str, Answer | list[Answer]] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    at_once: bool = False,
) -> Iterator[ScriptedSmtp]:
    """Run a server that departs from NORMAL as ``script`` says; ``at_once``: TLS before the greeting."""
    server = ScriptedSmtp(script or {}, tls, at_once=at_once)
    try:
        yield server
    finally:
        server.close()
