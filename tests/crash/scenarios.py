"""What a process is killed in: the world before, made by both sides in peace, and what the process then does.

``prepare`` runs once, in the test; ``run`` runs in the process that dies, and again after its death. It may
be repeated from any point of itself, as whoever calls the engine would repeat what did not return.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syncengine.engine.engine import Engine
from syncengine.engine.handle import Mailbox
from tests.support.base import Server
from tests.support.picture import Picture, picture
from tests.support.smtp import Front
from tests.support.snapshot import Snapshot
from tests.support.world import NUMBER, RECEIVED, Hands, World, wav, world

DAY = 24 * 3600.0
LATER = 100.0
"""Seconds from what went wrong to what comes after it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story: options of its world, how it begins, what is done, how many further passes settle it."""

    prepare: Callable[[World], None]
    run: Callable[[Engine, Hands], None]
    options: dict[str, dict[str, object]] = field(default_factory=dict)
    mask: frozenset[str] = frozenset()
    by_smtp: bool = False
    by_pop3: bool = False

    @contextmanager
    def begun(
        self, folder: Path, server: Server, front: Front | None, wire: dict[str, object] | None = None
    ) -> Iterator[Snapshot]:
        """The world in which it begins, to be had as often as wanted."""
        options = dict(self.options.get("options", {}))
        smtp: dict[str, object] = {}
        if self.by_smtp:
            assert front
            smtp = {"server": front.host, "port": front.port, "security": "none", "authentication": "none"}
            options |= {"delivery": "smtp"}
        how: dict[str, object] = {name: dict(self.options.get(name, {})) for name in ("sync", "system")}
        if self.by_pop3:
            options |= {"protocol": "pop3"}
            how["pop3"] = {"server": server.host, "port": server.pop3_port, "security": "none"} | (wire or {})
        else:
            how["imap4"] = wire or {}
        with world(folder, server, mask=self.mask, options=options, smtp=smtp, **how) as origin:
            self.prepare(origin)
            yield Snapshot(origin)

    def finish(self, there: World) -> Picture:
        """Do again what may not have been done, then see that there is nothing left to do."""
        there.clock.forward(LATER)
        there.open()
        try:
            self.run(there.engine, there.clock)
            if self.by_smtp:
                _wait_out_doubt(there)
            there.quiet()
            return picture(there)
        finally:
            there.engine.close()


def _wait_out_doubt(there: World) -> None:
    """What may have been sent is looked for until the pending timer is over, then sent again."""
    for _ in range(2):
        there.clock.forward(1300)
        there.sync_ok()


def label(number: int) -> str:
    """The caller by whom a message is known in every run."""
    return f"Caller {number}"


def one_pass(engine: Engine, _clock: Hands) -> None:
    """A pass."""
    engine.resync(NUMBER)


def two_passes(engine: Engine, _clock: Hands) -> None:
    """Two passes."""
    engine.resync(NUMBER)
    engine.resync(NUMBER)


def found(box: Mailbox, number: int) -> str | None:
    """The id of a message by its caller."""
    return next((m.id for m in box.messages() if m.sender == label(number)), None)


def hand_in(box: Mailbox, number: int, **how: bool) -> str:
    """Hand in a message unless that was done."""
    return found(box, number) or box.deliver(wav(80), caller_name=label(number), received=RECEIVED, **how).id


def arrive(there: World, count: int, **how: bool) -> list[str]:
    """Messages that both sides have and agree on."""
    ids = [hand_in(there.box, number, **how) for number in range(count)]
    there.sync_ok()
    there.quiet()
    return ids


# The stories


def _waiting(there: World) -> None:
    ids = [hand_in(there.box, number, urgent=number == 1) for number in range(3)]
    there.box.mark_heard(ids[2])


def _in_pop3(there: World) -> None:
    ids = [hand_in(there.box, number) for number in range(4)]
    there.sync_ok()
    for message in ids[1:3]:
        there.box.delete(message)


def _marks(there: World) -> None:
    ids = arrive(there, 6)
    for number in (0, 4, 5):
        there.box.mark_heard(ids[number])
    there.sync_ok()
    there.box.mark_new(ids[0])
    there.box.mark_heard(ids[1])
    there.flag(ids[2], "\\Seen")
    there.flag(ids[3], "\\Seen", "\\Flagged")
    there.unflag(ids[4], "\\Seen")


def _deletes(there: World) -> None:
    ids = arrive(there, 9)
    there.box.delete(ids[0])
    there.box.delete(ids[1])
    there.flag(ids[1], "\\Seen")
    there.move(ids[2], "Trash")
    there.expunge(ids[3])
    there.flag(ids[4], "\\Deleted")
    there.move(ids[5], "Work")
    there.box.delete(ids[6])
    there.move(ids[6], "Trash")


def _restores(there: World) -> None:
    ids = arrive(there, 5)
    for number in (0, 1):
        there.box.delete(ids[number])
    there.move(ids[2], "Trash")
    there.expunge(ids[3])
    there.sync_ok()
    for number in (0, 2, 3):
        there.box.restore(ids[number])
    there.move(ids[1], "INBOX")


def _lost_store(there: World) -> None:
    ids = arrive(there, 3, urgent=True)
    there.flag(ids[1], "\\Seen")
    there.engine.close()
    _forget(there, "**/*")


def _lost_index(there: World) -> None:
    ids = arrive(there, 3)
    hand_in(there.box, 3)
    there.box.delete(ids[0])
    there.sync_ok()
    there.flag(ids[1], "\\Seen")
    there.engine.close()
    _forget(there, "index*")


def _forget(there: World, what: str) -> None:
    for file in sorted((there.folder / "state").glob(what)):
        if file.is_file():
            file.unlink()
    there.open()


def _overdue(there: World) -> None:
    ids = arrive(there, 4)
    for message in ids[:3]:
        there.box.delete(message)
    there.sync_ok()
    raw = there.mail.read(there.place(ids[2])[1], "Trash")
    there.mail.expunge(there.place(ids[2])[1], "Trash")
    there.mail.append(raw, "INBOX")
    there.mail.expunge(there.place(ids[1])[1], "Trash")
    there.clock.forward(DAY + 3600)


def _in_inbox(there: World) -> None:
    for message in arrive(there, 3):
        there.move(message, "INBOX")


def _copies(there: World) -> None:
    ids = arrive(there, 3)
    for message in ids[:2]:
        folder, uid = there.place(message)
        there.mail.append(there.mail.read(uid, folder), folder)
    folder, uid = there.place(ids[2])
    there.mail.ensure("Work")
    there.mail.copy(uid, "Work", folder)
    there.box.mark_heard(ids[2])


def _made_anew(there: World) -> None:
    ids = arrive(there, 4)
    folder = "Voice Mail Messages"
    raw = [there.mail.read(uid, folder) for uid in there.mail.uids(folder)]
    there.mail.delete(folder)
    there.mail.create(folder)
    for message in reversed(raw[1:]):
        there.mail.append(message, folder)
    there.box.mark_heard(ids[1])
    there.box.delete(ids[2])


def _braked(there: World) -> None:
    ids = arrive(there, 8)
    for message in ids[:6]:
        there.expunge(message)
    assert there.sync_ok().held


def _accept(engine: Engine, _clock: Hands) -> None:
    if engine.status(NUMBER).state == "held":
        engine.resync(NUMBER, accept_deletes=True)
    engine.resync(NUMBER)


def _nothing(there: World) -> None:
    there.engine.close()
    _forget(there, "**/*")


def _at_the_phone(engine: Engine, _clock: Hands) -> None:
    box = engine.mailbox(NUMBER)
    ids = [hand_in(box, number) for number in range(4)]
    box.mark_heard(ids[0])
    for number, deleted in ((1, True), (2, True), (2, False)):
        if box.message(ids[number]).deleted is not deleted:
            (box.delete if deleted else box.restore)(ids[number])
    engine.resync(NUMBER)


def _everything(there: World) -> None:
    ids = arrive(there, 10)
    for message in (ids[0], ids[1]):
        there.box.delete(message)
    there.move(ids[2], "Trash")
    there.expunge(ids[3])
    there.sync_ok()
    there.box.restore(ids[0])
    there.box.restore(ids[3])
    there.move(ids[1], "INBOX")
    there.box.mark_heard(ids[4])
    there.flag(ids[5], "\\Seen")
    there.box.delete(ids[6])
    there.move(ids[7], "Work")
    there.expunge(ids[8])
    hand_in(there.box, 10)
    hand_in(there.box, 11)


def _both_ways(engine: Engine, clock: Hands) -> None:
    engine.resync(NUMBER)
    clock.forward(90)
    box = engine.mailbox(NUMBER)
    for number in (5, 9):
        if not box.message(found(box, number) or "").deleted:
            box.delete(found(box, number) or "")
    engine.resync(NUMBER)


SUBJECTS = ("Lunch", "Report", "Offer", "Invoice", "Notes")


def _mails(there: World) -> None:
    for subject in SUBJECTS:
        there.mail.append(LETTER.format(subject).encode())
    arrive(there, 1)
    there.sync_ok()
    there.mail.flag(there.mail.uids()[3], "\\Seen")


def _aloud(engine: Engine, _clock: Hands) -> None:
    box = engine.mailbox(NUMBER)

    def mails(*subjects: str) -> list[str]:
        return [m.id for m in box.messages() if m.subject in subjects and not m.deleted]

    engine.resync(NUMBER)
    for mail in mails("Lunch"):
        box.mark_heard(mail)
    for mail in mails("Report", "Offer"):
        box.delete(mail)
    engine.resync(NUMBER)


LETTER = "From: anna@example.org\r\nSubject: {0}\r\nMessage-ID: <{0}@example.org>\r\n\r\nAt one?\r\n"
ALOUD = {"system": {"text_to_speech": True}}
EXPUNGE = {"sync": {"delete_to": "expunge"}}
FILED = {"options": {"sync_mode": "voice-mail-folder", "file_into_folder": True}}
BARE = frozenset({"QRESYNC", "CONDSTORE", "ESEARCH", "LIST-STATUS", "LIST-EXTENDED", "MOVE"})

SCENARIOS: dict[str, Scenario] = {
    "first sending": Scenario(_waiting, one_pass),
    "sending by SMTP": Scenario(_waiting, two_passes, by_smtp=True),
    "deletes over POP3": Scenario(_in_pop3, one_pass, by_smtp=True, by_pop3=True),
    "marks both ways": Scenario(_marks, one_pass),
    "deletes both ways": Scenario(_deletes, one_pass),
    "deletes that expunge": Scenario(_deletes, one_pass, EXPUNGE),
    "deletes without MOVE": Scenario(_deletes, one_pass, mask=BARE),
    "restores": Scenario(_restores, one_pass),
    "restores without MOVE": Scenario(_restores, one_pass, mask=BARE),
    "adoption of a lost store": Scenario(_lost_store, one_pass),
    "a lost index": Scenario(_lost_index, one_pass),
    "purge after the undo window": Scenario(_overdue, one_pass),
    "filing into the folder": Scenario(_in_inbox, one_pass, FILED),
    "filing without MOVE": Scenario(_in_inbox, one_pass, FILED, mask=BARE),
    "copies brought to one": Scenario(_copies, one_pass),
    "a folder made anew": Scenario(_made_anew, one_pass),
    "held deletes let through": Scenario(_braked, _accept),
    "a first message at the phone": Scenario(_nothing, _at_the_phone),
    "e-mails both ways": Scenario(_mails, _aloud, ALOUD),
    "everything at once": Scenario(_everything, _both_ways),
    "everything in one pass": Scenario(_everything, one_pass),
}
