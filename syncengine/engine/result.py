"""What a pass has done so far, collected while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from syncengine.model import Problem, ReportedAction


@dataclass(frozen=True, slots=True)
class Shown:
    """Two hashes: of the account's folders with their numbers, and of the voice-mail store's listing."""

    account: int
    store: int


@dataclass(slots=True)
class Result:
    """Actions done, what went wrong, and how many deletes the brake holds."""

    actions: list[ReportedAction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    held: int = 0
    shown: Shown | None = None
    """What both sides showed at the beginning, where the account was asked for nothing else."""
