"""An SMTP server in front of Dovecot's LMTP, so that what the engine sends arrives in the account.

Each recipient's fate is the mail server's own answer; nothing is accepted here that is not delivered.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.base import HOST, Server, free_ports


@dataclass(slots=True)
class Front:
    """Where the SMTP server listens, and what came through: (sender, recipients, octets)."""

    host: str
    port: int
    delivered: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list)


class _ToLmtp:
    """Hands each message on while its sender waits, so that after the 250 it is in the mailbox."""

    def __init__(self, server: Server, front: Front) -> None:
        self._server = server
        self._front = front

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, _smtp: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = await asyncio.to_thread(self._refusal, envelope.mail_from or "", address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _smtp: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        try:
            await asyncio.to_thread(self._deliver, envelope)
        except (smtplib.SMTPException, OSError) as error:
            return f"451 4.3.0 not delivered: {type(error).__name__}"
        return "250 2.0.0 delivered"

    def _refusal(self, sender: str, address: str) -> str:
        """Ask LMTP about one recipient; the empty string means that it takes the mail."""
        with smtplib.LMTP(self._server.host, self._server.lmtp_port or 0) as lmtp:
            lmtp.ehlo()
            lmtp.mail(sender)
            code, text = lmtp.rcpt(address)
        return "" if code == 250 else f"{code} {text.decode()}"

    def _deliver(self, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        # LMTP answers DATA once a recipient (RFC 2033 section 4.2), smtplib reads one answer.
        for recipient in envelope.rcpt_tos:
            with smtplib.LMTP(self._server.host, self._server.lmtp_port or 0) as lmtp:
                lmtp.sendmail(envelope.mail_from or "", [recipient], content)
        self._front.delivered.append((envelope.mail_from or "", tuple(envelope.rcpt_tos), content))


@contextmanager
def smtp_front(
    server: Server, *, tls: ssl.SSLContext | None = None, password: str | None = None
) -> Iterator[Front]:
    """Run an SMTP server that delivers to ``server``, which must offer LMTP.

    ``tls`` makes it speak TLS from the first byte. With a ``password`` it demands AUTH, from any user.
    """
    front = Front(HOST, free_ports(1)[0])

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password == (password or "").encode()
        return AuthResult(success=right, handled=right)

    controller = Controller(
        _ToLmtp(server, front),
        hostname=front.host,
        port=front.port,
        ssl_context=tls,
        authenticator=check,
        auth_required=password is not None,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield front
    finally:
        controller.stop()
