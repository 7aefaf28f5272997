"""What both sides of a world show, without anything that may differ between two runs of one story."""

from __future__ import annotations

import re
from dataclasses import dataclass

from syncengine.engine.status import Message
from tests.support.base import Login, Server
from tests.support.mailprogram import MailProgram
from tests.support.world import NUMBER, World

_SUBJECT = re.compile(rb"^Subject:\s*(.*?)\s*$", re.IGNORECASE | re.MULTILINE)
_TOKEN = re.compile(rb"^X-VM-Message-UUID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_SAID = frozenset({b"\\Seen", b"\\Deleted", b"\\Flagged"})

Copy = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Picture:
    """Messages by their caller: how the phone has them, where the account and how the queue has them."""

    phone: dict[str, tuple[str, ...]]
    account: dict[str, tuple[Copy, ...]]
    queue: dict[str, str]
    state: str
    intents: int

    def __str__(self) -> str:
        lines = [f"state {self.state}, open intents {self.intents}"]
        for caller in sorted(self.phone.keys() | self.account.keys()):
            lines.append(
                f"{caller}: {self.phone.get(caller)} {self.account.get(caller)} {self.queue.get(caller)}"
            )
        return "\n".join(lines)


def picture(world: World) -> Picture:
    """Look at both sides, with the engine open; the account is seen by a client of its own."""
    engine = world.engine
    binding = engine.binding(NUMBER)
    callers = {str(m.token): m.caller_name for m in engine.store.listing(NUMBER).messages}
    known = binding.known_account(engine.index)
    return Picture(
        phone={_name(m): _shown(world, m) for m in world.box.messages() if not _let_go(m)},
        account=_by_caller(holdings(world.server, world.login), callers),
        queue={callers.get(row.token, row.token): str(row.state) for row in engine.index.queue.rows(NUMBER)},
        state=str(engine.status(NUMBER).state),
        intents=len(engine.index.pairs.open_intents(known.id)) if known else 0,
    )


def holdings(server: Server, login: Login) -> dict[str, tuple[Copy, ...]]:
    """Where the account holds which token, or mail of others by its subject, with the flags that matter."""
    with MailProgram(server, login) as mail:
        found = mail.patient(lambda: _held(mail))
    return {token: tuple(sorted(copies)) for token, copies in found.items()}


def _held(mail: MailProgram) -> dict[str, list[Copy]]:
    found: dict[str, list[Copy]] = {}
    for _, _, name in mail.client.list_folders():
        if not mail.client.select_folder(name, readonly=True)[b"EXISTS"]:
            continue
        uids = mail.client.search("ALL")
        for item in mail.client.fetch(uids, ["FLAGS", "BODY.PEEK[HEADER]"]).values():
            header = item[b"BODY[HEADER]"]
            token = _TOKEN.search(header) or _SUBJECT.search(header)
            flags = tuple(sorted(f.decode() for f in _SAID.intersection(item[b"FLAGS"])))
            found.setdefault(token[1].decode() if token else "", []).append((name, flags))
    return found


def _let_go(message: Message) -> bool:
    """An e-mail deleted at the phone may leave the index at any time; it is in Trash."""
    return message.kind == "email" and message.deleted


def _name(message: Message) -> str:
    return message.subject if message.kind == "email" else message.sender


def _shown(world: World, message: Message) -> tuple[str, ...]:
    deleted = "deleted" if message.deleted else "live"
    size = 0 if message.kind == "email" else world.box.content(message.id).stat().st_size
    return (deleted, "heard" if message.heard else "new", str(message.delivery), f"{size} octets")


def _by_caller(held: dict[str, tuple[Copy, ...]], callers: dict[str, str]) -> dict[str, tuple[Copy, ...]]:
    return {callers.get(token, token): copies for token, copies in held.items()}
