"""Commands of every state: who somebody is, what the server can do, waiting, going."""

from __future__ import annotations

import base64
import binascii
import hmac

from tests.support.simimap.grammar import Bad, No, Value, text_of, wire_name, word
from tests.support.simimap.profiles import Lie
from tests.support.simimap.session import Done, Session


def capability(session: Session, arguments: list[Value]) -> Done:
    """CAPABILITY."""
    session.say(f"CAPABILITY {session.server.shown(session)}".encode())
    return Done("Capability completed.")


def noop(session: Session, arguments: list[Value]) -> Done:
    """NOOP and CHECK: the moment at which updates are told."""
    return Done("NOOP completed.")


def logout(session: Session, arguments: list[Value]) -> Done:
    """LOGOUT."""
    session.say(b"BYE Logging out")
    session.end()
    return Done("Logout completed.", sync=False)


def login(session: Session, arguments: list[Value]) -> Done:
    """LOGIN."""
    user, password = arguments
    return _enter(session, text_of(user), text_of(password))


def authenticate(session: Session, arguments: list[Value]) -> Done:
    """AUTHENTICATE PLAIN, with its initial response or without (RFC 4616, RFC 4959)."""
    if word(arguments[0]) != "PLAIN" or not session.profile.offers("AUTH=PLAIN"):
        raise No("Unsupported authentication mechanism.", code="CANNOT")
    if len(arguments) > 1:
        return _plain(session, text_of(arguments[1]).encode())
    session.expects = lambda line: _plain(session, line)
    session.prompt()
    return Done("")


def enable(session: Session, arguments: list[Value]) -> Done:
    """ENABLE (RFC 5161)."""
    asked = {word(value) for value in arguments}
    offered = {"CONDSTORE", "QRESYNC"} & set(session.profile.capabilities)
    given = set() if session.lies(Lie.ENABLED_EMPTY) else asked & offered
    session.qresync |= "QRESYNC" in given
    session.condstore |= bool(given)
    session.say(" ".join(["ENABLED", *sorted(given)]).encode())
    return Done("Enabled.")


def identify(session: Session, arguments: list[Value]) -> Done:
    """ID (RFC 2971)."""
    session.say(f'ID ("name" "{session.profile.name}")'.encode())
    return Done("ID completed.")


def namespace(session: Session, arguments: list[Value]) -> Done:
    """NAMESPACE (RFC 2342)."""
    profile = session.profile
    session.say(b'NAMESPACE ((%s "%s")) NIL NIL' % (wire_name(profile.prefix), profile.delimiter.encode()))
    return Done("Namespace completed.")


def idle(session: Session, arguments: list[Value]) -> Done:
    """IDLE (RFC 2177): until DONE, what others do is told at once."""
    session.prompt(b"idling")
    session.idling = True
    session.last_idle = []
    session.expects = lambda line: _idle_done(session, line)
    return Done("")


def _idle_done(session: Session, line: bytes) -> Done:
    session.idling = False
    if line.strip().upper() != b"DONE":
        raise Bad("Expected DONE.")
    if session.lies(Lie.EXPUNGE_REPEATED):
        for told in session.last_idle:
            session.say(told[2:-2])
    return Done("Idle completed.")


def _plain(session: Session, line: bytes) -> Done:
    try:
        _, user, password = base64.b64decode(line, validate=True).decode().split("\0")
    except (ValueError, binascii.Error):
        raise No("Authentication failed.", code="AUTHENTICATIONFAILED") from None
    return _enter(session, user, password)


def _enter(session: Session, user: str, password: str) -> Done:
    if session.account is not None:
        raise Bad("Already logged in.")
    account = session.server.accounts.get(user)
    if account is None or not hmac.compare_digest(account.password.encode(), password.encode()):
        raise No("Authentication failed.", code="AUTHENTICATIONFAILED")
    session.account = account
    if not session.profile.greets_with_capabilities:
        return Done("Logged in")
    return Done(f"[CAPABILITY {session.server.shown(session)}] Logged in")
