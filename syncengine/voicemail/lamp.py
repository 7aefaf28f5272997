"""The phone's lamp: a command of the operator's, run once per change like Asterisk's externnotify."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_log = logging.getLogger(__name__)

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What the lamp shows (RFC 3842): new and heard messages, and how many of the new are urgent."""

    new: int
    heard: int
    urgent: int

    def __str__(self) -> str:
        return f"{self.new}/{self.heard}/{self.urgent}"


def run_lamp_command(command: Sequence[str], *, context: str, mailbox: str, counts: Counts) -> bool:
    """Run ``command`` with context, number, new, heard and urgent as arguments; False if it failed.

    No shell, no input, output thrown away, ended after 10 s: a lamp never holds up a pass.
    """
    arguments = [*command, context, mailbox, str(counts.new), str(counts.heard), str(counts.urgent)]
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own argv, never through a shell
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("mailbox %s: lamp_command %s: %s", mailbox, command[0], error)
        return False
    if done.returncode != 0:
        _log.warning("mailbox %s: lamp_command %s ended with %d", mailbox, command[0], done.returncode)
    return done.returncode == 0
