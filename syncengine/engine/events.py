"""What happened to the subscriber's messages, as values for whoever listens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in one mailbox."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class MessageEvent(Event):
    """Something that happened to one message, by its id."""

    message: str


@dataclass(frozen=True, slots=True)
class MessageHeard(MessageEvent):
    """It was read in the account, or taken in as read, and is heard at the phone now."""


@dataclass(frozen=True, slots=True)
class MessageNew(MessageEvent):
    """It was marked unread in the account, or taken in, and is new at the phone now."""


@dataclass(frozen=True, slots=True)
class MessageDeleted(MessageEvent):
    """It was deleted in the account and is deleted at the phone now, undoable for a while."""


@dataclass(frozen=True, slots=True)
class MessageRestored(MessageEvent):
    """It came back in the account and is back at the phone."""


@dataclass(frozen=True, slots=True)
class DeliveryFailed(MessageEvent):
    """It was refused for good, came back, or waits for other options; it stays new, the lamp stays lit."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unconfirmed(MessageEvent):
    """What was pending is not expected any more; it is still looked for at each rare pass."""

    what: str


@dataclass(frozen=True, slots=True)
class Held(Event):
    """The brake holds this many inferred deletes."""

    count: int


@dataclass(frozen=True, slots=True)
class Reading(Event):
    """Many messages are looked at: ``done`` of ``total`` so far, now those of ``folder``."""

    folder: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class LampChanged(Event):
    """The counts behind the phone's lamp changed (RFC 3842)."""

    new: int
    heard: int
    urgent: int
    """New messages that are urgent."""
