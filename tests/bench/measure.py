"""One run of a program as a whole: trips and bytes by the proxy, seconds, and the most memory it took."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.proxy import Proxy

_EVERY = 0.004
"""Seconds between two looks at a program's memory."""


class RunError(Exception):
    """A program failed; the end of what it said."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run cost."""

    trips: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of processor time of the program alone."""
    peak: int = 0
    """Most memory (resident) in kB."""
    said: str = field(default="", compare=False, repr=False)

    @property
    def octets(self) -> int:
        """Bytes both ways."""
        return self.bytes_in + self.bytes_out


def run(
    command: Sequence[str], *, env: Mapping[str, str], proxy: Proxy | None = None, limit: float = 1800
) -> Figures:
    """Run ``command`` to its end; raises ``RunError`` if it fails or takes longer than ``limit`` seconds."""
    if proxy is not None:
        proxy.reset_counts()
    before, started = os.times(), time.perf_counter()
    with subprocess.Popen(
        command,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        watch = _Watch(child.pid)
        watch.start()
        try:
            said = child.communicate(timeout=limit)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            child.kill()
            raise RunError(f"{command[0]}: not done after {limit:.0f} s") from None
        finally:
            watch.ended.set()
            watch.join()
    seconds, after = time.perf_counter() - started, os.times()
    if child.returncode:
        raise RunError(f"{' '.join(command)} ended with {child.returncode}: {said[-1500:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    counts = proxy.counts if proxy is not None else None
    return Figures(
        counts.trips if counts else 0,
        counts.bytes_in if counts else 0,
        counts.bytes_out if counts else 0,
        seconds,
        cpu,
        watch.peak,
        said,
    )


def best(runs: Sequence[Figures]) -> Figures:
    """The figures of several runs of the same work: the fewest of each, since noise only adds."""
    return replace(
        runs[-1],
        trips=min(r.trips for r in runs),
        bytes_in=min(r.bytes_in for r in runs),
        bytes_out=min(r.bytes_out for r in runs),
        seconds=min(r.seconds for r in runs),
        cpu=min(r.cpu for r in runs),
        peak=min(r.peak for r in runs),
    )


class _Watch(threading.Thread):
    """Looks at VmHWM: unlike getrusage it starts anew when a program is loaded."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.peak = 0
        self._status = Path(f"/proc/{pid}/status")

    def run(self) -> None:
        """Look until the end."""
        while not self.ended.wait(_EVERY):
            try:
                text = self._status.read_text()
            except OSError:
                return
            for line in text.splitlines():
                if line.startswith("VmHWM:"):
                    self.peak = int(line.split()[1])
