"""Every row of the rules on every server: all of them at once in one account, each with a message of its own.

The rows are those of docs/rules.md in words; what each server shows at the end is asserted, Dovecot with
Maildir and with mdbox, Cyrus, Courier, GreenMail and the played ones alike.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from syncengine.model import token_of
from tests.support.world import World, world

FOLDER = "Voice Mail Messages"
Act = Callable[[World, str], object]


def nothing(there: World, message: str) -> None:
    """Nobody does anything."""


def heard(there: World, message: str) -> None:
    there.box.mark_heard(message)


def new(there: World, message: str) -> None:
    there.box.mark_new(message)


def deleted(there: World, message: str) -> None:
    there.box.delete(message)


def restored(there: World, message: str) -> None:
    there.box.restore(message)


def read(there: World, message: str) -> None:
    there.flag(message, "\\Seen")


def unread(there: World, message: str) -> None:
    there.unflag(message, "\\Seen")


def trashed(there: World, message: str) -> None:
    there.move(message, "Trash")


def expunged(there: World, message: str) -> None:
    there.expunge(message)


def marked_deleted(there: World, message: str) -> None:
    there.flag(message, "\\Deleted")


def taken_out(there: World, message: str) -> None:
    there.move(message, "INBOX")


def copied_out(there: World, message: str) -> None:
    folder, uid = there.place(message)
    there.mail.copy(uid, "INBOX", there.path(folder))


def filed(there: World, message: str) -> None:
    there.move(message, "Work")


@dataclass(frozen=True)
class Row:
    """What was agreed (``base``: done and carried over), what each side does then, what comes of it."""

    base: tuple[Act, ...]
    local: Act
    remote: Act
    phone: str
    mail: tuple[str, str] | None
    """Folder and whether it is read there; None is nowhere."""


ROWS: dict[str, Row] = {
    "none | none": Row((), nothing, nothing, "new", (FOLDER, "unseen")),
    "new -> heard | none": Row((), heard, nothing, "heard", (FOLDER, "seen")),
    "heard -> new | none": Row((heard,), new, nothing, "new", (FOLDER, "unseen")),
    "none | unseen -> seen": Row((), nothing, read, "heard", (FOLDER, "seen")),
    "none | seen -> unseen": Row((heard,), nothing, unread, "new", (FOLDER, "unseen")),
    "heard | seen": Row((), heard, read, "heard", (FOLDER, "seen")),
    "new | unseen": Row((read,), new, unread, "new", (FOLDER, "unseen")),
    "deleted | none": Row((), deleted, nothing, "deleted", ("Trash", "unseen")),
    "deleted | seen": Row((), deleted, read, "deleted", ("Trash", "seen")),
    "none | in Trash": Row((), nothing, trashed, "deleted", ("Trash", "unseen")),
    "heard | in Trash": Row((), heard, trashed, "deleted", ("Trash", "unseen")),
    "none | marked deleted": Row((), nothing, marked_deleted, "deleted", (FOLDER, "unseen")),
    "none | gone": Row((), nothing, expunged, "deleted", None),
    "new | gone": Row((heard,), new, expunged, "deleted", None),
    "deleted | in Trash": Row((), deleted, trashed, "deleted", ("Trash", "unseen")),
    "deleted | gone": Row((), deleted, expunged, "deleted", None),
    "restored | in Trash by the phone": Row((deleted,), restored, nothing, "new", (FOLDER, "unseen")),
    "restored | in Trash by the mail": Row((trashed,), restored, nothing, "new", (FOLDER, "unseen")),
    "restored | gone": Row((deleted, expunged), restored, nothing, "new", (FOLDER, "unseen")),
    "none (deleted) | live, no Trash copy": Row((deleted,), nothing, taken_out, "new", ("INBOX", "unseen")),
    "none (deleted) | live, Trash copy there": Row(
        (deleted,), nothing, copied_out, "deleted", ("Trash", "unseen")
    ),
    "none | filed elsewhere": Row((), nothing, filed, "new", ("Work", "unseen")),
}
UNSENT: dict[str, tuple[tuple[Act, ...], str, tuple[str, str] | None]] = {
    "deleted before it was sent": ((deleted,), "deleted", None),
    "heard before it was sent": ((heard,), "heard", (FOLDER, "seen")),
    "deleted and restored before it was sent": ((deleted, restored), "new", (FOLDER, "unseen")),
}


pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def there(imap_server, tmp_path):
    with world(tmp_path / "world", imap_server) as one:
        yield one


def shown(there: World, ids: Mapping[str, str]) -> dict[str, tuple[str, set[tuple[str, str]]]]:
    """How both sides have each message."""
    copies = there.copies()
    found = {}
    for name, message in ids.items():
        at_phone = there.message(message)
        phone = "deleted" if at_phone.deleted else "heard" if at_phone.heard else "new"
        found[name] = (
            phone,
            {
                (there.path(copy.folder), "seen" if "\\Seen" in copy.flags else "unseen")
                for copy in copies.get(token_of(message), ())
            },
        )
    return found


def wanted(phone: str, mail: tuple[str, str] | None) -> tuple[str, set[tuple[str, str]]]:
    return phone, {mail} if mail else set()


@pytest.mark.server(
    "dovecot", "dovecot-mdbox", "cyrus", "courier", "greenmail", "sim-qresync", "sim-condstore", "sim-bare"
)
def test_every_row_of_the_rules_holds(there: World):
    ids = {name: there.deliver(caller_name=name) for name in ROWS}
    there.sync_ok()
    for step in range(2):
        acts = {name: row.base[step] for name, row in ROWS.items() if len(row.base) > step}
        for name, act in acts.items():
            act(there, ids[name])
        there.sync_ok()
    there.quiet()

    for name, row in ROWS.items():
        row.local(there, ids[name])
        row.remote(there, ids[name])
    for name, (acts, _, _) in UNSENT.items():
        ids[name] = there.deliver(caller_name=name)
        for act in acts:
            act(there, ids[name])
    for _ in range(2):
        report = there.sync_ok()
    assert not report.held
    there.quiet()

    found = shown(there, ids)
    expected = {name: wanted(row.phone, row.mail) for name, row in ROWS.items()}
    expected |= {name: wanted(phone, mail) for name, (_, phone, mail) in UNSENT.items()}
    assert {n: f for n, f in found.items() if f != expected[n]} == {}

    _adopted_again(there, {name: found[name] for name in found if found[name][0] != "deleted"})


def _adopted_again(there: World, live: dict[str, tuple[str, set[tuple[str, str]]]]) -> None:
    """The last row: no local message and no tombstone, sighted and ours: adopted as it is in the mail."""
    there.engine.close()
    shutil.rmtree(there.folder / "state")
    there.open()
    there.sync_ok()
    by_name = {m.sender: m.id for m in there.box.messages()}
    assert shown(there, {name: by_name[name] for name in live}) == live
    there.quiet()
