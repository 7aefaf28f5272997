"""A warm process that forks one child a job; the child runs a script of an engine and may be killed in it.

One thread, so that its forks are sound; everything is imported once, so that a child costs milliseconds.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from syncengine.engine.clock import Clock
from syncengine.engine.engine import Engine
from syncengine.options.files import load
from syncengine.options.install import installation_key
from tests.support.base import ROOT
from tests.support.killpoints import Steps, die_beyond, lengthen_log, log_size
from tests.support.world import Hands


@dataclass(frozen=True, slots=True)
class Died:
    """How a child ended: ``steps`` it counted and octets its log grew, both only where it came to its end."""

    killed: bool
    steps: tuple[str, ...] = ()
    log: int = 0


class KillServer:
    """The process, as a context manager; ``module:name`` names the scripts it is asked for."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.killserver"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def run(
        self,
        script: str,
        config: Path,
        now: float,
        *,
        mask: frozenset[str] = frozenset(),
        at: int | None = None,
        beyond: int | None = None,
    ) -> Died:
        """Run a script to its end, or kill it at a step, or inside the write beyond so much of the log."""
        assert self._process.stdin
        assert self._process.stdout
        job = {"script": script, "config": str(config), "now": now, "mask": sorted(mask)}
        job |= {"at": at, "beyond": beyond, "tell": str(config.parent / "told")}
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline() or b"-1")
        assert os.WIFSIGNALED(status) or status == 0, (config.parent / "told").read_text()
        if os.WIFSIGNALED(status):
            return Died(killed=True)
        told = json.loads((config.parent / "told").read_text())
        return Died(killed=False, steps=tuple(told["steps"]), log=told["log"])


def _serve() -> None:
    _warm()
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            _child(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.buffer.write(b"%d\n" % status)
        sys.stdout.buffer.flush()


def _child(job: dict[str, Any]) -> None:
    """Never returns."""
    code, told = 1, Path(job["tell"])
    try:
        told.write_text(json.dumps(_work(job)))
        code = 0
    except BaseException:  # noqa: BLE001 - told to the parent
        told.write_text(traceback.format_exc())
    finally:
        os._exit(code)


def _work(job: dict[str, Any]) -> dict[str, Any]:
    module, _, name = job["script"].partition(":")
    script = getattr(importlib.import_module(module), name)
    by_size = job["beyond"] is not None
    steps, log, ahead = Steps(job["at"]), 0, 0
    if not by_size:
        steps.arm()
    with opened(Path(job["config"]), job["now"], frozenset(job["mask"])) as (engine, clock):
        if by_size:
            ahead = lengthen_log(engine.index.database)
        if job["beyond"]:
            die_beyond(ahead + job["beyond"])
        script(engine, clock)
        if by_size:
            log = log_size(engine.index.database) - ahead
    return {"steps": steps.names, "log": log}


@contextmanager
def opened(config: Path, now: float, mask: frozenset[str] = frozenset()) -> Iterator[tuple[Engine, Hands]]:
    """An engine and the clock that it goes by."""
    hands = Hands()
    hands.now = now
    with Engine(load(config), installation_key(config), clock=Clock(hands, hands), mask=mask) as engine:
        yield engine, hands


def _warm() -> None:
    """Import what a pass imports late."""
    for name in (
        "email.mime.multipart",
        "syncengine.delivery.smtp",
        "syncengine.voicemail.audio",
        "syncengine.voicemail.fax",
        "tests.crash.scenarios",
    ):
        importlib.import_module(name)


if __name__ == "__main__":
    _serve()
