"""A program that is spoken to through pipes: within a time limit, within bounds, and killed on request.

Nothing that is said ever stands on a command line, where every user of the machine could read it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence

from syncengine.errors import SyncError

_BLOCK = 64 * 1024


class SpeechError(SyncError):
    """A sentence could not be spoken; the next one may be. The text is never part of the message."""


class SpeechStopped(SpeechError):
    """The speech was stopped by :meth:`Child.kill`: the caller hung up."""


class Child:
    """One running program. Used by one thread; :meth:`kill` may come from any."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start it in a process group of its own, with nothing of the environment that could be secret."""
        self.name = os.path.basename(argv[0])  # noqa: PTH119 - a word for messages
        self._stopped = False
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the operator's own option
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what a program complains about may quote the text
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise SpeechError(
                f"text-to-speech: {self.name!r} cannot be started: {reason}; see tts_command"
            ) from error

    @property
    def running(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def write(self, data: bytes, *, close: bool = False) -> None:
        """Send ``data``, which must fit into a pipe (64 KiB on Linux); ``close``: nothing more will come."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            if close:
                self._process.stdin.close()
        except (OSError, ValueError) as error:
            raise self._failure("does not read what it is told") from error

    def read(self, size: int, deadline: float) -> bytes:
        """Read exactly ``size`` octets until ``deadline`` (of ``time.monotonic``)."""
        data = bytearray()
        while len(data) < size:
            block = self._some(size - len(data), deadline)
            if not block:
                raise self._failure("ended too early")
            data += block
        return bytes(data)

    def read_all(self, limit: int, deadline: float) -> bytes:
        """Read to the end, which must come before ``limit`` octets; the program must have succeeded."""
        data = bytearray()
        while block := self._some(_BLOCK, deadline):
            data += block
            if len(data) > limit:
                raise self._failure(f"says more than {limit} octets for one sentence")
        try:
            code = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise self._failure("did not end within its time limit") from error
        if code != 0:
            raise self._failure(f"failed with exit code {code}")
        return bytes(data)

    def kill(self) -> None:
        """End it at once, with everything that it started."""
        self._stopped = True
        self._kill()

    def close(self) -> None:
        """End it and give back what it holds. Never raises."""
        self._kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()

    def _some(self, size: int, deadline: float) -> bytes:
        """Read what there is; b'' at the end."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise self._failure("did not speak within its time limit")
        block = os.read(self._process.stdout.fileno(), min(size, _BLOCK))
        if not block and self._stopped:
            raise SpeechStopped("text-to-speech: stopped")
        return block

    def _kill(self) -> None:
        if self._process.returncode is None:  # its number is not yet free for another process
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _failure(self, what: str) -> SpeechError:
        if self._stopped:
            return SpeechStopped("text-to-speech: stopped")
        return SpeechError(f"text-to-speech: {self.name!r} {what}; see tts_command")
