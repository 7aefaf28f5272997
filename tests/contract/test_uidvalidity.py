"""Folders and indexes that are not what they were: nothing is lost, deleted without evidence, or sent again.

RFC 9051 section 2.3.1.1: a changed UIDVALIDITY makes every UID that was known worthless. Servers change
it, reuse it, and leave it out; people delete, rename and swap folders; disks come back from a backup.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator

import pytest

from syncengine.errors import Busy
from tests.support.base import Server
from tests.support.killserver import opened
from tests.support.picture import holdings
from tests.support.proxy import Proxy
from tests.support.simimap.fronts import TcpFront
from tests.support.simimap.played import users
from tests.support.simimap.profiles import PROFILES, Lie
from tests.support.simimap.server import SimServer
from tests.support.world import NUMBER, World, wav, world

FOLDER = "Voice Mail Messages"

everywhere = pytest.mark.server(
    "dovecot", "dovecot-mdbox", "greenmail", "cyrus", "courier", "sim-bare", "sim-condstore"
)
on_dovecot = pytest.mark.server("dovecot")


@pytest.fixture
def there(imap_server, tmp_path) -> Iterator[World]:
    with world(tmp_path / "world", imap_server) as one:
        yield one


def remake(there: World, change: Callable[[list[bytes]], list[bytes]] = list) -> None:
    """Delete the folder and make it again, with the messages that ``change`` leaves and their flags."""
    mail = there.mail
    flags = {mail.read(uid, FOLDER): mail.flags(uid, FOLDER) for uid in mail.uids(FOLDER)}
    mail.delete(FOLDER)
    mail.create(FOLDER)
    for message in change(list(flags)):
        mail.append(message, FOLDER, *flags.get(message, ()))


def whole(there: World, messages: list[str]) -> None:
    """Every message is at the phone, and once in the account; another pass finds nothing to do."""
    there.quiet()
    assert sorted(there.ids()) == sorted(messages)
    assert not any(there.message(m).deleted for m in messages)
    held = holdings(there.server, there.login)
    assert {len(copies) for copies in held.values()} == {1}
    assert len(held) == len(messages)


def follows(there: World, message: str) -> None:
    """Marks and deletes go both ways, to this message and no other."""
    others = [m for m in there.ids() if m != message]
    before = [(there.message(m).heard, there.seen(m)) for m in others]
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard
    there.box.mark_new(message)
    there.sync_ok()
    assert not there.seen(message)
    there.box.delete(message)
    there.sync_ok()
    assert there.path(there.place(message)[0]) == "Trash"
    assert [(there.message(m).heard, there.seen(m)) for m in others] == before
    assert not any(there.message(m).deleted for m in others)
    there.quiet()


@everywhere
@pytest.mark.parametrize(
    "change",
    [list, lambda raw: raw[::-1], lambda raw: [raw[2], raw[0], raw[1]]],
    ids=["same", "back", "round"],
)
def test_a_folder_made_again_is_read_again_whatever_its_uidvalidity(there: World, change):
    """GreenMail gives the same UIDVALIDITY again within a second, and the same UIDs."""
    messages = [there.arrived() for _ in range(3)]
    remake(there, change)
    there.sync_ok()

    whole(there, messages)
    follows(there, messages[0])


@everywhere
def test_uids_that_now_are_other_messages_are_never_acted_on(there: World):
    """More messages than before, so that no counter goes back: only the token under the UID tells."""
    messages = [there.arrived() for _ in range(3)]
    stranger = b"From: a@example.com\r\nSubject: hello\r\n\r\nhello\r\n"
    remake(there, lambda raw: [stranger, *raw[::-1], stranger])
    there.box.mark_heard(messages[0])
    there.box.delete(messages[1])
    for _ in range(3):
        there.sync_ok()

    there.quiet()
    assert there.seen(messages[0])
    assert not there.seen(messages[2])
    assert there.path(there.place(messages[1])[0]) == "Trash"
    assert [there.message(m).deleted for m in messages] == [False, True, False]
    strangers = [u for u in there.mail.uids(FOLDER) if b"hello" in there.mail.header(u, FOLDER)]
    assert len(strangers) == 2
    assert not any("\\Seen" in there.mail.flags(u, FOLDER) for u in strangers)


@everywhere
def test_a_folder_emptied_by_being_made_again_deletes_nothing(there: World):
    messages = [there.arrived() for _ in range(2)]
    remake(there, lambda raw: [])
    for _ in range(3):
        there.sync_ok()
    assert not any(there.message(m).deleted for m in messages)


# Servers that lie


@pytest.fixture
def sim(request) -> Iterator[tuple[SimServer, Server]]:
    played = SimServer(PROFILES[getattr(request, "param", "qresync")])
    with TcpFront(played) as front:
        yield played, Server(name="sim", imap_port=front.port, users=users(played))


@pytest.mark.parametrize("sim", ["qresync", "condstore", "bare", "greenmail"], indirect=True)
@pytest.mark.parametrize("lie", [Lie.UIDVALIDITY_ZERO, Lie.UIDVALIDITY_MISSING, Lie.UIDVALIDITY_CHANGING])
def test_a_uidvalidity_that_is_none_deletes_and_doubles_nothing(sim, tmp_path, lie):
    played, server = sim
    with world(tmp_path / "world", server) as there:
        messages = [there.arrived() for _ in range(3)]
        with played.lying(lie):
            for _ in range(3):
                there.resync()
                assert not any(there.message(m).deleted for m in messages)
        there.sync_ok()
        whole(there, messages)
        follows(there, messages[0])


@pytest.mark.parametrize("sim", ["qresync", "bare"], indirect=True)
@pytest.mark.parametrize("lie", [Lie.UIDVALIDITY_ZERO, Lie.UIDVALIDITY_MISSING])
def test_a_server_that_never_has_a_uidvalidity_loses_nothing(sim, tmp_path, lie):
    """chatmail/core: Yahoo sends none at times."""
    played, server = sim
    with played.lying(lie), world(tmp_path / "world", server) as there:
        messages = [there.deliver() for _ in range(2)]
        for _ in range(3):
            there.resync()
        assert not any(there.message(m).deleted for m in messages)
        held = holdings(server, there.login)
        assert all(len(copies) == 1 for copies in held.values())


# At a bad moment


@pytest.fixture
def wire(imap_server, proxy_to) -> Proxy:
    return proxy_to(imap_server.host, imap_server.imap_port)


@pytest.fixture
def through(imap_server, wire, tmp_path) -> Iterator[World]:
    with world(tmp_path / "world", imap_server, imap4={"server": wire.host, "port": wire.port}) as one:
        yield one


class Moment:
    """Does something once, when the server has given its n-th tagged answer."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        self.left = number
        self.failed: Exception | None = None
        self._act = act

    def __call__(self, line: re.Match[bytes]) -> bytes:
        if self.left == 0:
            try:
                self._act()
            except Exception as error:  # noqa: BLE001 - told to the test
                self.failed = error
        self.left -= 1
        return line[0]


