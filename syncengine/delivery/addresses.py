"""Names and addresses of an SMTP envelope; invariant: nothing that passes here can end a command line. Pure.

``ehlo_name`` alone may ask the host for its name, through the function it is given.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

from syncengine.rules.identity import ascii_domain

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f<>\u2028\u2029]")
_LONGEST = 254
"""Octets of an address: a path is at most 256 with its brackets (RFC 5321 4.5.3.1.3)."""
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?|\[[0-9A-Za-z.:]{1,60}\]")


def ehlo_name(smtp_domain: str, system_domain: str, host_name: Callable[[], str] = socket.getfqdn) -> str:
    """Return the name for EHLO and HELO: the account's domain, else the system's, else the host's.

    What is no host name at all (RFC 5321 4.1.2) becomes the address literal of loopback.
    """
    name = smtp_domain.strip() or system_domain.strip() or host_name()
    try:
        name = _ascii_domain(name)
    except ValueError:
        return "[127.0.0.1]"
    return name if _HOST.fullmatch(name) else "[127.0.0.1]"


def complete_address(email_name: str, domain: str) -> str:
    """Return ``email_name``, completed with ``@domain`` where it has none; blank stays blank."""
    name = email_name.strip()
    return name if not name or "@" in name else f"{name}@{domain}"


def mail_from(account: str, email_name: str, domain: str) -> str:
    """Return the envelope's sender: the account, or the e-mail name where the account is no address."""
    sender = account.strip()
    return sender if "@" in sender.strip("@") else complete_address(email_name, domain)


def envelope_address(address: str) -> str:
    """Return ``address`` as it can stand between ``<`` and ``>``, its domain as A-labels (RFC 5890).

    Raises ``ValueError`` with the reason, for CR, LF, NUL, blanks and angle brackets among others.
    """
    if _FORBIDDEN.search(address):
        raise ValueError("it holds a control character, a blank or an angle bracket")
    local, at, domain = address.rpartition("@")
    if not (local and at and domain):
        raise ValueError("it is not of the form name@domain")
    domain = _ascii_domain(domain)
    if not _HOST.fullmatch(domain):
        raise ValueError("what follows the @ is not a domain")
    try:
        octets = len(f"{local}@{domain}".encode())
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
    if octets > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} octets")
    return f"{local}@{domain}"


def xtext(value: str) -> str:
    """Return ASCII ``value`` as xtext (RFC 3461 section 4)."""
    return re.sub(r"[^!-~]|[+=]", lambda found: f"+{ord(found[0]):02X}", value)


def _ascii_domain(domain: str) -> str:
    return domain if domain.isascii() else ascii_domain(domain)
