"""What a pass that found nothing to do leaves behind: while all of it stands, the next finds nothing either.

A pass is made of what both sides show, of the index, of the options and of the time. Where the last
one asked the server for nothing but its folders, did nothing, and left nothing under way, the same
folders with the same numbers mean the same again, at a tenth of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from syncengine.engine.binding import Binding
from syncengine.engine.outlook import Outlook
from syncengine.engine.result import Shown
from syncengine.engine.runner import Passed
from syncengine.index import Index
from syncengine.options.schema import Mailbox, System

_LONGEST = 600.0
"""Seconds until a whole pass is made in any case: what time alone brings, as giving up contents, can wait."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """How everything stood that a pass depends on."""

    shown: Shown
    mailbox: Mailbox
    system: System
    outlook: Outlook
    until: float
    """Seconds since the epoch; from then on a whole pass is due."""

    @classmethod
    def after(cls, passed: Passed, outlook: Outlook, binding: Binding, now: float) -> Self | None:
        """What this pass leaves, None where it had something to do or something is under way."""
        report = passed.report
        idle = report.ok and not report.actions and not report.held
        if passed.shown is None or not idle or not outlook.settled:
            return None
        until = now + _LONGEST if outlook.wake is None else min(now + _LONGEST, outlook.wake)
        return cls(passed.shown, binding.mailbox, binding.settings.system, outlook, until)

    def stands(self, binding: Binding, index: Index, now: float) -> bool:
        """Whether all but the account is as it was; the account is to be asked."""
        return (
            self.until - _LONGEST <= now < self.until
            and self.mailbox == binding.mailbox
            and self.system == binding.settings.system
            and index.passes.get(binding.number).dirty_since is None
            and self.shown.store == hash(binding.store.listing(binding.number))
        )
