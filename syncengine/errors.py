"""Errors as a ladder of scope: message < folder < mailbox < engine; the rung decides how much stops.

At the message rung failures are values (:class:`syncengine.model.Outcome`). Every error says what,
where, and what to do, in one line without secrets.
"""

from __future__ import annotations


class SyncError(Exception):
    """Something that the operator may have to know; the text is one line."""


class UsageError(SyncError):
    """Wrong usage, an unknown mailbox or message id; nothing was done (exit code 2)."""


class OptionsError(UsageError):
    """The options do not hold: the text names file, line, key and what is allowed."""


class FolderError(SyncError):
    """One folder could not be worked on; the others go on."""


class MailboxError(SyncError):
    """One mailbox's pass cannot go on; the others go on, it is tried again."""


class ConnectionLost(MailboxError):
    """The connection failed, timed out or spoke nonsense: it is dropped, never reused."""


class AuthenticationFailed(MailboxError):
    """The server refused the account's credentials; not retried blindly."""


class Throttled(MailboxError):
    """The server asked to come back later."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnproven(MailboxError):
    """The voice-mail store could not prove itself: nothing is planned from its absences."""


class Busy(SyncError):
    """Another process holds the mailbox (exit code 4)."""


class EngineError(SyncError):
    """The engine as a whole cannot work (index unreadable, newer schema, disk full)."""
