"""An IMAP server that says what a test dictates: for bytes that no real server sends on request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"
GREETING = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN LITERAL+ IDLE] ready\r\n"
LOGGED_IN = b"%(tag)s OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ IDLE] in\r\n"

Answer = bytes | list[bytes] | None
"""Octets, several pieces that are sent as packets of their own, or None: the server hangs up."""


@dataclass(slots=True)
class Scripted:
    """A running one. ``lines`` is what it was sent."""

    port: int
    lines: list[bytes] = field(default_factory=list)


@contextmanager
def scripted(answer: Callable[[bytes], Answer], *, greeting: bytes = GREETING) -> Iterator[Scripted]:
    """Serve connections one after another; ``answer`` gets each line, ``%(tag)s`` stands for its tag."""
    with socket.create_server((HOST, 0)) as listener:
        server = Scripted(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, server, answer, greeting), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _serve(
    listener: socket.socket, server: Scripted, answer: Callable[[bytes], Answer], greeting: bytes
) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock, suppress(OSError), sock.makefile("rb") as stream:
            sock.settimeout(20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(greeting)
            for line in stream:
                server.lines.append(line.rstrip(b"\r\n"))
                if not _say(sock, server.lines[-1], answer):
                    break


def _say(sock: socket.socket, line: bytes, answer: Callable[[bytes], Answer]) -> bool:
    tag, _, command = line.partition(b" ")
    said = answer(command)
    if said is None and command.upper().startswith(b"AUTHENTICATE"):
        said = LOGGED_IN
    if said is None:
        return False
    for piece in [said] if isinstance(said, bytes) else said:
        sock.sendall(piece.replace(b"%(tag)s", tag))
    return True
