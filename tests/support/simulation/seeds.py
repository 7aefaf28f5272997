"""From a seed to its run, and from a failing run to the fewest steps that fail."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.simulation.engine import Simulation, Step


def drawn(simulation: Simulation, *, rounds: int, length: int) -> list[Step]:
    """The steps of a seed."""
    rng = random.Random(f"steps {simulation.seed} {simulation.profile}")
    names = [act.__name__ for _, act in simulation.acts]
    weights = [weight for weight, _ in simulation.acts]
    steps: list[Step] = []
    for _ in range(rounds):
        steps += [(name, rng.getrandbits(32)) for name in rng.choices(names, weights, k=length)]
        steps.append(("quiet", rng.getrandbits(32)))
    return steps


def run(
    seed: int, profile: str, folder: Path, *, rounds: int = 3, length: int = 25, faulty: bool = True
) -> list[str]:
    """Run one seed and return its trace; an ``AssertionError`` names it and the fewest steps that fail."""
    steps = drawn(Simulation(seed, profile, folder, faulty=faulty), rounds=rounds, length=length)
    trace: list[str] = []
    failure = failure_of(seed, profile, folder, steps, faulty=faulty, trace=trace)
    if failure is None:
        return trace
    print(f"fails, and is made shorter now: {failure}")
    steps = shrunk(steps, lambda fewer: failure_of(seed, profile, folder, fewer, faulty=faulty))
    shortest = failure_of(seed, profile, folder, steps, faulty=faulty)
    raise AssertionError(f"{shortest or failure}\n  steps: {steps!r}")


def failure_of(
    seed: int,
    profile: str,
    folder: Path,
    steps: Sequence[Step],
    *,
    faulty: bool = True,
    trace: list[str] | None = None,
) -> str | None:
    """Play these steps; return what failed, None when nothing did."""
    shutil.rmtree(folder, ignore_errors=True)
    simulation = Simulation(seed, profile, folder, faulty=faulty, trace=[] if trace is None else trace)
    with simulation.running():
        try:
            simulation.play(steps)
        except AssertionError as failure:
            return str(failure)
    return None


def shrunk(
    steps: Sequence[Step], fails: Callable[[Sequence[Step]], str | None], *, tries: int = 200
) -> list[Step]:
    """Leave out steps as long as the same check fails; ``tries`` bounds how often that is tried."""
    kept = list(steps)
    first = (fails(kept) or "").splitlines()[:1]
    size = len(kept) // 2
    while size and first:
        start = 0
        while start < len(kept) and tries:
            tries -= 1
            fewer = kept[:start] + kept[start + size :]
            if (fails(fewer) or "").splitlines()[:1] == first:
                kept = fewer
            else:
                start += size
        size //= 2
    return kept
