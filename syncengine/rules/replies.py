"""What an SMTP server's answer means for one recipient: the manual's table (page 9) and its amendments.

Invariant: ``TABLE`` is the only place where an answer is judged, and every answer has a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """How far a session has come; the manual's letters C H M R D E, and TLS and AUTH between H and M."""

    CONNECT = "connect"
    HELO = "helo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    END = "end"
    """From the final dot on: the server may have taken responsibility."""


class Result(StrEnum):
    """What became of the responsibility for one recipient."""

    SUCCESS = "success"
    """The server took it (before END: the session goes on)."""
    DEFERRAL = "deferral"
    """Not now: the same is tried again later."""
    FAILURE = "failure"
    """Never: nothing is tried again by itself."""
    CONFIGURATION = "configuration"
    """The account's settings do not fit the server: nothing is tried until they change."""
    TOO_LARGE = "too-large"
    """Sent once more without the sound; a failure where there is nothing smaller to send."""
    IN_DOUBT = "in-doubt"
    """The final dot is out and no answer came: it is looked for before it is sent again."""


class Fault(StrEnum):
    """What stands in the place of a reply where the server gave none."""

    SILENCE = "none"
    """No route, no name, timeout, end of file, broken TLS record, or bytes that are no reply."""
    UNTRUSTED = "untrusted"
    """The certificate is not trusted or no TLS handshake is possible; or plaintext came after STARTTLS."""
    NOT_OFFERED = "not offered"
    """STARTTLS, the authentication mechanism or SMTPUTF8 is needed and not offered."""
    OVERSIZE = "over SIZE"
    """The message is larger than the SIZE the server announced (RFC 1870)."""
    BAD_ADDRESS = "bad address"
    """The address cannot stand in an envelope; it was not sent to the server."""


EVERY = tuple(Phase)
HELO_INSTEAD = frozenset({500, 502, 504})
"""Answers to EHLO after which HELO is tried once: the server does not know the command (RFC 5321 4.1.4)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: in any of ``phases``, an answer like any of ``replies`` means ``result``.

    A reply is three characters, ``x`` standing for any digit, or the value of a :class:`Fault`.
    """

    phases: tuple[Phase, ...]
    replies: tuple[str, ...]
    result: Result
    why: str


_ENVELOPE = (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.END)
_SIZED = (Phase.MAIL, Phase.DATA, Phase.END)

TABLE: tuple[Row, ...] = (
    Row(EVERY, ("421",), Result.DEFERRAL, "the server is closing the session (RFC 5321 3.8)"),
    Row(
        (Phase.HELO, *_ENVELOPE), ("530", "534", "535", "538"), Result.CONFIGURATION, "login or TLS is needed"
    ),
    Row((Phase.CONNECT,), ("2xx",), Result.SUCCESS, "the greeting"),
    Row(
        (Phase.CONNECT,),
        ("4xx", "5xx"),
        Result.DEFERRAL,
        "rows 4 and 5: the service is refused, often for a while",
    ),
    Row((Phase.HELO,), ("2xx",), Result.SUCCESS, "the session is open"),
    Row(
        (Phase.HELO,),
        ("4xx", "5xx"),
        Result.DEFERRAL,
        "rows 24 and 25; 500, 502, 504 to EHLO: HELO is tried first",
    ),
    Row((Phase.TLS, Phase.AUTH), ("2xx",), Result.SUCCESS, "encrypted; logged in"),
    Row((Phase.TLS, Phase.AUTH), ("4xx",), Result.DEFERRAL, "454: not now (RFC 3207, RFC 4954)"),
    Row(
        (Phase.TLS, Phase.AUTH),
        ("5xx", "untrusted", "not offered"),
        Result.CONFIGURATION,
        "the settings do not fit",
    ),
    Row((Phase.MAIL,), ("bad address",), Result.CONFIGURATION, "the account's own address"),
    Row((Phase.RCPT,), ("552",), Result.DEFERRAL, "means 452, too many recipients (RFC 5321 4.5.3.1.10)"),
    Row(_SIZED, ("552", "523", "over SIZE"), Result.TOO_LARGE, "more than the server takes (RFC 1870)"),
    Row((Phase.MAIL,), ("2xx",), Result.SUCCESS, "the sender is taken"),
    Row((Phase.RCPT,), ("2xx",), Result.SUCCESS, "the recipient is taken; 251 and 252 too"),
    Row((Phase.DATA,), ("354",), Result.SUCCESS, "go ahead"),
    Row((Phase.END,), ("2xx",), Result.SUCCESS, "row 222232: responsibility is the server's"),
    Row(_ENVELOPE, ("4xx",), Result.DEFERRAL, "rows 224, 2224, 22224, 222234"),
    Row(_ENVELOPE, ("5xx",), Result.FAILURE, "rows 225, 2225, 22225, 222235"),
    Row((Phase.MAIL, Phase.RCPT), ("not offered",), Result.FAILURE, "the address needs SMTPUTF8 (RFC 6531)"),
    Row((Phase.RCPT,), ("bad address",), Result.FAILURE, "the address cannot stand in an envelope"),
    Row(
        (Phase.END,),
        ("none", "xxx"),
        Result.IN_DOUBT,
        "the final dot is out, nobody said who holds the message",
    ),
    Row(EVERY, ("none", "xxx"), Result.DEFERRAL, "no reply, or one that has no place here"),
)
"""Read from the top: the first row that fits decides."""


def verdict(phase: Phase, reply: int | Fault) -> Result:
    """Return what ``reply`` means in ``phase``; a fault that no row names counts as silence."""
    shown = reply.value if isinstance(reply, Fault) else f"{reply:03d}"
    for row in TABLE:
        if phase in row.phases and any(_fits(shown, pattern) for pattern in row.replies):
            return row.result
    return verdict(phase, Fault.SILENCE)


def _fits(shown: str, pattern: str) -> bool:
    return shown == pattern or (
        shown.isdecimal()
        and len(shown) == len(pattern)
        and all(wanted in ("x", digit) for digit, wanted in zip(shown, pattern, strict=True))
    )


_GRAVITY = (
    Result.SUCCESS,
    Result.FAILURE,
    Result.TOO_LARGE,
    Result.DEFERRAL,
    Result.CONFIGURATION,
    Result.IN_DOUBT,
)


def gravest(results: tuple[Result, ...]) -> Result:
    """Return the one that decides what is done next: in doubt, configuration, deferral, failure, success."""
    return max(results, key=_GRAVITY.index, default=Result.FAILURE)
