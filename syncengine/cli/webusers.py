"""``web user``: who may sign in to the pages.

A password comes from a terminal, from the first line of a file or of standard input, never from an
argument, where everybody on this host could read it.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from syncengine.cli.call import Call, Exit
from syncengine.errors import UsageError

_ROLES = ("operator", "read-only", "subscriber")
_COLUMNS = ("name", "role", "mailbox")


def run(call: Call) -> Exit:
    """Add, list or remove users, or give one a new password."""
    verb, name = call.args.verb or "list", call.args.name
    if verb not in _VERBS:
        raise UsageError("web user: add, list, remove or passwd")
    if (verb == "list") != (name is None):
        raise UsageError(f"web user {verb}: " + ("takes no name" if verb == "list" else "whom? give a name"))
    settings = call.settings_so_far()
    if not settings.system.state_dir.is_dir():
        raise UsageError(f"web user: {settings.system.state_dir} is not there; syncengine init makes it")
    users = module("users").Users(settings.system.state_dir)
    _VERBS[verb](call, users, name)
    if verb != "list":
        changed = {"name": name} | ({"role": _role(call)} if verb == "add" else {})
        audit = module("audit").Audit(settings.system.state_dir)
        audit.write(getpass.getuser(), f"web user {verb}", changes=changed, outcome="done")
    return Exit.DONE


def module(name: str) -> Any:  # noqa: ANN401 - a module
    """Return a module of the pages, which live above the commands; one line where their extra is missing."""
    try:
        return import_module(f"syncengine.web.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("syncengine"):
            raise
        raise UsageError(f"web needs {error.name}: pip install 'voicemail-syncengine[web]'") from None


def _role(call: Call) -> str:
    return call.args.role or ("subscriber" if call.args.mailbox else "operator")


def _add(call: Call, users: Any, name: str) -> None:  # noqa: ANN401
    role, mailbox = _role(call), call.args.mailbox
    if role not in _ROLES:
        raise UsageError(f"web user add: --role is one of {', '.join(_ROLES)}")
    if mailbox is not None and mailbox not in call.settings_so_far().mailboxes:
        raise UsageError(f"web user add: --mailbox {mailbox[:32]}: there is no such mailbox")
    users.add(name, module("who").Role(role), _password(call), mailbox)
    call.out.say(f"added {name}, {role}" + (f" of mailbox {mailbox}" if mailbox else ""))


def _list(call: Call, users: Any, _: str) -> None:  # noqa: ANN401
    found = users.all()
    if call.out.json:
        call.out.document(
            [{"name": name, "role": user.role, "mailbox": user.mailbox} for name, user in found.items()]
        )
        return
    rows = [(name, user.role, user.mailbox or "-") for name, user in sorted(found.items())]
    call.out.table(_COLUMNS, rows, empty="there is no user: the pages are open on this host, and only there")


def _remove(call: Call, users: Any, name: str) -> None:  # noqa: ANN401
    users.remove(name)
    call.out.say(f"removed {name}; his sessions are over")


def _passwd(call: Call, users: Any, name: str) -> None:  # noqa: ANN401
    users.passwd(name, _password(call))
    call.out.say(f"{name} has a new password; his sessions are over")


_VERBS: Mapping[str, Callable[[Call, Any, str], None]] = {
    "add": _add,
    "list": _list,
    "remove": _remove,
    "passwd": _passwd,
}


def _password(call: Call) -> str:
    if call.args.password_file is not None:
        line: str = module("server").first_line(Path(call.args.password_file))
        return line
    if not sys.stdin.isatty():
        return sys.stdin.readline(4096).rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise UsageError("web user: these are two different passwords")
    return first
