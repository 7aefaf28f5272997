"""``check``: tries accounts step by step and says how each step went, while it happens."""

from __future__ import annotations

import argparse
from typing import Any

from syncengine.cli.call import Call, Exit, worst
from syncengine.delivery.steps import Step
from syncengine.engine.trial import try_account


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    parser.add_argument("number", metavar="NUMBER", nargs="?", help="one mailbox (default: all)")
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """Try the accounts; failed where one step of one of them failed."""
    exits, steps = [], []
    with call.engine() as engine:
        for number in [call.args.number] if call.args.number else engine.numbers():
            tried = 0
            for server, step in try_account(engine.binding(number), engine.index):
                tried += 1
                steps.append(step_object(number, server, step))
                _tell(call, f"{number} {server} {step.name}", step)
                exits.append(Exit.DONE if step.ok else Exit.FAILED)
            if not tried:
                call.out.say(f"{number}: no server is set, so there is nothing to try")
    if call.out.json:
        call.out.document(steps)
    return worst(exits)


def step_object(number: str, server: str, step: Step) -> dict[str, Any]:
    """Return a step as ``check --json`` shows it."""
    return {"mailbox": number, "server": server, "step": step.name, "ok": step.ok, "detail": step.detail}


def _tell(call: Call, what: str, step: Step) -> None:
    if step.ok:
        call.out.say(f"{what}: ok" + (f": {step.detail}" if step.detail else ""))
    else:
        call.out.error(f"{what}: {step.detail}")
