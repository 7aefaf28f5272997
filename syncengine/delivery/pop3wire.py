"""POP3 on the wire: poplib's commands over a bounded connection.

poplib reads answers of any length without a deadline, refuses header lines beyond 2 KiB, lets a line
end into a command and TLS be started over what was already sent. Invariant: every answer ends in
time and within 16 MiB, and no argument can become a second command.
"""

from __future__ import annotations

import poplib
import re
import socket
from contextlib import suppress

from syncengine.delivery.account import Pop3Settings, SmtpSettings
from syncengine.delivery.channel import LineReader, TlsRefused, dial, encrypt, one_line, without
from syncengine.errors import AuthenticationFailed, Throttled
from syncengine.model import Security

_LINE = 1024 * 1024
_ANSWER = 16 * 1024 * 1024
_COME_BACK = 60.0
_BUSY = re.compile(r"\[(?:IN-USE|LOGIN-DELAY|SYS/TEMP)\]", re.IGNORECASE)
"""Response codes of a login that may work later (RFC 2449 section 8, RFC 3206)."""


class Pop3Wire(poplib.POP3):
    """One session over a connection that is already open, greeting read; raises what poplib raises."""

    def __init__(self, settings: Pop3Settings, sock: socket.socket) -> None:
        self._settings = settings
        self._opened = sock
        self._lines = LineReader(sock)
        self._lines.allow(settings.timeout, _ANSWER)
        try:
            super().__init__(settings.server, settings.port, timeout=settings.timeout)
        except BaseException:
            self.drop()
            raise

    def starttls(self) -> None:
        """Go on under TLS, where the settings say so (RFC 2595); raises :class:`TlsRefused`."""
        if self._settings.security is not Security.STARTTLS:
            return
        try:
            offered = "STLS" in self.capa()
        except poplib.error_proto as error:
            if not said(error).startswith(b"-ERR"):
                raise
            offered = False
        if not offered:
            raise TlsRefused("the server offers no STLS")
        self._putline(b"STLS")
        answer, _ = self._getline()
        if not answer.startswith(b"+OK"):
            raise TlsRefused(f"STLS is refused: {one_line(answer)}")
        if self._lines.unasked():
            raise TlsRefused("plaintext came before the TLS handshake")
        self.sock.settimeout(self._settings.timeout)
        self.sock = encrypt(self.sock, self._settings.server, self._settings.ca_file)
        self._lines = LineReader(self.sock)

    def login(self) -> None:
        """Log in with USER and PASS; raises ``AuthenticationFailed``, or ``Throttled`` where it may pass."""
        settings = self._settings
        try:
            self.user(settings.account)
            self.pass_(settings.password)
        except poplib.error_proto as error:
            secret = settings.password.encode("utf-8", "surrogatepass")
            text = f"{where(settings)}: login refused: {one_line(without(said(error), secret))}"
            if _BUSY.search(text):
                raise Throttled(text, _COME_BACK) from None
            raise AuthenticationFailed(f"{text}; check the account and its password") from None

    def drop(self) -> None:
        """Close the connection without QUIT: nothing that was marked is deleted (RFC 1939 section 6)."""
        with suppress(OSError):
            if hasattr(self, "file"):
                self.close()
        self._opened.close()

    def _create_socket(self, timeout: float) -> socket.socket:  # noqa: ARG002 - poplib's signature
        return self._opened

    def _putline(self, line: bytes) -> None:
        if re.search(rb"[\r\n\0]", line):
            raise poplib.error_proto(b"-ERR a line end in an account or a password is not sent")
        self._lines.allow(self._settings.timeout, _ANSWER)
        self.sock.settimeout(self._settings.timeout)
        self.sock.sendall(line + b"\r\n")

    def _getline(self) -> tuple[bytes, int]:
        line = self._lines.readline(_LINE)
        return line.rstrip(b"\r\n"), len(line)


def open_socket(settings: Pop3Settings) -> socket.socket:
    """Open the connection, under TLS where the settings say that it comes first."""
    sock = dial(settings.server, settings.port, settings.timeout)
    return encrypt(sock, settings.server, settings.ca_file) if settings.security is Security.TLS else sock


def where(settings: Pop3Settings | SmtpSettings) -> str:
    """Return the server and port as errors name them."""
    return f"{settings.server}:{settings.port}"


def said(error: poplib.error_proto) -> bytes:
    """Return what the server said that made poplib raise ``error``."""
    text = error.args[0] if error.args else b""
    return text if isinstance(text, bytes) else str(text).encode()
