"""What an account needs to be spoken to; values only, secrets stay behind a callable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from socket import socket

from syncengine.model import SearchMode, Security


class Authentication(StrEnum):
    """How the account proves itself."""

    PLAIN = "plain"
    """AUTHENTICATE PLAIN, and LOGIN where the server has no SASL."""
    LOGIN = "login"
    CRAM_MD5 = "cram-md5"
    XOAUTH2 = "xoauth2"
    OAUTHBEARER = "oauthbearer"


PORTS = {Security.NONE: 143, Security.STARTTLS: 143, Security.TLS: 993}
"""RFC 8314: implicit TLS on 993."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """One e-mail account over IMAP4."""

    host: str
    account: str
    secret: Callable[[], str]
    """Password or OAuth token; asked for at each login, kept nowhere."""
    port: int | None = None
    """None follows ``security``."""
    security: Security = Security.TLS
    authentication: Authentication = Authentication.PLAIN
    search_mode: SearchMode = SearchMode.AUTO
    timeout: float = 60.0
    """Seconds the server may stay silent while something is expected of it."""
    ca_file: str | None = None
    """Authorities to trust instead of the system's."""
    own_addresses: frozenset[str] = frozenset()
    """Addresses our messages are sent from, lower case."""
    domain: str = ""
    """The domain of our Message-IDs: lets Gmail be asked for them (rfc822msgid)."""
    mask: frozenset[str] = frozenset()
    """Capabilities not to use although the server offers them."""
    compress: bool = False
    """COMPRESS=DEFLATE where offered, behind the first commands: fewer octets, no round trip more."""
    known_capabilities: frozenset[str] = frozenset()
    """What the server offered last time: lets login, ENABLE and the first commands travel together."""
    on_socket: Callable[[socket], None] | None = None
    """Told of the socket before anything is read: shutting it down ends a wait from another thread."""

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or PORTS[self.security]
