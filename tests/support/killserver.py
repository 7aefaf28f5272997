"""A warm process that forks one child a job; the child runs a script of an engine and may be killed in it.

One thread, so that its forks are sound; everything is imported once, so that a child costs milliseconds.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
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
from syncengine.errors import SyncError
from syncengine.options.files import load
from syncengine.options.install import installation_key
from tests.support.base import ROOT
from tests.support.killpoints import Steps, die_beyond, lengthen_log, log_size
from tests.support.world import Hands

_HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@dataclass(frozen=True, slots=True)
class Died:
    """How a child ended: ``steps`` it counted and octets its log grew, both only where it came to its end."""

    killed: bool
    steps: tuple[str, ...] = ()
    log: int = 0
    refused: str = ""
    """The error that ended the script, one of ours."""


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
        octets: int | None = None,
        descriptors: int | None = None,
    ) -> Died:
        """Run a script to its end, or kill it at a step, or inside the write beyond so much of the log.

        With ``octets`` no file can become longer than that, with ``descriptors`` no more files be open.
        """
        assert self._process.stdin
        assert self._process.stdout
        job = {"script": script, "config": str(config), "now": now, "mask": sorted(mask)}
        job |= {"octets": octets, "descriptors": descriptors}
        job |= {"at": at, "beyond": beyond, "tell": str(config.parent / "told")}
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline() or b"-1")
        assert os.WIFSIGNALED(status) or status == 0, (config.parent / "told").read_text()
        if os.WIFSIGNALED(status):
            return Died(killed=True)
        told = json.loads((config.parent / "told").read_text())
        return Died(killed=False, steps=tuple(told["steps"]), log=told["log"], refused=told["refused"])


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
    steps, log, ahead, refused = Steps(job["at"]), 0, 0, ""
    if job["octets"] or job["descriptors"]:
        _limit(job)
    elif not by_size:
        steps.arm()
    try:
        with opened(Path(job["config"]), job["now"], frozenset(job["mask"])) as (engine, clock):
            if by_size:
                ahead = lengthen_log(engine.index.database)
            if job["beyond"]:
                die_beyond(ahead + job["beyond"])
            script(engine, clock)
            if by_size:
                log = log_size(engine.index.database) - ahead
    except SyncError as error:
        refused = str(error)
    finally:
        _lift()
    return {"steps": steps.names, "log": log, "refused": refused}


def _limit(job: dict[str, Any]) -> None:
    if job["octets"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["octets"], resource.RLIM_INFINITY))
    if job["descriptors"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (job["descriptors"], _HARD))


def _lift() -> None:
    """So that what was found can be told."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_HARD, _HARD))


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
