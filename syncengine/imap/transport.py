"""The byte layer under imapclient: own buffer, bounded, timed, counted.

imaplib's reader hides the end of the connection, loses IDLE lines that share a packet and stops at a
million octets a line; this one replaces it through imaplib's documented override points. After any
exception the transport is dead: nothing here repairs a half-read stream.
"""

from __future__ import annotations

import imaplib
import re
import select
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from imapclient import IMAPClient, SocketTimeout

MAX_LINE = 16 << 20
"""Octets of one line: a SEARCH answer that names two million UIDs."""
_CONNECT = 20.0
"""Seconds for TCP itself; a server that is there answers in less."""
_READ = 1 << 18
_INFLATED = 1 << 20


Told = Callable[[socket.socket], None]


class Transport(imaplib.IMAP4):
    """A connected socket, spoken to in lines and literals.

    Raises ``OSError`` when the peer is gone or silent for longer than the timeout, and
    ``imaplib.IMAP4.abort`` for lines without end.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout: float,
        context: ssl.SSLContext | None,
        told: Told | None = None,
    ) -> None:
        self._patience = timeout
        self._context = context
        self._tell = told
        self._buffer = bytearray()
        self._inflate: Any = None
        self._deflate: Any = None
        self._inflating = False
        self._server_spoke = False
        self.round_trips = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.received = 0
        """Octets that came, after decompression: what memory they may take."""
        self.greeted = b""
        super().__init__(host, port, timeout=timeout)

    @property
    def patience(self) -> float:
        """Seconds the server may stay silent."""
        return self._patience

    # imaplib's override points

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """Connect; TLS at once when a context was given."""
        self.host, self.port = host, port
        plain = socket.create_connection((host, port), timeout if timeout is None else min(timeout, _CONNECT))
        try:
            plain.settimeout(timeout)
            if self._tell is not None:
                self._tell(plain)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
            self.sock = self._secured(plain, self._context) if self._context else plain
        except BaseException:
            plain.close()
            raise

    def _get_capabilities(self) -> None:
        """Only what the greeting said: imaplib would ask with a round trip of its own."""
        told = self.untagged_responses.get("CAPABILITY")
        self.greeted = told[-1] if told and isinstance(told[-1], bytes) else b""
        words = self.greeted.decode("ascii", "replace").upper().split()
        self.capabilities = tuple(words) or ("IMAP4REV1",)

    def shutdown(self) -> None:
        """Drop the socket, whatever state it is in."""
        sock = getattr(self, "sock", None)
        if sock is not None:
            sock.close()

    def readline(self) -> bytes:
        """One line with its line end; the whole of it has to come within the timeout."""
        end = self._buffer.find(b"\n")
        if end < 0:
            until = time.monotonic() + self._patience
        while end < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise self.abort("a line without end")
            if time.monotonic() > until:
                raise TimeoutError("a line does not end in time")
            self.more()
            end = self._buffer.find(b"\n", searched)
        return self._take(end + 1)

    def read(self, size: int) -> bytes:
        """Exactly ``size`` octets; no slower than 1 kB a second beyond the timeout."""
        until = time.monotonic() + self._patience + size / 1024
        while len(self._buffer) < size:
            if time.monotonic() > until:
                raise TimeoutError("a literal does not end in time")
            self.more()
        return self._take(size)

    def read_part(self, size: int, keep: int) -> bytes:
        """The first ``keep`` octets of a literal of ``size``; the rest is read and thrown away."""
        kept = self.read(min(size, keep))
        left = size - len(kept)
        while left:
            left -= len(self.read(min(left, _READ)))
        return kept

    def send(self, data: bytes) -> None:  # type: ignore[override]
        """Write everything; a round trip is counted when the server spoke last."""
        if self._deflate:
            data = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        if self._server_spoke:
            self.round_trips += 1
            self._server_spoke = False
        self.bytes_out += len(data)
        self.sock.sendall(data)

    # beyond imaplib

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go over to TLS after the server's OK to STARTTLS.

        Octets already received were sent by whoever sits in between (RFC 3501 errata, CVE-2011-0411).
        """
        if self._buffer:
            raise self.abort("unencrypted octets after STARTTLS: somebody is in between")
        self.sock = self._secured(self.sock, context)

    def start_deflate(self) -> None:
        """Compress both directions from here on (RFC 4978); what waits already is compressed, too."""
        waiting = bytes(self._buffer)
        self._buffer.clear()
        self._inflate = zlib.decompressobj(-15)
        self._deflate = zlib.compressobj(6, wbits=-15)
        if waiting:
            self.received -= len(waiting)
            self._grow(waiting)

    @property
    def deflated(self) -> bool:
        """Whether both directions are compressed."""
        return self._deflate is not None

    def begins_with(self, shape: re.Pattern[bytes]) -> bool:
        """Whether what waits in the buffer begins like this."""
        return shape.match(self._buffer) is not None

    def peek(self) -> bytes:
        """What waits in the buffer."""
        return bytes(self._buffer)

    def skip(self, size: int) -> None:
        """Drop the first ``size`` octets of the buffer."""
        del self._buffer[:size]

    def has_line(self) -> bool:
        """Whether a whole line waits in the buffer."""
        return b"\n" in self._buffer

    def has_buffered(self) -> bool:
        """Whether octets wait that no selector can see: read ahead by TLS or not yet inflated."""
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
        return self.has_line() or self._inflating or pending

    def wait(self, timeout: float) -> None:
        """Take in what has come, waiting at most ``timeout`` seconds for the first of it."""
        if not self.has_buffered() and timeout > 0:
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            poll.poll(timeout * 1000)
        self.sock.settimeout(0)
        try:
            while len(self._buffer) < MAX_LINE:
                self.more()
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            self.sock.settimeout(self._patience)

    def _secured(self, plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        """TLS over a connected socket, told of before the handshake may hang."""
        secured = context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        if self._tell is not None:
            self._tell(secured)
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def more(self) -> None:
        """Wait for more octets, as long as the server may stay silent."""
        if self._inflating:
            self._grow(self._inflate.unconsumed_tail)
            return
        data = self.sock.recv(_READ)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._server_spoke = True
        self.bytes_in += len(data)
        self._grow(data)

    def _grow(self, data: bytes) -> None:
        if self._inflate is None:
            self.received += len(data)
            self._buffer += data
            return
        try:
            plain = self._inflate.decompress(data, _INFLATED)
        except zlib.error as error:
            raise self.abort("broken compression") from error
        self._inflating = len(plain) == _INFLATED
        self.received += len(plain)
        self._buffer += plain


class Client(IMAPClient):  # type: ignore[misc]
    """imapclient over :class:`Transport`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout: float,
        context: ssl.SSLContext | None,
        told: Told | None = None,
    ) -> None:
        self.transport: Transport
        self._context = context
        self._tell = told
        super().__init__(
            host, port, ssl=context is not None, ssl_context=context, timeout=SocketTimeout(timeout, timeout)
        )
        # imapclient sets 5, and imaplib then formats the repr() of every response, logged or not.
        self._imap.debug = 0

    def _create_IMAP4(self) -> Transport:  # noqa: N802
        self.transport = Transport(
            self.host, self.port, timeout=self._timeout.read, context=self._context, told=self._tell
        )
        return self.transport


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Verifying, TLS 1.2 or newer; ``ca_file`` replaces the system's authorities.

    Shared: reading the system's authorities takes longer than a login, and holds a megabyte. Read anew
    when the file has changed, and every hour. Raises ``OSError`` that names a file that is none.
    """
    try:
        changed = Path(ca_file).stat().st_mtime_ns if ca_file else 0
        return _context(ca_file, changed, time.monotonic() // 3600)
    except OSError as error:
        why = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise OSError(
            f"{ca_file or 'the host'}: the certificates of ca_file cannot be read ({why})"
        ) from error


@lru_cache(maxsize=16)
def _context(ca_file: str | None, _changed: int, _hour: float) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
