"""One bounded connection for smtplib and poplib, which bound neither the time nor the length of an answer.

Invariant: whatever the server sends, an answer ends in time and within its budget of octets, or it
raises ``OSError``; TLS that cannot be trusted raises :class:`TlsRefused`.
"""

from __future__ import annotations

import base64
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

PACE = 5.0
"""Seconds between two calls of a progress callback, and of waiting after which it is called."""

SHOWN = 300
"""Characters of a server's text that are shown."""


class TlsRefused(OSError):
    """No TLS that can be trusted is to be had from this server; trying again will not help."""


def dial(server: str, port: int, timeout: float) -> socket.socket:
    """Open a TCP connection; raises ``OSError`` with one line that says what is wrong."""
    try:
        return socket.create_connection((server, port), timeout)
    except socket.gaierror as error:
        raise OSError(f"the name is not found ({error.strerror})") from error
    except TimeoutError:
        raise OSError(f"no connection within {timeout:g} s") from None
    except OSError as error:
        raise OSError(f"no connection ({error.strerror or error})") from error
    except (ValueError, OverflowError):
        raise OSError("that is no server name and port") from None


def encrypt(sock: socket.socket, server: str, ca_file: Path | None) -> ssl.SSLSocket:
    """Return the connection under TLS, the certificate and its name verified; closes it on any error."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        sock.close()
        raise TlsRefused(f"{ca_file}: the certificates cannot be read ({error.strerror})") from error
    try:
        return context.wrap_socket(sock, server_hostname=server)
    except ssl.SSLCertVerificationError as error:
        sock.close()
        advice = "; is it one of your own? ca_file names its authority" if _own(error) else ""
        raise TlsRefused(f"the certificate is not trusted: {error.verify_message}{advice}") from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError):
        sock.close()
        raise ConnectionError("the server closed the connection during the TLS handshake") from None
    except ssl.SSLError as error:
        sock.close()
        raise TlsRefused(f"no TLS handshake ({error.reason}); does the port fit the security?") from error
    except TimeoutError:
        sock.close()
        raise TimeoutError("the TLS handshake took too long") from None
    except (OSError, ValueError):
        sock.close()
        raise


def _own(error: ssl.SSLCertVerificationError) -> bool:
    """Whether the chain ends at nobody known: self-signed, or without its issuer (OpenSSL's codes)."""
    return error.verify_code in {18, 19, 20, 21}


def one_line(text: bytes) -> str:
    """Return a server's text as one printable, bounded line."""
    words = " ".join(text[: 4 * SHOWN].decode("utf-8", "replace").split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)[:SHOWN]


def without(text: bytes, *secrets: bytes) -> bytes:
    """Return a server's text without secrets, plain or in base64, that it may echo."""
    for secret in filter(None, secrets):
        for shown in (secret, base64.b64encode(secret)):
            text = text.replace(shown, b"...")
    return text


def paced(callback: Callable[[], None]) -> Callable[[], None]:
    """Return ``callback`` as something that may be called often: it is called every :data:`PACE` seconds."""
    last = time.monotonic()

    def call() -> None:
        nonlocal last
        if time.monotonic() - last >= PACE:
            last = time.monotonic()
            callback()

    return call


class LineReader:
    """Lines of a socket under a deadline and a budget, in place of the libraries' ``makefile``."""

    def __init__(self, sock: socket.socket, *, on_wait: Callable[[], None] | None = None) -> None:
        self._sock = sock
        self._on_wait = on_wait
        self._buffer = b""
        self._deadline = 0.0
        self._seconds = 0.0
        self._budget = 0

    def allow(self, seconds: float, octets: int) -> None:
        """Let the next answer take so long and be so large."""
        self._seconds, self._budget = seconds, octets
        self._deadline = time.monotonic() + seconds

    def readline(self, limit: int) -> bytes:
        """Return a line with its end; raises ``OSError`` beyond ``limit``, deadline or budget."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > min(limit, self._budget):
                raise OSError("the server's answer is too long")
            self._receive()
        line, self._buffer = self._buffer[: end + 1], self._buffer[end + 1 :]
        self._budget -= len(line)
        if len(line) > limit or self._budget < 0:
            raise OSError("the server's answer is too long")
        return line

    def unasked(self) -> bool:
        """Whether the server has already sent something that nobody asked for."""
        if self._buffer:
            return True
        self._sock.settimeout(0)
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def _receive(self) -> None:
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer within {self._seconds:g} s")
            self._sock.settimeout(min(left, PACE))
            try:
                data = self._sock.recv(65536)
            except TimeoutError:
                data = None
            if self._on_wait is not None:
                self._on_wait()
            if data == b"":
                raise ConnectionError("the server closed the connection")
            if data:
                self._buffer += data
                return
