"""The kinds of value an option can have: enumerations, durations, bounded texts.

Every kind says in one phrase what is allowed, and that phrase stands in errors and in ``docs/options.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta


class Protocol(StrEnum):
    """How the account is reached (the manual's g_szEmailDllPath, page 7)."""

    IMAP4 = "imap4"
    POP3 = "pop3"


class SendMode(StrEnum):
    """Which messages are sent (manual page 4)."""

    VOICE = "voice"
    FAX = "fax"
    VOICE_AND_FAX = "voice+fax"


class SyncMode(StrEnum):
    """Where voice and fax messages are looked for (manual page 6)."""

    ALL_FOLDERS = "all-folders"
    INBOX = "inbox"
    VOICE_MAIL_FOLDER = "voice-mail-folder"
    NONE = "none"


class DeliveryBy(StrEnum):
    """How a message gets into the account."""

    SMTP = "smtp"
    APPEND = "append"


class AttachFormat(StrEnum):
    """What the sound is attached as."""

    ULAW_WAV = "ulaw-wav"
    PCM_WAV = "pcm-wav"
    AS_RECORDED = "as-recorded"
    MP3 = "mp3"


class Authentication(StrEnum):
    """How an account proves itself (RFC 4616, RFC 2195, RFC 7628; xoauth2 is Google's and Microsoft's)."""

    NONE = "none"
    PLAIN = "plain"
    LOGIN = "login"
    CRAM_MD5 = "cram-md5"
    XOAUTH2 = "xoauth2"
    OAUTHBEARER = "oauthbearer"


class OutOfScope(StrEnum):
    """What becomes of a voice message whose mail was filed outside the sync mode's scope."""

    KEEP = "keep"
    ERASE = "erase"


class PendingExpiry(StrEnum):
    """What becomes of a voice message whose mail was not seen within the pending timer."""

    KEEP = "keep"
    ERASE = "erase"


class DeleteTo(StrEnum):
    """How a message is deleted in the account."""

    TRASH = "trash"
    EXPUNGE = "expunge"


class Backlog(StrEnum):
    """What is sent when integration is first switched on."""

    NONE = "none"
    NEW = "new"
    ALL = "all"


class VoiceMailServer(StrEnum):
    """Where the voice messages are: the local side."""

    BUILTIN = "builtin"
    ASTERISK = "asterisk"


class SpoolLock(StrEnum):
    """How Asterisk locks a folder of its spool (``lockmode`` in asterisk.conf)."""

    LOCKFILE = "lockfile"
    FLOCK = "flock"


class FoldersMode(StrEnum):
    """Which folders ``all-folders`` means."""

    SUBSCRIBED = "subscribed"
    LISTED = "listed"


@dataclass(frozen=True, slots=True)
class About:
    """What a key means, its label in the manual, and how its default is shown where no value tells it.

    ``choices`` leaves out members of the enumeration that this key does not take.
    """

    doc: str
    label: str = ""
    shown: str = ""
    choices: tuple[StrEnum, ...] = ()


@dataclass(frozen=True, slots=True)
class Duration:
    """Marks a key that holds a duration, kept as float seconds.

    ``never``: the text that means "no end", kept as None. ``bare_minutes``: a bare number means minutes.
    """

    least: float = 0.0
    never: str | None = None
    bare_minutes: bool = False

    @property
    def allowed(self) -> str:
        """What is allowed, in one phrase."""
        phrase = 'a duration like "30s", "20m", "24h" or "3d"'
        if self.bare_minutes:
            phrase += ", or a number of minutes"
        if self.never is not None:
            phrase += f', or "{self.never}" for ever' if self.never == "0" else f', or "{self.never}"'
        return phrase + (f", at least {self.least:g} s" if self.least else "")

    def parse(self, value: object) -> float | None:
        """Return ``value`` in seconds, None for ever. Raises ``ValueError`` for what is no duration."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        text = str(value).strip().lower()
        if text == self.never:
            return None
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError
        unit = match[2] or ("m" if self.bare_minutes else "")
        number = float(match[1])
        if not unit and number:
            raise ValueError
        seconds = number * _UNITS.get(unit, 1.0)
        if seconds == 0 and self.never == "0":
            return None
        if not self.least <= seconds <= _LONGEST:
            raise ValueError
        return seconds

    def show(self, seconds: float | None) -> str:
        """Return ``seconds`` as it stands in the file."""
        if seconds is None:
            return self.never or "0"
        if not seconds:
            return "0"
        # One day and one minute read better as 24h and 60s.
        units = (u for u in ("d", "h", "m") if seconds >= _UNITS[u] * (1 if u == "h" else 2))
        unit = next((u for u in units if seconds % _UNITS[u] == 0), "s")
        return f"{seconds / _UNITS[unit]:.6f}".rstrip("0").rstrip(".") + unit


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(ms|s|m|h|d)?")
_LONGEST = 3650 * 86400.0


@dataclass(frozen=True, slots=True)
class FilePath:
    """Marks a key that holds a path; relative ones start at the folder of the configuration."""

    optional: bool = False
    allowed = "a path, taken from the folder of the configuration where it is relative"


_LINE = r"\A[^\x00-\x1f\x7f\x85\u2028\u2029]*\Z"
_NAME = r"[^\s<>()\[\],;:\"\\@\x00-\x1f\x7f]+"

Seconds = Annotated[float, Duration()]
Interval = Annotated[float, Duration(least=0.1)]
Line = Annotated[str, Meta(max_length=1000, pattern=_LINE, description="a text of one line")]
Host = Annotated[
    str,
    Meta(max_length=253, pattern=r"\A[\w.:\[\]%-]*\Z", description="a host name or an IP address, or blank"),
]
Domain = Annotated[
    str, Meta(max_length=253, pattern=r"\A(\w[\w.-]*|\[[\w.:]+\])?\Z", description="a domain name, or blank")
]
Address = Annotated[
    str,
    Meta(
        max_length=320,
        pattern=rf"\A({_NAME}(@{_NAME})?)?\Z",
        description="an e-mail address, or its part before the @",
    ),
]
Language = Annotated[
    str,
    Meta(
        max_length=35,
        pattern=r"\A[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z",
        description='a language tag like "en" or "de-AT"',
    ),
]
Context = Annotated[
    str, Meta(max_length=80, pattern=r"\A[\w.-]*\Z", description="letters, digits, dots, dashes, or blank")
]
Addresses = Annotated[tuple[Address, ...], Meta(max_length=50, description="a list of e-mail addresses")]
Argv = Annotated[
    tuple[Line, ...], Meta(max_length=100, description="a list of texts: the program and its arguments")
]
Port = Annotated[int, Meta(ge=1, le=65535, description="a whole number from 1 to 65535")]
Positive = Annotated[int, Meta(ge=1, le=2**53, description="a whole number, at least 1")]
Natural = Annotated[int, Meta(ge=0, le=2**53, description="a whole number, at least 0")]
Fraction = Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")]
PASSWORD_TEXT = Annotated[
    str, Meta(max_length=16384, pattern=r"\A[^\x00\r\n]*\Z", description="a text of one line")
]
"""Access tokens (RFC 7628) of some providers are several thousand characters long."""
