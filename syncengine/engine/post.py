"""How one mailbox's messages are written as mail and sent: options, sound and fax brought together."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncengine.delivery.account import Authentication, Pop3Settings, SmtpSettings
from syncengine.delivery.addresses import complete_address, ehlo_name, mail_from
from syncengine.errors import SyncError
from syncengine.model import Kind, LocalMessage, Token
from syncengine.options.schema import Mailbox, Settings
from syncengine.replica import VoiceStore

if TYPE_CHECKING:
    # What writes and sends mail is loaded by the first message that is sent: most passes send none.
    from syncengine.delivery.compose import Attachment, Envelope, Notice
    from syncengine.delivery.smtp import Attempt

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MailboxPost:
    """Writes and sends one mailbox's messages."""

    settings: Settings
    mailbox: Mailbox
    system_id: str
    secret: bytes

    @property
    def domain(self) -> str:
        """Domain of Message-IDs."""
        return self.settings.system.domain or ehlo_name("", "")

    @property
    def synced_address(self) -> str:
        """Where the subscriber's mail goes; an e-mail name without @ is completed."""
        domain = self.mailbox.smtp.domain or self.domain
        return complete_address(self.mailbox.email_name, domain)

    @property
    def copies(self) -> tuple[str, ...]:
        """Further recipients, the synced address left out."""
        return tuple(a for a in dict.fromkeys(self.mailbox.copies) if a != self.synced_address)

    @property
    def sender(self) -> str:
        """MAIL FROM and From: the account, or the e-mail name where the account is no address."""
        domain = self.mailbox.smtp.domain or self.domain
        return mail_from(self.mailbox.smtp.account, self.mailbox.email_name, domain)

    def own_addresses(self) -> frozenset[str]:
        """Addresses our messages come from, in lower case."""
        return frozenset({self.sender.lower()})

    def write(self, message: LocalMessage, store: VoiceStore, resend: int, *, sound: bool = True) -> bytes:
        """Write the mail of a message; without ``sound`` the notice that it was too large."""
        from syncengine.delivery.compose import compose  # noqa: PLC0415

        return compose(message, self._content(message, store, sound=sound), self._envelope(message, resend))

    def send(
        self,
        raw: bytes,
        smaller: Callable[[], bytes],
        recipients: Sequence[str],
        way_out: SmtpSettings,
        *,
        token: Token,
        on_data: Callable[[tuple[str, ...]], None],
        on_progress: Callable[[], None],
    ) -> Attempt:
        """One SMTP attempt with ``raw``, or with ``smaller()`` where the server finds that too large."""
        from syncengine.delivery.smtp import attempt  # noqa: PLC0415

        return attempt(
            raw, smaller, recipients, way_out, token=token, on_data=on_data, on_progress=on_progress
        )

    def fingerprint(self, way_out: SmtpSettings) -> str:
        """What changes when any option of the way out does; keyed: no password is guessed by it."""
        values = [str(getattr(way_out, item.name)) for item in fields(way_out)]
        return hmac.new(self.secret, "\0".join(values).encode("utf-8", "replace"), "sha256").hexdigest()

    def smtp_settings(self) -> SmtpSettings:
        """The way out, with the password; raises ``SyncError`` where that cannot be read."""
        smtp = self.mailbox.smtp
        return SmtpSettings(
            server=smtp.server,
            port=smtp.port,
            mail_from=self.sender,
            helo_name=ehlo_name(smtp.domain, self.settings.system.domain),
            security=smtp.security,
            authentication=Authentication(smtp.authentication),
            account=smtp.account,
            password=smtp.password.read() if smtp.password else "",
            ca_file=smtp.ca_file,
            allow_plaintext=self.settings.system.allow_plaintext,
            timeout=self.mailbox.sync.command_timeout,
        )

    def pop3_settings(self) -> Pop3Settings:
        """The POP3 account, with the password; raises ``SyncError`` where that cannot be read."""
        pop3 = self.mailbox.pop3
        return Pop3Settings(
            server=pop3.server,
            port=pop3.port,
            account=pop3.account,
            password=pop3.password.read() if pop3.password else "",
            security=pop3.security,
            ca_file=pop3.ca_file,
            allow_plaintext=self.settings.system.allow_plaintext,
            timeout=self.mailbox.sync.command_timeout,
        )

    def _envelope(self, message: LocalMessage, resend: int) -> Envelope:
        from syncengine.delivery.compose import Envelope  # noqa: PLC0415

        return Envelope(
            sender=self.sender,
            recipient=self.synced_address,
            domain=self.domain,
            system_id=self.system_id,
            secret=self.secret,
            zone=_zone(self.mailbox.timezone),
            reply_to=self._reply_to(message.caller_number),
            copy=resend,
        )

    def _reply_to(self, caller: str) -> str:
        """The caller's own address, only where the caller's number is a mailbox with an e-mail name."""
        mailboxes: Mapping[str, Mailbox] = self.settings.mailboxes
        found = mailboxes.get(caller)
        if found is None or not found.email_name:
            return ""
        return complete_address(found.email_name, found.smtp.domain or self.domain)

    def _content(
        self, message: LocalMessage, store: VoiceStore, *, sound: bool
    ) -> tuple[Attachment, ...] | Notice:
        from syncengine.delivery.compose import Notice  # noqa: PLC0415

        if not sound:
            return Notice.TOO_LARGE
        if not self.mailbox.send_as_attachment:
            return Notice.SWITCHED_OFF
        try:
            path = store.content(message)
            data = path.read_bytes()
            files, note = _fax(data) if message.kind is Kind.FAX else self._sound(data, path.name)
        except OSError as error:
            # Perhaps only for a while: a file server that is away.
            raise SyncError(f"the recording cannot be read: {error.strerror or error}") from error
        except SyncError as error:
            _log.warning("message %s: a notice is sent without the recording: %s", message.ref, error)
            return Notice.UNREADABLE
        if note:
            _log.warning("message %s: %s", message.ref, note)
        return files

    def _sound(self, data: bytes, name: str) -> tuple[tuple[Attachment, ...], str | None]:
        from syncengine.delivery.compose import Attachment  # noqa: PLC0415
        from syncengine.voicemail.audio import convert  # noqa: PLC0415 - only when a message is sent

        made = convert(data, name, self.mailbox.attach_format)
        # [MS-OXOUM] 2.2.2.2: Outlook's form wants MP3 by this name, not by that of RFC 3003.
        media_type = "audio/mp3" if made.media_type == "audio/mpeg" else made.media_type
        return (Attachment(made.data, made.extension, media_type),), made.note


def _fax(data: bytes) -> tuple[tuple[Attachment, ...], str | None]:
    from syncengine.delivery.compose import Attachment  # noqa: PLC0415
    from syncengine.voicemail.fax import prepare_fax  # noqa: PLC0415 - only when a fax is sent

    fax = prepare_fax(data)
    forms = (
        (fax.tiff, "tif", "image/tiff; application=faxbw"),
        (fax.pdf, "pdf", "application/pdf"),
    )
    files = tuple(Attachment(d, extension, kind) for d, extension, kind in forms if d is not None)
    return files, fax.note


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
