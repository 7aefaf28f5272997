"""A client for the tests of the played server that hides nothing, and mail to play with."""

from __future__ import annotations

import re
import socket
from typing import Any

from tests.support.simimap.fronts import SimSocket
from tests.support.simimap.profiles import PROFILES, Profile
from tests.support.simimap.server import SimServer, VirtualClock

MAIL = (
    b"From: Peter Adams <peter@example.org>\r\nTo: b@example.org\r\n"
    b"Subject: Voice message\r\n from 12035550117\r\n"
    b"Message-ID: <%d.token@example.org>\r\nDate: Mon, 23 Nov 2026 15:15:00 +0000\r\n"
    b"X-VM-Mailbox: 10%d\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=zz\r\n\r\n"
    b"--zz\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Ref: vm-%032d-=\r\nz\r\n--zz\r\nContent-Type: audio/wav; name=a.wav\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.wav\r\n\r\n"
    b"UklGRg==\r\n--zz\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nX-Inner: deep\r\n\r\n"
    b"attached\r\n--zz--\r\n"
)


def mail(number: int) -> bytes:
    """A message of three parts that has its number in its Message-ID, mailbox and token."""
    return MAIL % (number, number, number)


class Wire:
    """A client that hides nothing: lines out, answers back as they came."""

    def __init__(self, sock: socket.socket | SimSocket, user: str, password: str) -> None:
        self.sock = sock
        self.buffer = b""
        self.count = 0
        self.line()
        assert self.do(f"LOGIN {user} {password}")[-1].startswith(b"OK")

    def line(self) -> bytes:
        """One line, its literals in it."""
        text = self._until_newline()
        while found := re.search(rb"\{(\d+)\}\r\n\Z", text):
            while len(self.buffer) < int(found[1]):
                self.buffer += self._more()
            text += self.buffer[: int(found[1])]
            self.buffer = self.buffer[int(found[1]) :]
            text += self._until_newline()
        return text

    def do(self, command: str, literal: bytes | None = None) -> list[bytes]:
        """The untagged lines of the answer, then the tagged one without its tag."""
        self.count += 1
        tag = b"t%d " % self.count
        self.send(tag + command.encode() + (b" {%d}" % len(literal) if literal is not None else b""))
        if literal is not None:
            asked = self.line()
            if asked.startswith(tag):
                return [asked[len(tag) :]]
            assert asked.startswith(b"+")
            self.send(literal)
        lines = []
        while not (line := self.line()).startswith(tag):
            lines.append(line)
        return [*lines, line[len(tag) :]]

    def send(self, line: bytes) -> None:
        """One line out."""
        self.sock.sendall(line + b"\r\n")

    def _more(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionResetError
        return data

    def _until_newline(self) -> bytes:
        while b"\n" not in self.buffer:
            self.buffer += self._more()
        text, _, self.buffer = self.buffer.partition(b"\n")
        return text + b"\n"


def on_sim(profile: Profile | str = "qresync", **how: Any) -> tuple[SimServer, Wire]:
    """A played server with the user ``u``, and a session that is logged in."""
    server = SimServer(PROFILES[profile] if isinstance(profile, str) else profile, **how)
    server.add_user("u", "secret")
    return server, again(server)


def again(server: SimServer) -> Wire:
    """One more session of the same user."""
    pause = server.clock.advance if isinstance(server.clock, VirtualClock) else None
    return Wire(SimSocket(server, timeout=30, pause=pause), "u", "secret")
