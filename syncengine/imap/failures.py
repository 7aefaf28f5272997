"""What a server's refusal or a broken line means for the mailbox: come back later, or gone. Pure."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl

from syncengine.errors import ConnectionLost, Throttled
from syncengine.imap.responses import Condition, ServerBye
from syncengine.imap.wire import parse, readable

_BACKOFF = re.compile(r"suggested backoff time:? *(\d{1,12}) *(milliseconds|ms|seconds|s)?", re.IGNORECASE)
_CODES = {"UNAVAILABLE": 60.0, "INUSE": 30.0, "LIMIT": 300.0}
"""RFC 5530 codes that pass by themselves, and how many seconds to stay away."""
_LONGEST = 86_400.0
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
"""OpenSSL's codes for a chain that ends at nobody known: self-signed, or without its issuer."""


def pause(condition: Condition) -> float | None:
    """Seconds to stay away if the server asked for it, else None.

    Exchange writes ``Suggested Backoff Time: 299961 milliseconds`` into the text.
    """
    asked = _BACKOFF.search(condition.text)
    if asked:
        unit = 1000 if (asked[2] or "milliseconds").lower().startswith("m") else 1
        return min(_LONGEST, max(1.0, int(asked[1]) / unit))
    return _CODES.get(condition.code)


def scrubbed(text: str, secrets: tuple[str, ...]) -> str:
    """``text`` without any of ``secrets``: some servers repeat the command they refuse."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def lost(error: Exception, where: str, what: str, secrets: tuple[str, ...]) -> ConnectionLost | Throttled:
    """The error of a connection that is over, in one line without ``secrets``.

    A BYE says why itself, also where it was the greeting (which imaplib puts into its own error).
    """
    reason = error.args[0] if isinstance(error, imaplib.IMAP4.error) and error.args else _words(error)
    goodbye = error.condition if isinstance(error, ServerBye) else _greeting(reason)
    if goodbye is None:
        text = readable(reason if isinstance(reason, bytes) else str(reason).encode())
        return ConnectionLost(f"{where}: {what}: {scrubbed(text, secrets) or type(error).__name__}")
    text = f"{where}: the server ended the connection: {scrubbed(goodbye.text, secrets)}"
    seconds = pause(goodbye)
    return ConnectionLost(text) if seconds is None else Throttled(text, seconds)


def _words(error: Exception) -> str:
    """What the operating system or OpenSSL said, without numbers and places in its source, and what to do."""
    match error:
        case socket.gaierror():
            return "the name is not found"
        case ssl.SSLCertVerificationError():
            own = error.verify_code in _UNKNOWN_AUTHORITY
            advice = "; is it one of your own? ca_file names its authority" if own else ""
            return f"the certificate is not trusted: {error.verify_message}{advice}"
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return "the server closed the connection"
        case ssl.SSLError() if error.reason:
            return f"no TLS ({error.reason}); does the port fit the security?"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return str(error)


def _greeting(said: object) -> Condition | None:
    if not isinstance(said, bytes) or not said.upper().startswith(b"* BYE"):
        return None
    response = parse([said.rstrip(b"\r\n")])
    return response if isinstance(response, Condition) else None
