"""The command ``syncengine``: from the command line to an exit code.

Invariant: whatever happens, an error is one line on standard error, and a traceback is shown only
with ``-vv``.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from syncengine.cli.call import Call, Exit
from syncengine.cli.output import Output
from syncengine.cli.parser import build, completed
from syncengine.errors import Busy, SyncError, UsageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``--help`` and ``--version`` leave by ``SystemExit``."""
    words = sys.argv[1:] if argv is None else list(argv)
    gc.set_threshold(50_000, 20, 20)  # many values, few cycles: looking for them cost a quarter
    try:
        code = _guarded(words)
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        # A full disk behind standard output, most likely; Python would try once more at its end.
        _unread()
        Output().error(f"standard output: cannot be written: {error.strerror}")
        return Exit.FAILED
    return code


def _guarded(words: Sequence[str]) -> Exit:
    args: Namespace | None = None
    out = Output()
    try:
        args = completed(build().parse_args(words))
        out = Output(json=args.json, quiet=args.quiet)
        return _run(args, out)
    except KeyboardInterrupt:
        out.error("interrupted; nothing is lost")
        return Exit.FAILED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last one who can say it in one line
        if args.verbose > 1 if args else "-vv" in words:
            import traceback  # noqa: PLC0415

            traceback.print_exc()
        return _failed(error, out)


def _run(args: Namespace, out: Output) -> Exit:
    from syncengine.cli.logs import logged  # noqa: PLC0415 - logging is not needed for --help

    with logged(args.verbose, quiet=args.quiet):
        code: Exit = args.run(Call(args, out))
        return code


def _failed(error: Exception, out: Output) -> Exit:
    import sqlite3  # noqa: PLC0415

    match error:
        case UsageError():
            for line in _lines(error):
                out.error(line)
            return Exit.USAGE
        case Busy():
            out.error(str(error))
            return Exit.BUSY
        case SyncError():
            out.error(str(error))
        case sqlite3.Error():
            out.error(f"the index cannot be used: {error}; nothing was changed")
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            full = "; make room there and try again" if error.errno in _FULL else ""
            out.error(f"{where}{error.strerror or error}{full}")
        case _:
            out.error(f"a fault of syncengine: {type(error).__name__}: {error}; -vv shows where")
    return Exit.FAILED


def _lines(error: UsageError) -> Sequence[str]:
    """One line for each problem of options, else the error's own."""
    from syncengine.options.problems import InvalidOptions  # noqa: PLC0415

    if not isinstance(error, InvalidOptions):
        return [str(error)]
    more = [f"and {error.more} more problems"] if error.more else []
    return [*map(str, error.problems), *more]


def _unread() -> Exit:
    """Nobody reads standard output any more: keep Python from saying so at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
    return Exit.FAILED


if __name__ == "__main__":
    sys.exit(main())
