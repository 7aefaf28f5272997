"""What a pass has done so far, collected while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from syncengine.model import Problem, ReportedAction


@dataclass(slots=True)
class Result:
    """Actions done, what went wrong, and how many deletes the brake holds."""

    actions: list[ReportedAction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    held: int = 0