@pytest.mark.server("dovecot", "sim-qresync", "sim-bare")
@pytest.mark.parametrize("number", range(2, 12))
def test_a_folder_made_again_during_a_pass_at_any_answer(through: World, wire: Proxy, number):
    """Dovecot goes on in a Maildir that was made again under it: MOVE may then take another message.

    Even so both sides agree in the end, every message is there once, and what went can be restored.
    """
    messages = [through.arrived() for _ in range(4)]
    through.box.mark_heard(messages[0])
    through.box.delete(messages[1])
    through.flag(messages[2], "\\Seen")
    moment = Moment(number, lambda: remake(through, lambda raw: raw[::-1]))
    wire.rewrite(rb"\A[A-Z0-9]+ OK .*\r\n", moment)
    through.resync()
    wire.heal()
    assert moment.failed is None
    for _ in range(2):
        through.sync_ok()

    through.quiet()
    held = holdings(through.server, through.login)
    assert sorted(through.ids()) == sorted(messages)
    assert [len(copies) for copies in held.values()] == [1] * 4
    deleted = [m for m in messages if through.message(m).deleted]
    assert deleted == [m for m in messages if through.place(m)[0] == "Trash"]
    if through.server.name == "dovecot":
        assert len(deleted) <= 2
        return
    assert deleted == [messages[1]]
    assert [through.message(m).heard for m in messages] == [True, False, True, False]
    assert [through.seen(m) for m in messages] == [True, False, True, False]


