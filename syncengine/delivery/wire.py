"""SMTP on the wire: smtplib where it is right, and what it gets wrong made right.

smtplib reads replies of any number of lines, takes a broken code for a reply, keeps no deadline,
throws away plaintext injected before TLS without a word, encodes passwords as ASCII only and ends
every message with a dot. Invariant: whatever is no reply raises ``OSError``; the final dot goes out
only after every octet of the message did.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import smtplib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from syncengine.delivery.account import Authentication, SmtpSettings
from syncengine.delivery.addresses import ehlo_name
from syncengine.delivery.channel import LineReader, TlsRefused, dial, encrypt, one_line, paced, without
from syncengine.rules.replies import Fault

_LINE = 8192
_REPLY = 64 * 1024
_BLOCK = 32 * 1024
_CODE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_MECHANISMS = {
    # Exchange offers LOGIN only, others PLAIN only; both send the same password the same way.
    Authentication.PLAIN: ("PLAIN", "LOGIN"),
    Authentication.LOGIN: ("LOGIN", "PLAIN"),
    Authentication.CRAM_MD5: ("CRAM-MD5",),
    Authentication.XOAUTH2: ("XOAUTH2",),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said: a code and one line of text, or the fault that stands in its place."""

    code: int | Fault
    text: str

    def __str__(self) -> str:
        return self.text if isinstance(self.code, Fault) else f"{self.code} {self.text}".rstrip()


class SmtpWire(smtplib.SMTP):
    """One session. ``on_progress`` is called every few seconds while bytes flow or are waited for."""

    def __init__(self, settings: SmtpSettings, on_progress: Callable[[], None]) -> None:
        super().__init__(local_hostname=ehlo_name(settings.helo_name, ""), timeout=settings.timeout)
        self._settings = settings
        self._on_progress = paced(on_progress)
        self._lines: LineReader | None = None
        self._told: tuple[bytes, ...] = ()
        """Secrets that the server has been told, and may echo in any line."""

    def dial(self) -> None:
        """Open the TCP connection; the greeting is not read yet."""
        self.sock = dial(self._settings.server, self._settings.port, self.timeout)
        self._lines = LineReader(self.sock, on_wait=self._on_progress)

    def encrypt(self) -> None:
        """Go on under TLS; nothing that was learned before holds any more (RFC 3207 section 4.2).

        Raises :class:`TlsRefused` also when plaintext is already waiting: somebody put it there.
        """
        if self.sock is None or self._lines is None:
            raise ConnectionError("not connected")
        if self._lines.unasked():
            raise TlsRefused("plaintext came before the TLS handshake; does the port fit the security?")
        self.sock.settimeout(self.timeout)
        self.sock = encrypt(self.sock, self._settings.server, self._settings.ca_file)
        self._lines = LineReader(self.sock, on_wait=self._on_progress)
        self.esmtp_features = {}

    def send(self, s: bytes | str) -> None:  # type: ignore[override]
        """Send octets or a command line within the timeout."""
        if self.sock is None:
            raise ConnectionError("not connected")
        self.sock.settimeout(self.timeout)
        self.sock.sendall(s.encode() if isinstance(s, str) else s)

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send a command; a verb that smtplib writes small goes out as the manual prints it."""
        super().putcmd(cmd.upper() if args else cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        """Read one reply of at most 64 KiB within the timeout; raises ``OSError`` for what is none."""
        return self.reply_within(self.timeout)

    def reply_within(self, seconds: float) -> tuple[int, bytes]:
        """Read one reply as ``getreply`` does, within ``seconds``."""
        if self._lines is None:
            raise ConnectionError("not connected")
        self._lines.allow(seconds, _REPLY)
        code, texts = b"", []
        while True:
            line = self._lines.readline(_LINE).rstrip(b"\r\n")
            found = _CODE.fullmatch(line)
            if found is None or code not in (b"", found[1]):
                shown = one_line(without(line, *self._told))
                raise OSError(f"that is no SMTP reply: {shown!r}")
            code = found[1]
            texts.append((found[3] or b"").strip())
            if found[2] != b"-":
                return int(code), b"\n".join(texts)

    def ask(self, line: str) -> Reply:
        """Send a command line and return the reply."""
        return reply_of(self.docmd(line))

    def authenticate(self) -> Reply:
        """Log in by the mechanism of the settings; no secret is in the reply, even if echoed."""
        settings = self._settings
        offered = self.esmtp_features.get("auth", "").upper().split()
        wanted = _MECHANISMS[settings.authentication]
        mechanism = next((name for name in wanted if name in offered), None)
        if mechanism is None:
            names = " ".join(offered) or "no authentication"
            return Reply(Fault.NOT_OFFERED, one_line(f"the server offers {names}, not {wanted[0]}".encode()))
        user = (settings.account or settings.mail_from).encode("utf-8", "surrogatepass")
        password = settings.password.encode("utf-8", "surrogatepass")
        first, answers = _credentials(mechanism, user, password)
        self._told = (first or b"", password)
        line = f"AUTH {mechanism}" if first is None else f"AUTH {mechanism} {_base64(first)}"
        code, text = self.docmd(line)
        for answer in answers:
            if code != 334:
                break
            code, text = self.docmd(_base64(answer(text)))
        return reply_of((code, without(text, *self._told)))

    def send_body(self, message: bytes) -> None:
        """Send the message, quoted for DATA but without the final dot, block by block."""
        body = re.sub(rb"(?m)^\.", b"..", message)
        for start in range(0, len(body), _BLOCK):
            self.send(body[start : start + _BLOCK])
            self._on_progress()

    def end_message(self) -> Reply:
        """Send the final dot and return the reply, for which a server may take minutes."""
        self.send(b".\r\n")
        return reply_of(self.reply_within(self._settings.final_timeout))


def canonical(message: bytes) -> bytes:
    """Return the message with CRLF as its only line end, and one at its end (RFC 5321 2.3.8)."""
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def reply_of(answer: tuple[int, bytes]) -> Reply:
    """Return smtplib's answer as a reply of one printable line."""
    return Reply(answer[0], one_line(answer[1]))


def _credentials(
    mechanism: str, user: bytes, password: bytes
) -> tuple[bytes | None, Sequence[Callable[[bytes], bytes]]]:
    """Return the initial response, if the mechanism has one, and the answers to the challenges after it."""
    match mechanism:
        case "PLAIN":  # RFC 4616
            return b"\0" + user + b"\0" + password, ()
        case "LOGIN":
            return None, (lambda _: user, lambda _: password)
        case "CRAM-MD5":  # RFC 2195
            return None, (lambda given: user + b" " + _digest(password, given),)
        case _:  # XOAUTH2: a challenge holds the reason of a refusal and wants an empty answer
            return b"user=" + user + b"\x01auth=Bearer " + password + b"\x01\x01", (lambda _: b"",)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _digest(password: bytes, challenge: bytes) -> bytes:
    try:
        given = base64.b64decode(challenge)
    except binascii.Error:
        raise OSError("the server's challenge is not base64") from None
    return hmac.new(password, given, "md5").hexdigest().encode()
