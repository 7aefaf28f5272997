"""How an account proves itself: SASL messages as values (RFC 4616, 2195, 7628). Pure.

Nothing here is ever traced or put into an error.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from syncengine.imap.settings import Authentication


@dataclass(frozen=True, slots=True)
class Proof:
    """One SASL conversation: what is said first, and the answer to each challenge."""

    mechanism: str
    initial: bytes | None
    """None where the server speaks first."""
    answer: Callable[[bytes], bytes]


def proof(authentication: Authentication, *, account: str, secret: str, host: str, port: int) -> Proof | None:
    """The conversation for ``authentication``; None for the LOGIN command, which is no SASL."""
    match authentication:
        case Authentication.PLAIN:
            message = f"\0{account}\0{secret}".encode()
            return Proof("PLAIN", message, lambda _: message)
        case Authentication.LOGIN:
            return None
        case Authentication.CRAM_MD5:
            return Proof("CRAM-MD5", None, lambda challenge: _cram(account, secret, challenge))
        case Authentication.XOAUTH2:
            message = f"user={account}\1auth=Bearer {secret}\1\1".encode()
            return Proof("XOAUTH2", message, _once(message, b""))
        case Authentication.OAUTHBEARER:
            name = account.replace("=", "=3D").replace(",", "=2C")
            message = f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {secret}\1\1".encode()
            return Proof("OAUTHBEARER", message, _once(message, b"\1"))


def login_words(account: str, secret: str) -> Proof:
    """AUTHENTICATE LOGIN, the unregistered mechanism, for servers that disable the LOGIN command."""
    words = iter((account.encode(), secret.encode()))
    return Proof("LOGIN", None, lambda _: next(words, b""))


def _cram(account: str, secret: str, challenge: bytes) -> bytes:
    digest = hmac.new(secret.encode(), challenge, "md5").hexdigest()
    return f"{account} {digest}".encode()


def _once(message: bytes, dismissal: bytes) -> Callable[[bytes], bytes]:
    """``message`` to the empty challenge; an error as challenge (RFC 7628 section 3.2.3) is dismissed."""

    def answer(challenge: bytes) -> bytes:
        return dismissal if challenge else message

    return answer


def challenge(line: bytes) -> bytes:
    """What a server's ``+`` line asks; a text that is no base64 counts as empty, as in ``+ OK``."""
    try:
        return base64.b64decode(line[1:].strip(), validate=True)
    except binascii.Error:
        return b""
