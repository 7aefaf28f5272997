"""What must hold between the keys of a mailbox, and what is worth a warning. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set

from syncengine.model import Security
from syncengine.options.schema import Mailbox, Settings, System
from syncengine.options.servers import Imap4, Pop3, Smtp
from syncengine.options.values import Authentication, DeliveryBy, Protocol, SyncMode

Complaint = tuple[tuple[str, ...], str]
"""The key below the mailbox, and what is wrong with it."""


def check_mailbox(mailbox: Mailbox, system: System) -> Iterator[Complaint]:
    """Yield what does not hold between the keys of a mailbox."""
    yield from _needs_of_modes(mailbox)
    if mailbox.email_integration:
        yield from _needs_of_integration(mailbox)
    if not system.allow_plaintext:
        yield from _plaintext(mailbox)
    if mailbox.timezone and not is_timezone(mailbox.timezone):
        yield ("timezone",), 'there is no such time zone, allowed is a name like "Europe/Vienna"'


def _needs_of_modes(mailbox: Mailbox) -> Iterator[Complaint]:
    if mailbox.delivery is DeliveryBy.APPEND:
        if mailbox.sync_mode is SyncMode.NONE:
            yield ("delivery",), 'found "append", which needs a sync_mode other than "none"'
        if mailbox.protocol is Protocol.POP3:
            yield ("delivery",), 'found "append", which needs the protocol "imap4"'
    if mailbox.file_into_folder and mailbox.sync_mode is SyncMode.INBOX:
        yield ("file_into_folder",), 'found true, which needs a sync_mode other than "inbox"'
    if mailbox.pop3.server and not mailbox.pop3.account:
        yield ("pop3", "account"), "a POP3 server needs an account"


def _needs_of_integration(mailbox: Mailbox) -> Iterator[Complaint]:
    why = "email_integration = true needs"
    if not mailbox.email_name:
        yield ("email_name",), f"{why} an e-mail name"
    if not mailbox.smtp.server:
        if mailbox.delivery is DeliveryBy.SMTP:
            yield ("smtp", "server"), f'{why} an SMTP server, or delivery = "append"'
        elif mailbox.copies:
            yield ("copies",), 'they need an SMTP server; delivery = "append" reaches the own account alone'
    if mailbox.uses_smtp and mailbox.smtp.authentication is not Authentication.NONE:
        yield from _credentials("smtp", mailbox.smtp, "this authentication needs")
    if mailbox.protocol is Protocol.IMAP4 and mailbox.sync_mode is not SyncMode.NONE:
        if not mailbox.imap4.server:
            yield ("imap4", "server"), f'{why} an IMAP4 server, or sync_mode = "none"'
        else:
            yield from _credentials("imap4", mailbox.imap4, why)
    if mailbox.protocol is Protocol.POP3 and mailbox.pop3.server and mailbox.pop3.password is None:
        yield ("pop3", "password"), "a POP3 server needs a password"


def _credentials(name: str, section: Smtp | Imap4, why: str) -> Iterator[Complaint]:
    if not section.account:
        yield (name, "account"), f"{why} an account"
    if section.password is None:
        yield (name, "password"), f"{why} a password, password_command, password_file or password_env"


def _plaintext(mailbox: Mailbox) -> Iterator[Complaint]:
    for name, section in _sections(mailbox):
        logs_in = not isinstance(section, Smtp) or section.authentication is not Authentication.NONE
        if (
            section.server
            and section.security is Security.NONE
            and logs_in
            and not is_loopback(section.server)
        ):
            yield (
                (name, "security"),
                'found "none": logging in elsewhere without TLS needs allow_plaintext = true in [system]',
            )


def _sections(mailbox: Mailbox) -> tuple[tuple[str, Smtp | Imap4 | Pop3], ...]:
    return ("smtp", mailbox.smtp), ("imap4", mailbox.imap4), ("pop3", mailbox.pop3)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this host: the name localhost (RFC 6761 section 6.3) or a loopback address."""
    import ipaddress  # noqa: PLC0415 - only asked where a login goes without TLS

    name = host.rstrip(".").casefold()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def is_timezone(name: str) -> bool:
    """Whether the time zone database knows ``name``."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only where a time zone is named

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


_TLS_PORTS = frozenset({465, 993, 995})
_PLAIN_PORTS = frozenset({25, 110, 143, 587})


def port_warnings(settings: Settings) -> tuple[str, ...]:
    """Return one line for each port that does not fit its security setting (RFC 8314 section 7)."""
    lines = []
    for number, mailbox in settings.mailboxes.items():
        for name, section in _sections(mailbox):
            where = f"mailboxes.{number}.{name}.port"
            if section.port in _TLS_PORTS and section.security is not Security.TLS:
                lines.append(
                    f'{where}: {section.port} is a port for security = "tls", found "{section.security}"'
                )
            elif section.port in _PLAIN_PORTS and section.security is Security.TLS:
                lines.append(f'{where}: {section.port} is no port for security = "tls"; try "starttls"')
    return tuple(lines)


def integrated(settings: Settings) -> Set[str]:
    """Return the mailboxes that are to have e-mail integration, in file order."""
    return dict.fromkeys(m.number for m in settings.mailboxes.values() if m.email_integration).keys()


def seats_off(settings: Settings, holders: Collection[str]) -> Mapping[str, str]:
    """Return the mailboxes that are off for want of a seat, with the reason.

    ``holders`` have a seat already and keep it, though there may be fewer now; free ones go to the first
    of the others in file order (manual page 2: a number of seats).
    """
    wanting = integrated(settings)
    seats = settings.system.seats
    free = max(0, seats - len(wanting & frozenset(holders)))
    reason = f"no seat: {len(wanting)} mailboxes have email_integration = true, seats = {seats}"
    return dict.fromkeys([number for number in wanting if number not in holders][free:], reason)
