"""The brake: a plan that infers too many deletes is held. Pure; nothing has been written yet.

Acts are never braked, so emptying one's mailbox in a mail program simply works.
"""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from syncengine.model import Evidence, Side, Token, Verb
from syncengine.rules.plan import Action, Plan


@dataclass(frozen=True, slots=True)
class Limits:
    """How many inferred deletes are let through in 24 hours: the larger of the two."""

    count: int = 5
    fraction: float = 0.2


@dataclass(frozen=True, slots=True)
class Guarded:
    """A plan with what was held taken out."""

    plan: Plan
    held: tuple[Action, ...] = ()


def guard(
    plan: Plan, *, live: int, recent: int, limits: Limits, allowed: AbstractSet[Token] = frozenset()
) -> Guarded:
    """Hold all inferred deletes of ``plan`` if they are too many.

    ``live``: voice and fax messages of the mailbox that are not deleted, before the plan. ``recent``:
    inferred deletes applied in the last 24 hours. ``allowed``: those the operator or time let through;
    they are not held, but count: what vanished beside them was not shown to anybody.
    """
    inferred = [a for a in plan.actions if is_inferred(a)]
    others = [a for a in inferred if a.token not in allowed]
    if not others:
        return Guarded(plan)
    limit = max(limits.count, math.floor(limits.fraction * (live + recent)))
    everything = live >= 3 and len(inferred) >= live
    if len(inferred) + recent <= limit and not everything:
        return Guarded(plan)
    held = frozenset(a.token for a in others)
    kept = tuple(a for a in plan.actions if not (is_inferred(a) and a.token in held))
    return Guarded(replace(plan, actions=kept), tuple(others))


def is_inferred(action: Action) -> bool:
    """Whether an action deletes a voice message on inferred evidence."""
    return action.side is Side.LOCAL and action.verb is Verb.DELETE and action.evidence is Evidence.INFERRED
