"""Trying a mailbox's account step by step as its options say. Invariant: nothing is sent or changed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from syncengine.delivery.channel import dial, encrypt
from syncengine.delivery.steps import Step, pop3_steps, smtp_steps
from syncengine.engine.binding import Binding
from syncengine.errors import AuthenticationFailed, ConnectionLost, FolderError, SyncError, Throttled
from syncengine.imap.scope import trash_folder, voice_folder
from syncengine.index import Index
from syncengine.model import Folder, Role, SearchMode, Security, Token, token_of
from syncengine.options.schema import Imap4, Protocol
from syncengine.options.secret import SecretUnavailable

Tried = tuple[str, Step]
"""The server, ``imap4``, ``smtp`` or ``pop3``, and one step with it."""

_NOWHERE = token_of("0" * 32)
"""A token that no message carries."""
_OTHER = {SearchMode.HEADER: "auto or text", SearchMode.TEXT: "auto or header"}


def try_account(binding: Binding, index: Index) -> Iterator[Tried]:
    """Try the servers of a mailbox, each until its first step that fails.

    The steps come as they happen. What is remembered of servers goes into a copy of ``index``.
    """
    mailbox = binding.mailbox
    if mailbox.synchronises:
        copy = Index(index.database.copy())
        try:
            for step in _imap_steps(binding, copy):
                yield "imap4", step
        finally:
            copy.close()
    if mailbox.smtp.server and mailbox.uses_smtp:
        yield from _steps("smtp", lambda: smtp_steps(binding.post.smtp_settings()))
    if mailbox.pop3.server and mailbox.protocol is Protocol.POP3:
        yield from _steps("pop3", lambda: pop3_steps(binding.post.pop3_settings()))


def _steps(server: str, begin: Callable[[], Iterator[Step]]) -> Iterator[Tried]:
    try:
        for step in begin():
            yield server, step
    except SecretUnavailable as error:
        yield server, Step("password", False, str(error))


def _imap_steps(binding: Binding, index: Index) -> Iterator[Step]:
    for step in _way(binding.mailbox.imap4, binding.mailbox.sync.command_timeout):
        yield step
        if not step.ok:
            return
    with binding.connect(index) as account:
        try:
            folders = account.folders()
        except (AuthenticationFailed, ConnectionLost, Throttled, SecretUnavailable) as error:
            yield Step("login", False, str(error))
            return
        except SyncError as error:
            yield Step("login", True, binding.mailbox.imap4.account)
            yield Step("folders", False, str(error))
            return
        yield Step("login", True, binding.mailbox.imap4.account)
        yield Step("capabilities", True, _strategy(account.capabilities - binding.mask))
        yield Step("folders", True, _folders(binding, folders))
        yield _search(binding, index, folders)


def _way(imap: Imap4, timeout: float) -> Iterator[Step]:
    """Name, TCP and, where it comes first, TLS; on a connection that is dropped again."""
    try:
        found = socket.getaddrinfo(imap.server, imap.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, OverflowError):
        yield Step("name", False, f"{imap.server}: the name is not found")
        return
    yield Step("name", True, ", ".join(dict.fromkeys(str(address[4][0]) for address in found)))
    try:
        sock = dial(imap.server, imap.port, timeout)
    except OSError as error:
        yield Step("tcp", False, f"{imap.server}:{imap.port}: {error}")
        return
    with sock:
        yield Step("tcp", True, f"port {imap.port}")
        if imap.security is not Security.TLS:
            return
        try:
            with encrypt(sock, imap.server, imap.ca_file) as encrypted:
                yield Step("tls", True, encrypted.version() or "")
        except OSError as error:
            yield Step("tls", False, f"{imap.server}:{imap.port}: {error}")


def _strategy(offered: Collection[str]) -> str:
    """How changes are noticed, and what is missing for doing it better."""
    if "QRESYNC" in offered:
        how = "QRESYNC: changes and disappearances are told"
    elif "CONDSTORE" in offered:
        how = "CONDSTORE: changed flags are told, disappearances are found by listing"
    else:
        how = "plain IMAP4: flags and UIDs are listed"
    missing = [word for word in ("IDLE", "MOVE", "UIDPLUS", "LIST-STATUS") if word not in offered]
    return f"{how}; without {', '.join(missing)}" if missing else how


def _folders(binding: Binding, folders: Collection[Folder]) -> str:
    roles = binding.roles(folders)
    watched = sum(role is Role.LIVE for role in roles.values())
    voice, trash = voice_folder(folders), trash_folder(folders)
    home = f'"{voice.name}" for voice mail' if voice else "no Voice Mail Messages"
    if voice is None and binding.missing_voice_folder(folders):
        home += " yet (a pass makes it)"
    bin_ = f'Trash is "{trash.name}"' if trash else "no Trash yet (the first delete makes it)"
    return f"{len(folders)} folders, {watched} watched; {home}; {bin_}"


def _search(binding: Binding, index: Index, folders: Collection[Folder]) -> Step:
    """Whether SEARCH finds a message that is known to be there, in the search mode."""
    mode = binding.mailbox.imap4.search_mode
    asked = SearchMode.TEXT if mode is SearchMode.TEXT else SearchMode.HEADER
    folder, token = _known(binding, index, folders)
    imap4 = replace(binding.mailbox.imap4, search_mode=asked)
    searching = replace(binding, mailbox=replace(binding.mailbox, imap4=imap4))
    problem = f"does not find a message that is there; set search_mode to {_OTHER[asked]}"
    try:
        with searching.connect(index) as account:
            hits = account.search(folder, [token or _NOWHERE])
    except FolderError as error:
        problem = str(error)
    except SyncError as error:
        return Step(f"{asked}-search", False, str(error))
    else:
        if token is None:
            return Step(f"{asked}-search", True, "accepted; no message of ours is known yet to be found")
        if any(hit == token for hit, _ in hits):
            return Step(f"{asked}-search", True, "finds a message of ours")
    if mode is SearchMode.AUTO:
        return Step(f"{asked}-search", True, "does not work here; text is searched instead")
    return Step(f"{asked}-search", False, problem)


def _known(binding: Binding, index: Index, folders: Collection[Folder]) -> tuple[Folder, Token | None]:
    """A folder to search, with a message of ours that was last seen there, if any was."""
    by_name = {folder.name: folder for folder in folders if folder.selectable}
    account = binding.known_account(index)
    if account is not None:
        for token, sightings in index.views.sightings(account.id, binding.clock()).items():
            for sighting in sightings:
                if sighting.role is Role.LIVE and sighting.place.folder in by_name:
                    return by_name[sighting.place.folder], token
    return by_name.get("INBOX") or next(iter(by_name.values())), None
