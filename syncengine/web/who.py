"""Who asks, and what he may: the pages' roles as one pure rule.

Invariant: what is not said to be allowed is not; a subscriber is allowed nothing of another number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user is there for."""

    OPERATOR = "operator"
    """Sees and changes everything."""
    READ_ONLY = "read-only"
    """Sees everything but the record of changes, changes nothing."""
    SUBSCRIBER = "subscriber"
    """His own number only: his account's options, its test, his messages."""


class Need(StrEnum):
    """What an address asks of who comes to it."""

    NOBODY = "nobody"
    """Nothing: the sign-in page and what it is drawn with."""
    ANYBODY = "anybody"
    """Whoever is signed in."""
    OWN = "own"
    """To see a mailbox: its subscriber, who may see everything, the operator."""
    OWN_CHANGE = "own-change"
    """To change a mailbox as its subscriber may: he, and the operator."""
    SEE = "see"
    """To see what belongs to no mailbox, or to all."""
    OPERATE = "operate"
    """The operator."""


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who is known."""

    name: str
    role: Role
    mailbox: str | None = None
    """A subscriber's number."""

    @property
    def home(self) -> str:
        """Where he begins."""
        return f"/mailboxes/{self.mailbox}" if self.role is Role.SUBSCRIBER else "/"

    def owns(self, number: str | None) -> bool:
        """Whether this is a subscriber's own number."""
        return self.role is Role.SUBSCRIBER and number is not None and number == self.mailbox

    def may(self, need: Need, number: str | None = None) -> bool:
        """Whether he may use an address that asks ``need``, about the mailbox ``number`` if about one."""
        match need:
            case Need.NOBODY | Need.ANYBODY:
                return True
            case Need.OWN:
                return self.role is not Role.SUBSCRIBER or self.owns(number)
            case Need.OWN_CHANGE:
                return self.role is Role.OPERATOR or self.owns(number)
            case Need.SEE:
                return self.role is not Role.SUBSCRIBER
            case Need.OPERATE:
                return self.role is Role.OPERATOR


LOCAL = Who("local", Role.OPERATOR)
"""Whoever can log in on this host, while there are no users and nobody else can come."""
