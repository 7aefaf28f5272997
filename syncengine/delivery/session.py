"""The way into an SMTP server, from the name to the login; shared by sending and by ``check``.

Invariant: a session goes on only after an answer whose verdict is success; everything else is one
:class:`Stop`, and after STARTTLS was asked for nothing goes on without TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from syncengine.delivery.account import Authentication, SmtpSettings
from syncengine.delivery.channel import TlsRefused, one_line
from syncengine.delivery.wire import Reply, SmtpWire, reply_of
from syncengine.model import Security
from syncengine.rules.replies import HELO_INSTEAD, Fault, Phase, Result, verdict

_FAREWELL = 2.0
"""Seconds that the answer to QUIT may take; what counts is settled before it."""


class Stop(Exception):
    """The session cannot go on. ``phase`` and ``reply`` say what becomes of those not yet settled.

    ``polite``: the server still listens for commands, so that QUIT may be sent.
    """

    def __init__(self, phase: Phase, reply: Reply, *, polite: bool | None = None) -> None:
        super().__init__(str(reply))
        self.phase = phase
        self.reply = reply
        self.polite = reply.code not in (Fault.SILENCE, Fault.UNTRUSTED, 421) if polite is None else polite


class Session:
    """One connection to an SMTP server; ``phase`` tells how far it came, ``last`` what was said there."""

    def __init__(self, settings: SmtpSettings, on_progress: Callable[[], None]) -> None:
        self.settings = settings
        self.wire = SmtpWire(settings, on_progress)
        self.phase = Phase.CONNECT
        self.last = Reply(Fault.SILENCE, "")

    def open(self) -> None:
        """Connect, encrypt, greet and log in as the settings say; raises :class:`Stop`."""
        self.refuse_plaintext_login()
        self.connect()
        self.encrypt_first()
        self.greet()
        self.starttls()
        self.login()

    def refuse_plaintext_login(self) -> None:
        """Stop before anything is sent, if the password would cross the open network unencrypted."""
        if self.settings.plaintext_login:
            text = "a login without encryption is refused; set security, or allow_plaintext"
            self.stop(Phase.AUTH, Fault.NOT_OFFERED, text)

    def connect(self) -> None:
        """Open the TCP connection."""
        with self.within(Phase.CONNECT):
            self.wire.dial()

    def encrypt_first(self) -> None:
        """Start TLS before the greeting, where the settings say so (RFC 8314)."""
        if self.settings.security is Security.TLS:
            with self.within(Phase.TLS):
                self.wire.encrypt()

    def greet(self) -> None:
        """Read the greeting and introduce ourselves."""
        with self.within(Phase.CONNECT):
            self.expect(reply_of(self.wire.getreply()))
        self._hello()

    def starttls(self) -> None:
        """Go on under TLS and introduce ourselves again, where the settings say so (RFC 3207)."""
        if self.settings.security is not Security.STARTTLS:
            return
        with self.within(Phase.TLS):
            if not self.wire.has_extn("starttls"):
                self.stop(Phase.TLS, Fault.NOT_OFFERED, "the server offers no STARTTLS")
            self.expect(self.wire.ask("STARTTLS"))
            self.wire.encrypt()
        self._hello()

    def login(self) -> None:
        """Log in, where the settings say so."""
        if self.settings.authentication is not Authentication.NONE:
            with self.within(Phase.AUTH):
                self.expect(self.wire.authenticate())

    def quit(self) -> None:
        """Say QUIT and wait for the answer a moment; nothing depends on it."""
        with suppress(OSError):
            self.wire.timeout = _FAREWELL
            self.wire.ask("QUIT")

    def expect(self, reply: Reply) -> None:
        """Note the reply; stop unless it means success in the present phase."""
        self.last = reply
        if verdict(self.phase, reply.code) is not Result.SUCCESS:
            raise Stop(self.phase, reply)

    def stop(self, phase: Phase, fault: Fault, text: str) -> NoReturn:
        """Stop for a reason that the server did not give."""
        self.phase = phase
        self.last = Reply(fault, f"{self.settings.server}:{self.settings.port}: {text}")
        raise Stop(phase, self.last)

    @contextmanager
    def within(self, phase: Phase) -> Iterator[None]:
        """Do one step in ``phase``; a fault of the connection is a :class:`Stop`."""
        self.phase = phase
        try:
            yield
        except TlsRefused as error:
            self.stop(phase, Fault.UNTRUSTED, one_line(str(error).encode()))
        except OSError as error:
            self.stop(phase, Fault.SILENCE, one_line(str(error).encode()))

    def _hello(self) -> None:
        with self.within(Phase.HELO):
            reply = reply_of(self.wire.ehlo())
            if reply.code in HELO_INSTEAD:
                reply = reply_of(self.wire.helo())
            self.expect(reply)
