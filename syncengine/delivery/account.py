"""How the sending and the POP3 account are reached; invariant: a password shows in no ``repr``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from syncengine.model import Security


class Authentication(StrEnum):
    """How the account logs in to its SMTP server (RFC 4954)."""

    NONE = "none"
    PLAIN = "plain"
    LOGIN = "login"
    CRAM_MD5 = "cram-md5"
    XOAUTH2 = "xoauth2"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """One account's way out. Times are seconds; the password of XOAUTH2 is the access token."""

    server: str
    port: int
    mail_from: str
    """The envelope's sender, as :func:`syncengine.delivery.addresses.mail_from` gives it."""
    helo_name: str
    """What EHLO and HELO say, as :func:`syncengine.delivery.addresses.ehlo_name` gives it."""
    security: Security = Security.TLS
    authentication: Authentication = Authentication.NONE
    account: str = ""
    """Who logs in; blank: the sender's address."""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    """Certificates that are trusted instead of the system's."""
    allow_plaintext: bool = False
    timeout: float = 60.0
    """For the connection, each reply and each block of the message."""
    final_timeout: float = 600.0
    """For the reply to the final dot (RFC 5321 4.5.3.2.6)."""

    @property
    def plaintext_login(self) -> bool:
        """Whether a login would go over the open network unencrypted, and nobody allowed that."""
        return self.authentication is not Authentication.NONE and _exposed(
            self.server, self.security, allowed=self.allow_plaintext
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pop3Settings:
    """One account's POP3 server. Times are seconds."""

    server: str
    port: int
    account: str
    password: str = field(default="", repr=False)
    security: Security = Security.TLS
    ca_file: Path | None = None
    """Certificates that are trusted instead of the system's."""
    allow_plaintext: bool = False
    timeout: float = 60.0
    """For the connection and each answer."""

    @property
    def plaintext_login(self) -> bool:
        """Whether the login would go over the open network unencrypted, and nobody allowed that."""
        return _exposed(self.server, self.security, allowed=self.allow_plaintext)


def _exposed(server: str, security: Security, *, allowed: bool) -> bool:
    return security is Security.NONE and not allowed and not _loopback(server)


def _loopback(server: str) -> bool:
    if server.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return False
