"""``speak``: reads an e-mail, or the list of a mailbox's e-mails, aloud into a WAV file.

A file is not a caller: nothing becomes heard by being spoken into one.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from syncengine.cli.call import Call, Exit
from syncengine.errors import UsageError

if TYPE_CHECKING:
    from syncengine.speech.wav import Coding


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("number", metavar="NUMBER", help="the mailbox")
    add("id", metavar="ID", nargs="?", help="the e-mail's id, or a beginning of it (default: the list)")
    add("--list", action="store_true", help="speak who wrote, about what and when, of each e-mail")
    add("-o", "--output", metavar="FILE", required=True, help="the WAV file: 8 kHz, mono")
    add("--coding", choices=("ulaw", "pcm"), default="ulaw", help="mu-law (the default) or 16-bit samples")
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """Speak into the file, and say how long it is."""
    args = call.args
    if args.id and args.list:
        raise UsageError("speak: an ID or --list, not both")
    with call.engine() as engine, engine.mailbox(args.number).recital() as mails:
        if not (args.id or mails.any):
            _tell(call, mails.nothing, 0, None)
            return Exit.DONE
        sounds = mails.mail(args.id.lower()) if args.id else mails.list()
        seconds = _write(Path(args.output), sounds, args.coding)
    _tell(call, f"{args.output}: {seconds:.1f} s", seconds, args.output)
    return Exit.DONE


def _write(target: Path, sounds: Iterable[bytes], coding: Coding) -> float:
    """Write the file whole or not at all."""
    from syncengine.speech import wav  # noqa: PLC0415 - only where something is spoken

    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if not target.parent.is_dir():
            raise UsageError(f"{target}: the folder is not there")
        with part.open("wb+") as file:
            seconds = wav.write(file, _some(sounds), coding=coding)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return seconds


def _some(sounds: Iterable[bytes]) -> Iterator[bytes]:
    """The sounds with half a second of silence behind each: a caller needs to breathe too."""
    for sound in sounds:
        yield sound
        yield bytes(2 * 4000)


def _tell(call: Call, line: str, seconds: float, file: str | None) -> None:
    if call.out.json:
        call.out.document({"file": file, "seconds": round(seconds, 3)})
    else:
        call.out.say(line)
