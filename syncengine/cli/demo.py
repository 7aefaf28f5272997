"""``demo``: the story of the product, told with real actions on a real server."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import zip_longest
from typing import TYPE_CHECKING

from syncengine.cli.call import Call, Exit
from syncengine.errors import UsageError

if TYPE_CHECKING:
    from syncengine.demo.stage import RealAccount
    from syncengine.demo.story import Shown

PASSWORD = "SYNCENGINE_DEMO_PASSWORD"  # noqa: S105 - a variable's name
_PORTS = {"none": 143, "starttls": 143, "tls": 993}
_WIDTH = 46


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("--server", metavar="HOST", help="tell it on this IMAP server instead of the embedded one")
    add("--port", type=int, help="its port (default follows --security)")
    add("--security", choices=sorted(_PORTS), default="tls", help="how it is reached (default: tls)")
    add("--user", help=f"the account there; its password is asked for, or taken from ${PASSWORD}")
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """Tell the story; done only if every step was seen to happen."""
    from syncengine.demo.stage import stage  # noqa: PLC0415 - brings the engine and a server

    account = _account(call.args)
    steps = []
    with stage(account) as story:
        for number, shown in enumerate(story.tell(), 1):
            steps.append(shown)
            _show(call, number, shown)
    seen = sum(step.true for step in steps)
    if call.out.json:
        call.out.document(
            [{"step": s.title, "phone": list(s.phone), "mail": list(s.mail), "seen": s.true} for s in steps]
        )
    call.out.say("")
    call.out.say(f"{seen} of {len(steps)} steps were seen on both sides.")
    return Exit.DONE if seen == len(steps) else Exit.FAILED


def _account(args: argparse.Namespace) -> RealAccount | None:
    from syncengine.demo.stage import RealAccount  # noqa: PLC0415

    if args.server is None:
        return None
    if not args.user:
        raise UsageError("--server needs --user; see syncengine demo --help")
    password = os.environ.get(PASSWORD)
    if password is None:
        if not sys.stdin.isatty():
            raise UsageError(f"--server needs the account's password in ${PASSWORD}, or a terminal to ask")
        from getpass import getpass  # noqa: PLC0415

        password = getpass(f"Password of {args.user}: ")
    port = args.port or _PORTS[args.security]
    return RealAccount(args.server, port, args.security, args.user, password)


def _show(call: Call, number: int, shown: Shown) -> None:
    """Both sides beside each other."""
    call.out.say("")
    call.out.say(f"{number}. {shown.title}  {'ok' if shown.true else 'NOT SEEN'}")
    call.out.say(f"   {'at the phone':{_WIDTH}}in the mail")
    for left, right in zip_longest(shown.phone, shown.mail, fillvalue=""):
        call.out.say(f"   {left:{_WIDTH}}{right}".rstrip())
