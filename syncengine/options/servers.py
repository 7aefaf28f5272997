"""The three server sections of a mailbox, as frozen values; each port follows its security setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from syncengine.model import SearchMode, Security
from syncengine.options.secret import Secret
from syncengine.options.values import About, Authentication, Domain, FilePath, Host, Line, Port, Positive

_CA_FILE = "Certificates of the authorities to trust instead of the host's own (PEM); blank is the host's."
_SMTP_AUTHENTICATION = tuple(a for a in Authentication if a is not Authentication.OAUTHBEARER)
_IMAP4_AUTHENTICATION = tuple(a for a in Authentication if a is not Authentication.NONE)


class _WithPort:
    """A server section whose port follows its security setting where none is given."""

    __slots__ = ()
    DEFAULT_PORTS: Mapping[Security, int]
    port: int
    security: Security

    def __post_init__(self) -> None:
        if not self.port:
            object.__setattr__(self, "port", self.DEFAULT_PORTS[self.security])


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp(_WithPort):
    """The table ``[mailboxes.NUMBER.smtp]``."""

    DEFAULT_PORTS = MappingProxyType({Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465})

    server: Annotated[Host, About("The SMTP server.", label="Smtp Server")] = ""
    domain: Annotated[
        Domain,
        About(
            "Name for EHLO, and what completes an e-mail name without @; blank is the system's.",
            label="Domain Name",
        ),
    ] = ""
    port: Annotated[Port, About("The port.", label="Smtp Port", shown="25, 587 or 465 by security")] = 0
    security: Annotated[Security, About("How the connection is protected.", label="Smtp SSL")] = Security.TLS
    authentication: Annotated[
        Authentication,
        About(
            "How the account proves itself.",
            label="Smtp Authentication",
            choices=_SMTP_AUTHENTICATION,
        ),
    ] = Authentication.NONE
    account: Annotated[
        Line, About("The account; where it is an address, mail is sent from it.", label="Smtp Account")
    ] = ""
    password: Secret | None = None
    ca_file: Annotated[Path | None, FilePath(optional=True), About(_CA_FILE)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imap4(_WithPort):
    """The table ``[mailboxes.NUMBER.imap4]``."""

    DEFAULT_PORTS = MappingProxyType({Security.NONE: 143, Security.STARTTLS: 143, Security.TLS: 993})

    server: Annotated[Host, About("The IMAP4 server.", label="Imap4 Server")] = ""
    port: Annotated[Port, About("The port.", label="Imap4 Port", shown="143 or 993 by security")] = 0
    security: Annotated[Security, About("How the connection is protected.", label="Imap4 SSL")] = Security.TLS
    account: Annotated[Line, About("The account.", label="Imap4 Account")] = ""
    password: Secret | None = None
    authentication: Annotated[
        Authentication,
        About(
            "How the account proves itself; plain falls back to LOGIN where the server lacks it.",
            label="Imap4 Authentication",
            choices=_IMAP4_AUTHENTICATION,
        ),
    ] = Authentication.PLAIN
    search_mode: Annotated[
        SearchMode,
        About(
            "What a lost message is searched for by; auto is header, and text where header search is broken.",
            label="Imap4 Search Mode",
        ),
    ] = SearchMode.AUTO
    ca_file: Annotated[Path | None, FilePath(optional=True), About(_CA_FILE)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pop3(_WithPort):
    """The table ``[mailboxes.NUMBER.pop3]``; a blank server means that no delete is attempted."""

    DEFAULT_PORTS = MappingProxyType({Security.NONE: 110, Security.STARTTLS: 110, Security.TLS: 995})

    server: Annotated[
        Host, About("The POP3 server; blank means that no delete is attempted.", label="Pop3 Server")
    ] = ""
    port: Annotated[Port, About("The port.", label="Pop3 Port", shown="110 or 995 by security")] = 0
    security: Annotated[Security, About("How the connection is protected.", label="Pop3 SSL")] = Security.TLS
    account: Annotated[Line, About("The account.", label="Pop3 Account")] = ""
    password: Secret | None = None
    search_limit: Annotated[
        Positive, About("How many of the newest messages are looked through for one delete.")
    ] = 200
    ca_file: Annotated[Path | None, FilePath(optional=True), About(_CA_FILE)] = None
