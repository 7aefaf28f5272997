"""One call of a command: its arguments, where its words go, and the options and engine when it needs them.

Nothing of the engine is imported before a command asks for it: what only prints starts at once.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from syncengine.cli.output import Output

if TYPE_CHECKING:
    from syncengine.engine.engine import Engine
    from syncengine.options.schema import Settings


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    """Nothing failed; pending, unconfirmed, undeliverable and unlinked are states, not failures."""
    FAILED = 1
    """Some mailbox or step failed: nothing is lost, it will be tried again."""
    USAGE = 2
    """Wrong usage, an unknown mailbox or id, options that do not hold: nothing was done."""
    HELD = 3
    """The brake holds deletes."""
    BUSY = 4
    """Another process holds that mailbox."""


def worst(exits: Iterable[Exit]) -> Exit:
    """Return what counts of several: a failure before the brake before a busy mailbox."""
    found = set(exits)
    order = (Exit.USAGE, Exit.FAILED, Exit.HELD, Exit.BUSY)
    return next((exit_code for exit_code in order if exit_code in found), Exit.DONE)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command."""

    args: Namespace
    out: Output

    @property
    def named_config(self) -> Path | None:
        """The configuration named by ``--config``."""
        name: str | None = self.args.config
        return Path(name) if name else None

    def config(self) -> Path:
        """Return the main file of options; raises ``OptionsError`` where there is none."""
        from syncengine.options.files import find_config  # noqa: PLC0415

        return find_config(self.named_config, os.environ)

    def settings(self) -> Settings:
        """Read the options, warning of doubtful ports; raises ``OptionsError`` if they do not hold."""
        from syncengine.options.files import load  # noqa: PLC0415

        return _warned(load(self.config()))

    def settings_so_far(self) -> Settings:
        """Read the options as far as they hold, so that they can be mended one by one."""
        from syncengine.options.files import examine  # noqa: PLC0415

        return _warned(examine(self.config())[0])

    def engine(self) -> Engine:
        """Open the engine; use it in a ``with`` statement."""
        from syncengine.engine.engine import Engine  # noqa: PLC0415

        return Engine.open(self.settings())


def _warned(settings: Settings) -> Settings:
    import logging  # noqa: PLC0415

    from syncengine.options.check import port_warnings  # noqa: PLC0415

    for line in port_warnings(settings):
        logging.getLogger(__name__).warning("%s: %s", settings.path, line)
    return settings
