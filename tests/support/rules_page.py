"""Prints docs/rules.md from the rules themselves: ``python -m tests.support.rules_page > docs/rules.md``."""

from __future__ import annotations

from itertools import product

from syncengine.model import RemoteState, State
from syncengine.rules.compare import Trash
from syncengine.rules.decide import Circumstances, Decision, decide

BASES: tuple[State | None, ...] = (None, State.NEW, State.HEARD, State.DELETED)
LOCALS = BASES
REMOTES = tuple(RemoteState)

CIRCUMSTANCES: dict[str, Circumstances] = {
    "": Circumstances(),
    "in flight": Circumstances(in_flight=True),
    "out of scope": Circumstances(linked=False),
    "copy in Trash": Circumstances(trash=Trash.HERE),
    "was in Trash": Circumstances(trash=Trash.LEFT),
    "deleted by the phone": Circumstances(deleted_by_phone=True),
    "queued": Circumstances(queued=True),
}

HEAD = """# The rules

What a pass does about one message follows from three things: what both sides last agreed on (the
*base*), what the voice-mail store says (*local*) and what the account shows (*remote*). This page is
printed from the code (`python -m tests.support.rules_page > docs/rules.md`) and a test keeps the two
the same; the function is `decide` in `syncengine/rules/decide.py`.

- *none* as base: nothing was handed over yet, or the index was lost. As local: the store has no such
  message, or its recording was given up.
- *deleted* as remote needs evidence: the message is only in Trash, or carries `\\Deleted` wherever it is
  live (an act); or its live sighting is gone and a sound look over every folder did not find it
  (inferred). Everything else that is not sighted is *unknown*, and unknown deletes nothing.
- An arrow at the end of a line shows the base once the step is confirmed.

## Every combination

| base | local | unseen | seen | deleted | unknown |
|---|---|---|---|---|---|
"""

TAIL_HEAD = """
## Where circumstances change the row

Only combinations that differ from the table above are listed.

| circumstance | base | local | remote | step |
|---|---|---|---|---|
"""

TAIL = """
## The brake

Inferred deletes, counted over the last 24 hours, of more than the larger of `max_delete_count` and
`max_delete_fraction` of the mailbox's live messages, or of all of three or more, are held: none of them
is applied, everything else is. Acts are never braked. `syncengine resync NUMBER --accept-deletes` lets
through exactly what was shown as held; without it they go through when every look of `brake_release`
confirmed them.
"""


def words(decision: Decision) -> str:
    """A decision as the page shows it."""
    return decision.step.value + (f" → {decision.base}" if decision.base else "")


def name(state: State | None) -> str:
    """A state as the page shows it."""
    return state.value if state else "none"


def page() -> str:
    """The whole page."""
    lines = []
    for base, local in product(BASES, LOCALS):
        row = [words(decide(base, local, remote, Circumstances())) for remote in REMOTES]
        lines.append(f"| {name(base)} | {name(local)} | " + " | ".join(row) + " |\n")
    more = []
    for label, about in CIRCUMSTANCES.items():
        for base, local, remote in product(BASES, LOCALS, REMOTES):
            plain = decide(base, local, remote, Circumstances())
            here = decide(base, local, remote, about)
            if here != plain:
                more.append(f"| {label} | {name(base)} | {name(local)} | {remote} | {words(here)} |\n")
    return HEAD + "".join(lines) + TAIL_HEAD + "".join(more) + TAIL


if __name__ == "__main__":
    print(page(), end="")
