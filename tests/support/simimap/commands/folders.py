"""Commands about folders: LIST in all its forms, STATUS, making, removing, renaming, subscribing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.support.simimap.account import SimAccount
from tests.support.simimap.folder import Folder
from tests.support.simimap.grammar import Bad, No, Value, list_of, name_of, text_of, wire_name, word
from tests.support.simimap.profiles import Lie
from tests.support.simimap.session import Done, Session

STATUS_ITEMS = {"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a LIST asks for (RFC 5258, RFC 5819, RFC 6154)."""

    patterns: tuple[str, ...]
    only_subscribed: bool
    only_special: bool
    show_subscribed: bool
    status: tuple[str, ...]


def account_of(session: Session) -> SimAccount:
    """Return the account that is logged in."""
    if session.account is None:
        raise Bad("Not logged in")
    return session.account


def list_folders(session: Session, arguments: list[Value]) -> Done:
    """LIST, plain and extended."""
    wanted = _wanted(session, list(arguments))
    if wanted.patterns == ("",):
        session.say(b'LIST (\\Noselect) "%s" ""' % session.profile.delimiter.encode())
        return Done("List completed.")
    for name, attributes in _listing(session, wanted).items():
        _say_listed(session, "LIST", name, attributes)
        folder = account_of(session).find(name)
        if wanted.status and folder:
            _say_status(session, folder, wanted.status)
    return Done("List completed.")


def list_subscribed(session: Session, arguments: list[Value]) -> Done:
    """LSUB."""
    reference, pattern = (text_of(value) for value in arguments)
    wanted = _Wanted((reference + pattern,), True, False, False, ())
    for name, attributes in _listing(session, wanted).items():
        _say_listed(session, "LSUB", name, [a for a in attributes if a != "\\Subscribed"])
    return Done("Lsub completed.")


def status(session: Session, arguments: list[Value]) -> Done:
    """STATUS."""
    items = tuple(word(item) for item in list_of(arguments[1]))
    folder = account_of(session).folder(name_of(arguments[0]))
    _say_status(session, folder, items)
    return Done("Status completed.")


def create(session: Session, arguments: list[Value]) -> Done:
    """CREATE, with USE where CREATE-SPECIAL-USE is offered."""
    account, special = account_of(session), ""
    if len(arguments) > 1:
        if not session.profile.offers("CREATE-SPECIAL-USE"):
            raise Bad("CREATE with parameters")
        key, uses = list_of(arguments[1])
        if word(key) != "USE":
            raise Bad("Unknown CREATE parameter")
        special = text_of(list_of(uses)[0])
        if account.special(special):
            raise No("Special use is taken", code="USEATTR")
    account.create(name_of(arguments[0]), special=special, subscribe=False)
    return Done("Create completed.")


def delete(session: Session, arguments: list[Value]) -> Done:
    """DELETE; a session's own open folder is left first."""
    name = name_of(arguments[0])
    if session.view is not None and session.view.folder is account_of(session).find(name):
        session.deselect()
    account_of(session).delete_folder(name)
    return Done("Delete completed.")


def rename(session: Session, arguments: list[Value]) -> Done:
    """RENAME."""
    account_of(session).rename(name_of(arguments[0]), name_of(arguments[1]))
    return Done("Rename completed.")


def subscribe(session: Session, arguments: list[Value]) -> Done:
    """SUBSCRIBE."""
    account = account_of(session)
    account.subscribed.add(account.folder(name_of(arguments[0])).name)
    return Done("Subscribe completed.")


def unsubscribe(session: Session, arguments: list[Value]) -> Done:
    """UNSUBSCRIBE."""
    account_of(session).subscribed.discard(name_of(arguments[0]))
    return Done("Unsubscribe completed.")


def uidvalidity_shown(session: Session, folder: Folder) -> int:
    """The UIDVALIDITY that the server owns up to."""
    if session.lies(Lie.UIDVALIDITY_ZERO):
        return 0
    if session.lies(Lie.UIDVALIDITY_CHANGING):
        session.server.looks += 1
        return folder.uidvalidity + session.server.looks
    return folder.uidvalidity


def modseq_shown(session: Session, folder: Folder) -> int:
    """The HIGHESTMODSEQ that the server owns up to."""
    return 1 if session.lies(Lie.MODSEQ_BACKWARDS) else folder.highestmodseq


