"""A submission server in memory that delivers into a played account, with the same faults between octets."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.support.simimap.account import SimAccount
from tests.support.simimap.faults import Answer, Bye, Cut, Delay, Fault, Hook, Moment, Phase, Silence
from tests.support.simimap.server import SimServer
from tests.support.simimap.session import Close, Effect, Send, Wait


class SimSmtp:
    """Takes mail for the accounts of a played server; ``user@anything`` is the account ``user``."""

    def __init__(self, server: SimServer, *, hook: Hook | None = None) -> None:
        self.server = server
        self.lock = server.lock
        self.hook = hook
        self.taken = 0
        """Messages answered for, duplicates that were dropped included."""
        self.commands = 0

    def connect(self) -> SmtpSession:
        """Begin a session."""
        return SmtpSession(self)

    def watch(self, wake: Callable[[], None]) -> None:
        """Nothing happens here by itself."""


class SmtpSession:
    """One connection as a state machine (RFC 5321 section 4)."""

    def __init__(self, smtp: SimSmtp) -> None:
        self.smtp = smtp
        self.closed = False
        self._buffer = b""
        self._to: list[SimAccount] = []
        self._data: bytes | None = None

    def greet(self) -> list[Effect]:
        """What the server says first."""
        return [Send(b"220 played ESMTP\r\n")]

    def poll(self) -> list[Effect]:
        """A submission server pushes nothing."""
        return []

    def end(self) -> None:
        """The connection is over."""
        self.closed = True

    def feed(self, data: bytes) -> list[Effect]:
        """Take octets of the client."""
        self._buffer += data
        effects: list[Effect] = []
        while not self.closed:
            end = b"\r\n.\r\n" if self._data is not None else b"\r\n"
            cut = self._buffer.find(end)
            if cut < 0:
                break
            line, self._buffer = self._buffer[: cut + 2], self._buffer[cut + len(end) :]
            effects += self._guarded("." if self._data is not None else _verb(line), line)
        return effects

    def _guarded(self, name: str, line: bytes) -> list[Effect]:
        self.smtp.commands += 1
        effects: list[Effect] = []
        answer = b""
        for phase in Phase:
            moment = Moment(self.smtp.commands, 0, "", phase, f"SMTP {name}", b"")
            fault = self.smtp.hook(moment) if self.smtp.hook else None
            if isinstance(fault, Delay):
                effects.append(Wait(fault.seconds))
            elif fault is not None:
                return effects + self._spoil(fault, answer)
            if phase is Phase.BEFORE:
                answer = self._take(name, line)
        effects.append(Send(answer))
        return [*effects, Close()] if self.closed else effects

    def _spoil(self, fault: Fault, answer: bytes) -> list[Effect]:
        match fault:
            case Silence() | Delay():
                self._data = None
                return []
            case Answer(_, text):
                self._data = None
                return [Send(b"451 " + text.encode() + b"\r\n")]
            case Cut(sent):
                self.end()
                return [Send(answer[:sent]), Close()]
            case Bye(text):
                self.end()
                return [Send(b"421 " + text.encode() + b"\r\n"), Close()]

    def _take(self, name: str, line: bytes) -> bytes:
        match name:
            case "EHLO":
                return b"250-played\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n"
            case "HELO" | "NOOP" | "MAIL":
                return b"250 OK\r\n"
            case "RSET":
                self._to.clear()
                return b"250 OK\r\n"
            case "RCPT":
                return self._recipient(line)
            case "DATA":
                self._data = b""
                return b"354 go on\r\n" if self._to else b"503 no recipient\r\n"
            case ".":
                return self._deliver(line)
            case "QUIT":
                self.end()
                return b"221 bye\r\n"
            case _:
                return b"502 unknown\r\n"

    def _recipient(self, line: bytes) -> bytes:
        found = re.search(rb"<([^@>]+)@", line)
        account = self.smtp.server.accounts.get(found[1].decode()) if found else None
        if account is None:
            return b"550 5.1.1 no such user\r\n"
        self._to.append(account)
        return b"250 OK\r\n"

    def _deliver(self, data: bytes) -> bytes:
        raw = re.sub(rb"(?m)^\.\.", b".", data)
        for account in self._to:
            account.deliver(raw, copy_in_sent=True)
        self.smtp.taken += 1
        self._to, self._data = [], None
        return b"250 2.0.0 taken\r\n"


def _verb(line: bytes) -> str:
    return line.split(b" ")[0].strip().decode("ascii", "replace").upper()