@on_dovecot
@pytest.mark.parametrize("change", [list, lambda raw: raw[::-1]], ids=["same", "back"])
def test_a_folder_made_again_while_a_delete_is_pending_loses_no_other(through: World, wire: Proxy, change):
    """OfflineIMAP skipped a folder with a new UIDVALIDITY and went on deleting in it."""
    messages = [through.arrived() for _ in range(3)]
    wire.answer(rb"UID MOVE", b"{tag} NO not now\r\n")
    through.box.delete(messages[1])
    through.resync()
    remake(through, change)
    wire.heal()
    for _ in range(2):
        through.sync_ok()

    through.quiet()
    assert through.path(through.place(messages[1])[0]) == "Trash"
    assert [through.message(m).deleted for m in messages] == [False, True, False]
    assert [through.path(through.place(m)[0]) for m in (messages[0], messages[2])] == [FOLDER] * 2


# What people do to folders


@everywhere
def test_two_folders_that_changed_names_keep_their_messages(there: World):
    here, elsewhere = [there.arrived() for _ in range(2)]
    there.move(elsewhere, "Work")
    there.sync_ok()
    for old, new in ((FOLDER, "Swap"), ("Work", FOLDER), ("Swap", "Work")):
        there.mail.rename(old, new)
    for name in (FOLDER, "Work"):
        there.mail.client.subscribe_folder(there.mail.name(name))
    for _ in range(2):
        there.sync_ok()

    whole(there, [here, elsewhere])
    assert there.path(there.place(here)[0]) == "Work"
    follows(there, here)


@everywhere
def test_a_deleted_folder_comes_back_with_its_messages(there: World):
    messages = [there.arrived() for _ in range(2)]
    raw = [there.mail.read(uid, FOLDER) for uid in there.mail.uids(FOLDER)]
    there.mail.delete(FOLDER)
    for _ in range(2):
        there.sync_ok()
    there.mail.ensure("Back")
    for message in raw:
        there.mail.append(message, "Back")
    for _ in range(2):
        there.sync_ok()

    whole(there, messages)
    follows(there, messages[1])


# The index


def older(there: World) -> Callable[[], None]:
    """Keep the index as it is now; the function returned brings it back."""
    there.engine.close()
    index = there.folder / "state" / "index.sqlite3"
    kept = index.read_bytes()
    there.open()

    def bring_back() -> None:
        there.engine.close()
        for path in index.parent.glob("index.sqlite3*"):
            path.unlink()
        index.write_bytes(kept)
        there.open()

    return bring_back


@everywhere
def test_an_older_index_sends_nothing_again_and_deletes_nothing(there: World):
    old = there.arrived()
    bring_back = older(there)
    new = [there.arrived() for _ in range(2)]
    there.flag(old, "\\Seen")
    there.sync_ok()
    bring_back()
    for _ in range(2):
        there.sync_ok()

    whole(there, [old, *new])
    assert there.message(old).heard
    follows(there, new[0])


@on_dovecot
def test_an_older_index_from_before_a_delete_brings_no_loss(there: World):
    messages = [there.arrived() for _ in range(3)]
    bring_back = older(there)
    there.box.delete(messages[0])
    there.expunge(messages[1])
    there.sync_ok()
    bring_back()
    for _ in range(2):
        there.sync_ok()

    there.quiet()
    assert not there.message(messages[2]).deleted
    assert [len(there.places(m)) for m in messages] == [1, 0, 1]
    assert there.path(there.place(messages[0])[0]) == "Trash"


@on_dovecot
@pytest.mark.parametrize("sent", [False, True])
def test_a_message_that_an_older_index_has_never_heard_of_is_at_the_phone_again(there: World, sent):
    """Its recording and description are still there; sent or not, it is in the account once."""
    old = there.arrived()
    bring_back = older(there)
    new = there.arrived() if sent else there.deliver()
    if sent:
        there.move(new, "Work")
        there.mail.client.unsubscribe_folder(there.mail.name("Work"))
    bring_back()
    assert sorted(there.ids()) == sorted([old, new])
    there.sync_ok()

    whole(there, [old, new])
    assert there.message(new).sender == "Peter Adams"


@on_dovecot
def test_what_was_given_up_does_not_come_back_when_its_files_are_left(there: World):
    """The process died between giving up the row and removing the files."""
    message = there.arrived()
    voice = there.folder / "state" / "voice"
    kept = {path: path.read_bytes() for path in voice.glob(f"{message}*")}
    there.box.delete(message)
    there.sync_ok()
    there.clock.forward(26 * 3600.0)
    there.sync_ok()
    assert not list(voice.glob(f"{message}*"))
    for path, data in kept.items():
        path.write_bytes(data)
    there.reopen()
    there.quiet()
    assert not list(voice.glob(f"{message}*"))
    assert not [m for m in there.box.messages() if not m.deleted]