def _wanted(session: Session, arguments: list[Value]) -> _Wanted:
    selection: set[str] = set()
    extended = session.profile.offers("LIST-EXTENDED")
    if isinstance(arguments[0], list):
        selection = {word(value) for value in list_of(arguments.pop(0))}
    reference = text_of(arguments[0])
    patterns = arguments[1] if isinstance(arguments[1], list) else [arguments[1]]
    returned: set[str] = set()
    items: tuple[str, ...] = ()
    if len(arguments) > 2:
        if not extended or word(arguments[2]) != "RETURN":
            raise Bad("Unknown LIST option")
        options = list_of(arguments[3])
        returned = {word(value) for value in options if not isinstance(value, list)}
        items = tuple(word(item) for value in options if isinstance(value, list) for item in value)
    if selection and not extended:
        raise Bad("Unknown LIST option")
    if items and not session.profile.offers("LIST-STATUS"):
        raise Bad("Unknown LIST option STATUS")
    return _Wanted(
        tuple(reference + name_of(pattern) for pattern in patterns),
        "SUBSCRIBED" in selection,
        "SPECIAL-USE" in selection,
        "SUBSCRIBED" in returned | selection,
        items,
    )


def _listing(session: Session, wanted: _Wanted) -> dict[str, list[str]]:
    """Return names in order with their attributes, parents that are no folders among them."""
    if session.lies(Lie.NO_FOLDERS):
        return {}
    account, delimiter = account_of(session), session.profile.delimiter
    names = set(account.folders)
    for name in account.folders:
        steps = name.split(delimiter)
        names |= {delimiter.join(steps[:end]) for end in range(1, len(steps))}
    if wanted.only_subscribed:
        names = set(account.subscribed)
    tests = [_pattern(pattern, delimiter) for pattern in wanted.patterns]
    found = {}
    for name in sorted(names, key=lambda each: (each != "INBOX", each)):
        attributes = _attributes(account, name, delimiter)
        if wanted.show_subscribed and name in account.subscribed:
            attributes.append("\\Subscribed")
        special = account.folders[name].special if name in account.folders else ""
        if any(test.fullmatch(name) for test in tests) and (special or not wanted.only_special):
            found[name] = attributes
    return found


def _attributes(account: SimAccount, name: str, delimiter: str) -> list[str]:
    below = any(other.startswith(name + delimiter) for other in account.folders)
    found = ["\\HasChildren" if below else "\\HasNoChildren"]
    folder = account.folders.get(name)
    if folder is None:
        found.insert(0, "\\Noselect" if below else "\\NonExistent")
    elif folder.special:
        found.append(folder.special)
    return found


def _pattern(pattern: str, delimiter: str) -> re.Pattern[str]:
    if pattern.upper() == "INBOX":
        pattern = "INBOX"
    parts = {"*": ".*", "%": f"[^{re.escape(delimiter)}]*"}
    return re.compile("".join(parts.get(char, re.escape(char)) for char in pattern), re.DOTALL)


def _say_listed(session: Session, keyword: str, name: str, attributes: list[str]) -> None:
    shown = " ".join(attributes).encode()
    line = b'%s (%s) "%s" %s' % (keyword.encode(), shown, session.profile.delimiter.encode(), wire_name(name))
    session.say(line)


def _say_status(session: Session, folder: Folder, items: tuple[str, ...]) -> None:
    known = set(STATUS_ITEMS)
    known |= {"HIGHESTMODSEQ"} if session.profile.offers("CONDSTORE") else set()
    known |= {"SIZE"} if session.profile.offers("STATUS=SIZE") else set()
    if not set(items) <= known:
        raise Bad("Unknown STATUS item")
    session.condstore |= "HIGHESTMODSEQ" in items
    entries = folder.entries.values()
    numbers = {
        "MESSAGES": len(entries),
        "RECENT": 0,
        "UIDNEXT": folder.uidnext,
        "UIDVALIDITY": uidvalidity_shown(session, folder),
        "UNSEEN": sum("\\Seen" not in entry.mail.flags for entry in entries),
        "HIGHESTMODSEQ": modseq_shown(session, folder),
        "SIZE": sum(len(entry.mail.raw) for entry in entries),
    }
    shown = " ".join(f"{item} {numbers[item]}" for item in items)
    session.say(b"STATUS %s (%s)" % (wire_name(folder.name), shown.encode()))
