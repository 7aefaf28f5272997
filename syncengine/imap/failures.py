"""What a server's refusal means for the mailbox: come back later, wrong password, or gone. Pure."""

from __future__ import annotations

import re

from syncengine.imap.wire import Condition

_BACKOFF = re.compile(r"suggested backoff time:? *(\d{1,12}) *(milliseconds|ms|seconds|s)?", re.IGNORECASE)
_CODES = {"UNAVAILABLE": 60.0, "INUSE": 30.0, "LIMIT": 300.0}
"""RFC 5530 codes that pass by themselves, and how many seconds to stay away."""
_LONGEST = 86_400.0


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
