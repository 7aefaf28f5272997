"""Trying an account step by step for ``check``; invariant: nothing is sent, deleted or changed."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from syncengine.delivery.account import Authentication, Pop3Settings, SmtpSettings
from syncengine.delivery.channel import dial, encrypt, one_line
from syncengine.delivery.pop3 import faults, refuse_plaintext_login, uidls
from syncengine.delivery.pop3wire import Pop3Wire, where
from syncengine.delivery.session import Session, Stop
from syncengine.errors import ConnectionLost, SyncError
from syncengine.model import Security

_Stage = tuple[str, Callable[[], str]]
"""A step's name, and what does it and returns what is worth telling."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step and how it went; the first that is not ``ok`` is the last."""

    name: str
    ok: bool
    detail: str


def smtp_steps(settings: SmtpSettings) -> Iterator[Step]:
    """Try the way out: name, TCP, TLS, EHLO, login, what the server offers. Nothing is sent."""
    session = Session(settings, lambda: None)

    def said(action: Callable[[], None]) -> str:
        action()
        return str(session.last)

    def encrypted(action: Callable[[], None]) -> str:
        action()
        return _tls(session.wire.sock)

    def login() -> str:
        session.refuse_plaintext_login()
        return said(session.login)

    def connect() -> str:
        session.connect()
        return f"port {settings.port}"

    stages: list[_Stage] = [("name", lambda: _resolve(settings)), ("tcp", connect)]
    if settings.security is Security.TLS:
        stages.append(("tls", lambda: encrypted(session.encrypt_first)))
    stages.append(("ehlo", lambda: said(session.greet)))
    if settings.security is Security.STARTTLS:
        stages.append(("starttls", lambda: encrypted(session.starttls)))
    if settings.authentication is not Authentication.NONE:
        stages.append(("login", login))
    stages.append(("offers", lambda: _offers(session.wire.esmtp_features)))
    with closing(session.wire):
        yield from _walk(stages)
        session.quit()


def pop3_steps(settings: Pop3Settings) -> Iterator[Step]:
    """Try the POP3 account: name, TCP, TLS, greeting, login, STAT, UIDL. Nothing is deleted."""
    with closing(_Pop3Trial(settings)) as trial:
        stages: list[_Stage] = [("name", lambda: _resolve(settings)), ("tcp", trial.connect)]
        if settings.security is Security.TLS:
            stages.append(("tls", trial.encrypt))
        stages.append(("greeting", trial.greet))
        if settings.security is Security.STARTTLS:
            stages.append(("starttls", trial.starttls))
        stages += [("login", trial.login), ("stat", trial.stat), ("uidl", trial.uidl)]
        yield from _walk((name, _guarded(settings, action)) for name, action in stages)


class _Pop3Trial:
    """A POP3 session in single steps, each called after the one before it."""

    def __init__(self, settings: Pop3Settings) -> None:
        self._settings = settings
        self._sock: socket.socket
        self._wire: Pop3Wire

    def connect(self) -> str:
        self._sock = dial(self._settings.server, self._settings.port, self._settings.timeout)
        return f"port {self._settings.port}"

    def encrypt(self) -> str:
        self._sock = encrypt(self._sock, self._settings.server, self._settings.ca_file)
        return _tls(self._sock)

    def greet(self) -> str:
        self._wire = Pop3Wire(self._settings, self._sock)
        return one_line(self._wire.welcome)

    def starttls(self) -> str:
        self._wire.starttls()
        return _tls(self._wire.sock)

    def login(self) -> str:
        refuse_plaintext_login(self._settings)
        self._wire.login()
        return self._settings.account

    def stat(self) -> str:
        count, octets = self._wire.stat()
        return f"{count} messages, {octets} octets"

    def uidl(self) -> str:
        listed = uidls(self._wire)
        self._wire.quit()
        return (
            "not offered: messages are found by their headers"
            if listed is None
            else f"{len(listed)} unique-ids"
        )

    def close(self) -> None:
        """Drop whatever is open."""
        if hasattr(self, "_wire"):
            self._wire.drop()
        if hasattr(self, "_sock"):
            self._sock.close()


def _guarded(settings: Pop3Settings, action: Callable[[], str]) -> Callable[[], str]:
    def run() -> str:
        with faults(settings):
            return action()

    return run


def _walk(stages: Iterable[_Stage]) -> Iterator[Step]:
    for name, action in stages:
        try:
            detail = action()
        except (SyncError, Stop) as error:
            yield Step(name, False, str(error))
            return
        yield Step(name, True, detail)


def _resolve(settings: SmtpSettings | Pop3Settings) -> str:
    try:
        found = socket.getaddrinfo(settings.server, settings.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, OverflowError) as error:
        raise ConnectionLost(f"{where(settings)}: the name is not found") from error
    return ", ".join(dict.fromkeys(str(address[4][0]) for address in found))


def _tls(sock: socket.socket | None) -> str:
    return (sock.version() or "") if isinstance(sock, ssl.SSLSocket) else ""


def _offers(features: dict[str, str]) -> str:
    return one_line(", ".join(f"{name} {value}".strip() for name, value in features.items()).upper().encode())
