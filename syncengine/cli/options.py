"""The files of options from the command line: ``init``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from syncengine.cli.call import Call, Exit
from syncengine.options.files import CONFIG_NAME
from syncengine.options.install import init


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--state-dir", metavar="DIR", help="where the index and the recordings lie (default: beside it)"
    )
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """Write the sample configuration, the installation's key and the folders."""
    config = (call.named_config or Path(os.environ.get("SYNCENGINE_CONFIG") or CONFIG_NAME)).expanduser()
    state_dir = Path(call.args.state_dir) if call.args.state_dir else config.absolute().parent / "state"
    made = init(config, state_dir)
    if call.out.json:
        call.out.document({"made": [str(path) for path in made]})
    for path in made:
        call.out.say(f"made {path}")
    return Exit.DONE