@on_dovecot
def test_an_older_index_that_still_waited_to_send_sends_nothing_twice(there: World):
    message = there.deliver()
    bring_back = older(there)
    there.sync_ok()
    bring_back()
    there.sync_ok()

    whole(there, [message])


@everywhere
def test_a_lost_index_is_learnt_again_from_a_folder_made_anew(there: World):
    """Both at once: nothing that was known holds any more, on either side."""
    messages = [there.arrived() for _ in range(3)]
    remake(there, lambda raw: raw[::-1])
    there.engine.close()
    for path in (there.folder / "state").glob("index*"):
        path.unlink()
    there.open()
    there.sync_ok()

    whole(there, messages)
    follows(there, messages[2])


# Two at once


@on_dovecot
def test_two_engines_on_one_state_never_pass_at_once_and_miss_nothing(there: World):
    messages = [there.arrived() for _ in range(4)]
    busy, failed = [], []
    for message in messages[:2]:
        there.box.mark_heard(message)
    for message in messages[2:]:
        there.flag(message, "\\Seen")

    def passing() -> None:
        with opened(there.config, there.clock()) as (engine, _):
            for _ in range(4):
                try:
                    report = engine.resync(NUMBER)
                    failed.extend(report.errors)
                except Busy:
                    busy.append(1)

    threads = [threading.Thread(target=passing) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    there.sync_ok()

    whole(there, messages)
    assert all(there.message(m).heard and there.seen(m) for m in messages)


@on_dovecot
def test_two_installations_with_one_key_keep_one_account_between_them(there: World, tmp_path):
    """A copy of the state that runs beside the original, as after a careless failover."""
    messages = [there.arrived() for _ in range(3)]
    there.engine.close()
    shutil.copytree(there.folder, tmp_path / "copy")
    config = tmp_path / "copy" / "syncengine.toml"
    text = config.read_text().replace(str(there.folder / "state"), str(tmp_path / "copy" / "state"))
    config.write_text(text)
    there.open()
    with opened(config, there.clock()) as (other, _):
        there.box.mark_heard(messages[0])
        other.mailbox(NUMBER).delete(messages[1])
        late = other.mailbox(NUMBER).deliver(wav()).id
        for _ in range(3):
            there.sync_ok()
            assert other.resync(NUMBER).ok
        there.quiet()
        assert other.resync(NUMBER).actions == ()
        for engine in (there.engine, other):
            shown = {m.id: (m.heard, m.deleted) for m in engine.mailbox(NUMBER).messages()}
            assert shown[messages[0]] == (True, False)
            assert shown[messages[1]][1]
            assert shown[late] == (False, False)
    held = holdings(there.server, there.login)
    assert [len(copies) for copies in held.values()] == [1] * 4


@on_dovecot
def test_one_account_on_two_mailboxes_keeps_their_messages_apart(there: World):
    mine = there.arrived()
    there.engine.close()
    text = there.config.read_text()
    start = text.index(f"[mailboxes.{NUMBER}]")
    there.config.write_text(text + text[start:].replace(f"mailboxes.{NUMBER}", "mailboxes.102"))
    with opened(there.config, there.clock()) as (engine, _):
        theirs = engine.mailbox("102").deliver(wav()).id
        for _ in range(2):
            assert engine.resync("102").ok
            assert engine.resync(NUMBER).ok
        engine.mailbox("102").mark_heard(theirs)
        engine.mailbox(NUMBER).delete(mine)
        for number in ("102", NUMBER, "102", NUMBER):
            assert engine.resync(number).ok
        assert [m.id for m in engine.mailbox(NUMBER).messages()] == [mine]
        assert [m.id for m in engine.mailbox("102").messages()] == [theirs]
        assert all(engine.resync(number).actions == () for number in (NUMBER, "102"))
        assert not engine.mailbox("102").message(theirs).deleted
    held = holdings(there.server, there.login)
    assert {copies[0] for copies in held.values()} == {("Trash", ()), (FOLDER, ("\\Seen",))}
    there.open()
