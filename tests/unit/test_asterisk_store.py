"""The Asterisk spool as a voice store: what is listed, what a change does to the files, what proves what."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncengine.errors import StoreUnproven, SyncError, UsageError
from syncengine.model import Kind, LocalMessage, State
from syncengine.voicemail.asterisk import AsteriskStore, How, LockMode
from syncengine.voicemail.asterisk.layout import FolderListing, read_folder
from syncengine.voicemail.wave import pcm_wav, ulaw_wav
from tests.support.asterisk import (
    FakeAsterisk,
    FakeFreepbx,
    description,
    quick_folder,
    serial_in,
    wav,
    write_message,
)
from tests.support.asterisk_world import SECRET, World, one, sent, states


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory, so that no test waits for a disk."""
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# What is listed


def test_the_folder_says_whether_a_message_was_heard(world: World):
    folders = ("INBOX", "Urgent", "Old", "Work", "Cust5", "Deleted")
    for serial, folder in enumerate(folders, 1):
        write_message(world.box / folder, 0, serial)
    assert states(world.store()) == {
        "1": State.NEW,
        "2": State.NEW,
        "3": State.HEARD,
        "4": State.HEARD,
        "5": State.HEARD,
    }


def test_a_message_carries_what_its_description_says(world: World):
    write_message(world.box / "INBOX", 0, 1, ("WAV", "wav", "gsm"), flag="Urgent", duration="42")
    message = one(world.store())
    assert message.received == datetime.fromtimestamp(1795446901, UTC)
    assert (message.caller_name, message.duration, message.urgent) == ("Peter Adams", 42, True)
    assert (message.kind, message.media_type, message.mailbox) == (Kind.VOICE, "audio/wav", "101")


def test_a_lost_state_directory_finds_the_same_tokens(world: World):
    for serial in range(1, 6):
        world.asterisk.leave(serial)
    write_message(world.box / "Old", 0, 9, msg_id="")
    first = {m.token for m in world.store().listing("101").messages}
    assert first == {m.token for m in world.store("elsewhere").listing("101").messages}
    assert len(first) == 6


def test_another_secret_gives_other_tokens(world: World):
    world.asterisk.leave(1)
    other = AsteriskStore(world.spool, world.folder / "other", b"x" * 32, how=world.how)
    other.prepare()
    assert one(world.store()).token != one(other).token


def test_a_message_stays_itself_through_renumbering_moving_and_another_msg_id(world: World):
    for serial in range(1, 4):
        world.asterisk.leave(serial)
    store = world.store()
    before = {m.caller_number: m.token for m in store.listing("101").messages}
    for suffix in (".txt", ".wav"):
        (world.box / "INBOX" / f"msg0000{suffix}").unlink()
    FakeFreepbx(world.box).renumber("INBOX")
    write_message(world.box / "Work", 7, 3, msg_id="1-other")
    for suffix in (".txt", ".wav"):
        (world.box / "INBOX" / f"msg0001{suffix}").unlink()
    after = {m.caller_number: (m.token, m.state) for m in store.listing("101").messages}
    assert after == {
        "2035550002": (before["2035550002"], State.NEW),
        "2035550003": (before["2035550003"], State.HEARD),
    }


def test_a_renumbering_between_listing_and_reading_mixes_nothing_up(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """Whoever reads a file by the name that it had a moment ago may read another message's."""
    inbox = world.box / "INBOX"
    for number in (0, 1):
        write_message(inbox, number, number + 1)
    swapped: list[FolderListing] = []

    def listed_then_swapped(folder: Path) -> FolderListing:
        listing = read_folder(folder)
        if folder == inbox and not swapped:
            swapped.append(listing)
            for extension in ("wav", "txt"):
                first, second = (inbox / f"msg{n:04d}.{extension}" for n in (0, 1))
                first.rename(inbox / "between")
                second.rename(first)
                (inbox / "between").rename(second)
        return listing

    monkeypatch.setattr("syncengine.voicemail.asterisk.look.read_folder", listed_then_swapped)
    store = world.store()
    listing = store.listing("101")
    assert listing.proven
    assert swapped
    found = {m.caller_number: serial_in(store.content(m).read_bytes()) for m in listing.messages}
    assert found == {"2035550001": 1, "2035550002": 2}


def test_a_msg_id_that_appears_later_changes_nothing(world: World):
    write_message(world.box / "INBOX", 0, 1, msg_id="")
    store = world.store()
    token = one(store).token
    write_message(world.box / "INBOX", 0, 1, msg_id="1795446901-0000beef")
    assert one(store).token == token


def test_copies_with_the_same_msg_id_are_messages_of_their_own(world: World):
    write_message(world.box / "INBOX", 0, 1)
    write_message(world.box / "Work", 0, 1)
    write_message(world.box / "INBOX", 1, 2, msg_id="1795446901-00000001")
    store = world.store()
    messages = store.listing("101").messages
    assert len({m.token for m in messages}) == len({m.ref for m in messages}) == 3
    work = next(m for m in messages if m.state is State.HEARD)
    for path in (world.box / "INBOX").glob("msg0000*"):
        path.unlink()
    left = store.listing("101").messages
    assert work in left
    assert {m.token for m in left} < {m.token for m in messages}


def test_a_forwarded_copy_does_not_take_the_place_of_a_deleted_original(world: World):
    write_message(world.box / "INBOX", 0, 1)
    store = world.store()
    assert store.change(one(store), State.DELETED)
    write_message(world.box / "INBOX", 0, 2, msg_id="1795446901-00000001", origtime="1795446901")
    messages = store.listing("101").messages
    assert sorted(m.state for m in messages) == [State.DELETED, State.NEW]
    assert len({m.token for m in messages}) == 2


@pytest.mark.parametrize("sound", [b"", None, b"RIFF" + bytes(40)])
def test_a_description_without_sound_is_no_message(world: World, sound: bytes | None):
    (world.box / "INBOX" / "msg0000.txt").write_bytes(description(1))
    if sound is not None:
        (world.box / "INBOX" / "msg0000.wav").write_bytes(sound)
    world.asterisk.leave(2)
    assert states(world.store()) == {"2": State.NEW}


def test_a_message_that_lost_its_sound_is_not_deleted(world: World):
    world.asterisk.leave(1)
    store = world.store()
    message = one(store)
    (world.box / "INBOX" / "msg0000.wav").unlink()
    assert one(store).token == message.token
    with pytest.raises(SyncError, match="recording is not there"):
        store.content(message)
    (world.box / "INBOX" / "msg0000.wav").write_bytes(wav(1))
    assert one(store).token == message.token
    assert serial_in(store.content(message).read_bytes()) == 1


def test_a_sound_without_description_is_not_committed_and_left_alone(world: World):
    (world.box / "INBOX" / "msg0000.wav").write_bytes(wav(1))
    world.asterisk.leave(2)
    store = world.store()
    assert states(store) == {"2": State.NEW}
    assert store.change(one(store, 2), State.HEARD)
    assert world.files("INBOX") in (["msg0000.wav"], [])


def test_hand_made_files_and_strangers_do_no_harm(world: World):
    folder = world.box / "INBOX"
    (folder / "msg0000.txt").write_bytes(b"\xff\xfe[[[[\n=\n;;;")
    (folder / "msg0000.WAV").write_bytes(wav(7, "WAV"))
    (folder / "msg00001.txt").write_bytes(description(3))
    (folder / "msg0002.txt").symlink_to("/etc/passwd")
    (folder / "msg0003.txt").mkdir()
    os.mkfifo(folder / "msg0004.txt")
    (folder / "greet.wav").write_bytes(b"x")
    (folder / "msg0005\n.txt").write_bytes(b"x")
    listing = world.store().listing("101")
    assert listing.proven
    assert len(listing.messages) == 1
    message = listing.messages[0]
    assert (message.caller_number, message.caller_name, message.duration) == ("", "", None)


def test_foreign_characters_are_kept(world: World):
    write_message(world.box / "INBOX", 0, 1, callerid='"Jörg Müller-Łukasz 中村" <2035550001>')
    assert one(world.store()).caller_name == "Jörg Müller-Łukasz 中村"


@pytest.mark.parametrize("name", ["../102", "a/b", "", ".hidden", "x" * 100, "1\n2", "..", "é"])
def test_a_mailbox_name_cannot_leave_the_spool(world: World, name: str):
    with pytest.raises(UsageError):
        world.store().listing(name)


def test_nine_thousand_nine_hundred_and_ninety_nine_messages(world: World):
    folder = world.box / "INBOX"
    for number in range(9999):
        (folder / f"msg{number:04d}.wav").write_bytes(wav(number, size=1))
        (folder / f"msg{number:04d}.txt").write_bytes(description(number))
    store = world.store()
    first = store.listing("101")
    assert first.proven
    assert len({m.token for m in first.messages}) == 9999
    begun = time.process_time()
    assert store.listing("101") == first
    assert time.process_time() - begun < 3
    how = How(maxmsg=9999, settle=0.01)
    roomy = AsteriskStore(world.spool, world.folder / "state", SECRET, how=how)
    assert roomy.change(first.messages[5000], State.HEARD)
    assert len(world.files("Old")) == 2


# What a change does


def test_heard_moves_every_file_to_old_and_leaves_a_gap(world: World):
    for serial in range(1, 4):
        world.asterisk.leave(serial, formats=("WAV", "wav", "gsm"))
    (world.box / "INBOX" / "msg0001intro.wav").write_bytes(b"intro")
    (world.box / "INBOX" / "msg0001_play.mp3").write_bytes(b"cache")
    write_message(world.box / "Old", 4, 9)
    store = world.store()
    assert store.change(one(store, 2), State.HEARD)
    names = {"msg0005" + s for s in (".WAV", ".gsm", ".txt", ".wav", "intro.wav", "_play.mp3")}
    assert set(world.files("Old")) == names | {"msg0004.txt", "msg0004.wav"}
    assert world.serials("INBOX") == [1, 3]
    assert {n[:7] for n in world.files("INBOX")} == {"msg0000", "msg0002"}
    assert one(store, 2).state is State.HEARD


@pytest.mark.parametrize(("flag", "folder"), [("", "INBOX"), ("Urgent", "Urgent")])
def test_new_moves_back_to_where_asterisk_looks_for_it(world: World, flag: str, folder: str):
    write_message(world.box / "Old", 0, 1, flag=flag)
    store = world.store()
    assert store.change(one(store), State.NEW)
    assert world.serials(folder) == [1]
    assert world.files("Old") == []


@pytest.mark.parametrize(
    ("folder", "before", "back"),
    [("INBOX", State.NEW, "INBOX"), ("Old", State.HEARD, "Old"), ("Work", State.HEARD, "Work")],
)
def test_a_deleted_message_waits_outside_and_comes_back(world: World, folder: str, before: State, back: str):
    write_message(world.box / folder, 0, 1, ("wav", "WAV"))
    write_message(world.box / folder, 1, 2)
    store = world.store()
    message = one(store)
    assert store.change(message, State.DELETED)
    assert world.serials(folder) == [2]
    held = one(store)
    assert (held.state, held.token, held.content) == (State.DELETED, message.token, True)
    assert held.deleted_at is not None
    assert store.restored_state(held) is before
    assert serial_in(store.content(held).read_bytes()) == 1
    assert store.change(held, before)
    assert world.serials(back) == [2, 1]
    assert one(store) == message
    assert len(world.files(back)) == 5


def test_a_heard_message_can_be_restored_as_new(world: World):
    write_message(world.box / "Old", 0, 1)
    store = world.store()
    assert store.change(one(store), State.DELETED)
    assert store.change(one(store), State.NEW)
    assert world.serials("INBOX") == [1]


@pytest.mark.parametrize("wanted", [State.HEARD, State.DELETED])
def test_a_panel_that_renumbers_in_the_middle_of_a_move_takes_no_recording_along(
    world: World, monkeypatch: pytest.MonkeyPatch, wanted: State
):
    """FreePBX removes what stands under a number whose description has just been taken out."""
    for number in (0, 1):
        write_message(world.box / "INBOX", number, number + 1)
    store = world.store()
    message, other = one(store, 1), one(store, 2)
    rename = Path.rename

    def renumbered_after(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        if self.name == "msg0000.txt" and self.parent.name == "INBOX":
            monkeypatch.undo()
            FakeFreepbx(world.box).renumber("INBOX")
        return renamed

    monkeypatch.setattr(Path, "rename", renumbered_after)
    assert store.change(message, wanted)
    assert world.files("INBOX") == ["msg0000.txt", "msg0000.wav"]
    found = {m.ref: serial_in(store.content(m).read_bytes()) for m in store.listing("101").messages}
    assert found == {message.ref: 1, other.ref: 2}
    assert world.files("Old") == (["msg0000.txt", "msg0000.wav"] if wanted is State.HEARD else [])


def test_a_change_is_refused_when_the_message_has_moved_on(world: World):
    world.asterisk.leave(1)
    store = world.store()
    seen = one(store)
    assert store.change(seen, State.HEARD)
    for wanted in State:
        assert not store.change(seen, wanted)
    heard = one(store)
    assert store.change(heard, State.DELETED)
    assert not store.change(heard, State.NEW)
    assert not store.change(one(store), State.DELETED)
    assert store.purge(one(store))
    assert not store.change(heard, State.DELETED)


def test_what_the_subscriber_deleted_cannot_be_changed(world: World):
    world.asterisk.leave(1)
    store = world.store()
    message = one(store)
    call = world.asterisk.login()
    call.deleted.add(0)
    world.asterisk.hang_up(call)
    assert not store.change(message, State.HEARD)
    assert store.listing("101").messages == ()


def test_a_number_that_was_just_emptied_is_not_given_to_another_message(world: World):
    for serial in (1, 2):
        write_message(world.box / "Old", serial - 1, serial)
        write_message(world.box / "INBOX", serial - 1, serial + 2)
    store = world.store()
    call = world.asterisk.login()
    call.deleted.add(1)
    assert store.change(one(store, 4), State.HEARD)
    assert store.change(one(store, 2), State.NEW)
    world.asterisk.hang_up(call)
    assert states(store) == {"1": State.HEARD, "2": State.NEW, "3": State.NEW, "4": State.HEARD}


def test_purging_gives_the_recording_up(world: World):
    world.asterisk.leave(1)
    store = world.store()
    assert not store.purge(one(store))
    assert store.change(one(store), State.DELETED)
    held = one(store)
    assert store.purge(held)
    assert not store.purge(held)
    assert store.listing("101").messages == ()
    assert list((world.box / ".syncengine" / "held").iterdir()) == []


def test_a_full_old_folder_leaves_the_message_where_it_is(tmp_path: Path):
    world = World(tmp_path, maxmsg=3)
    for number in range(3):
        write_message(world.box / "Old", number, 10 + number)
    world.asterisk.leave(1)
    store = world.store()
    with pytest.raises(SyncError, match=r"full .*maxmsg"):
        store.change(one(store), State.HEARD)
    assert world.serials("INBOX") == [1]
    assert len(world.serials("Old")) == 3
    assert one(store).state is State.NEW
    assert list((world.box / ".syncengine" / "held").iterdir()) == []


def test_numbers_that_ran_out_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Asterisk refuses a caller when the last number is maxmsg - 1, gaps or not."""
    world = World(tmp_path, maxmsg=3)
    for serial in (1, 2, 3):
        write_message(world.box / "INBOX", serial - 1, serial)
    store = world.store()
    for serial in (1, 2):
        assert store.change(one(store, serial), State.HEARD)
    states(store)
    states(store)
    said = [record.message for record in caplog.records if "takes no more" in record.message]
    assert len(said) == 1
    assert not FakeAsterisk(world.box, maxmsg=3).leave(4)
    call = world.asterisk.login()
    world.asterisk.hang_up(call)
    assert FakeAsterisk(world.box, maxmsg=3).leave(4)
    states(store)
    assert states(store) == {"1": State.HEARD, "2": State.HEARD, "3": State.NEW, "4": State.NEW}


def test_a_full_inbox_leaves_a_deleted_message_deleted(tmp_path: Path):
    world = World(tmp_path, maxmsg=1)
    world.asterisk.leave(1)
    store = world.store()
    assert store.change(one(store), State.DELETED)
    world.asterisk.leave(2)
    with pytest.raises(SyncError, match="full"):
        store.change(one(store), State.NEW)
    assert one(store).state is State.DELETED
    assert world.serials("INBOX") == [2]


@pytest.mark.parametrize("mode", list(LockMode))
@pytest.mark.parametrize("locked", ["INBOX", "Old"])
def test_a_folder_that_stays_locked_is_left_alone(tmp_path: Path, mode: LockMode, locked: str):
    world = World(tmp_path, lock_mode=mode, lock_timeout=0.1)
    world.asterisk.mode = mode
    world.asterisk.leave(1)
    store = world.store()
    message = one(store)
    folder = world.asterisk.folder(locked)
    store.listing("101")
    with world.asterisk.lock(folder):
        name = ".lock" if mode is LockMode.LOCKFILE else "lock"
        with pytest.raises(SyncError, match="locked by somebody"):
            store.change(message, State.HEARD)
        assert (folder / name).exists()
    assert one(store) == message
    assert store.change(message, State.HEARD)


def test_an_old_lock_of_somebody_else_is_reported_and_never_broken(world: World, monkeypatch):
    world.asterisk.leave(1)
    store = world.store()
    message = one(store)
    lock = world.box / "INBOX" / ".lock"
    lock.touch()
    monkeypatch.setattr("syncengine.voicemail.asterisk.look._LOCK_IN_USE", -1.0)
    assert store.listing("101").proven
    with pytest.raises(SyncError, match=r"\.lock: locked by somebody else.*remove that file"):
        store.change(message, State.HEARD)
    assert lock.exists()


def test_the_recording_that_is_sent_is_the_messages_own(world: World):
    for serial in (1, 2):
        world.asterisk.leave(serial, formats=("WAV", "wav", "gsm"))
    store = world.store()
    path = store.content(one(store, 2))
    assert path.suffix == ".wav"
    call = world.asterisk.login()
    call.deleted.add(0)
    world.asterisk.hang_up(call)
    assert serial_in(path.read_bytes()) == 2
    assert serial_in(store.content(one(store, 2)).read_bytes()) == 2
    assert store.sweep() == 0
    later = AsteriskStore(
        world.spool, world.folder / "state", SECRET, how=world.how, clock=lambda: time.time() + 90000
    )
    assert later.sweep() >= 1


def test_the_best_of_the_formats_is_sent(world: World):
    write_message(world.box / "INBOX", 0, 1, ("gsm", "WAV"))
    store = world.store()
    assert store.content(one(store)).suffix == ".WAV"


# Adoption


@pytest.mark.parametrize(
    ("message", "folder"),
    [(sent(), "INBOX"), (sent(urgent=True), "Urgent"), (sent(State.HEARD), "Old")],
)
def test_an_adopted_message_keeps_its_token_even_without_our_memory(
    world: World, message: LocalMessage, folder: str
):
    world.asterisk.leave(1)
    store = world.store()
    store.listing("101")
    adopted = store.adopt(message, ulaw_wav(bytes(16000)))
    for again in (store, world.store("elsewhere")):
        found = next(m for m in again.listing("101").messages if m.token == message.token)
        assert (found.ref, found.state, found.received) == (adopted.ref, message.state, message.received)
        assert (found.caller_number, found.caller_name) == (message.caller_number, message.caller_name)
        assert found.duration == 2
        assert found.urgent == message.urgent
    assert len([n for n in world.files(folder) if n.endswith(".txt")]) == (2 if folder == "INBOX" else 1)
    assert store.adopt(message, ulaw_wav(bytes(16000))).ref == adopted.ref
    assert len(store.listing("101").messages) == 2


def test_an_adopted_recording_is_one_that_asterisk_plays(world: World):
    world.asterisk.leave(1)
    store = world.store()
    adopted = store.adopt(sent(), pcm_wav(bytes(16000)))
    assert store.content(adopted).read_bytes() == pcm_wav(bytes(16000))
    with pytest.raises(SyncError):
        store.adopt(sent(), b"this is no sound")


def test_a_copy_of_an_adopted_message_does_not_get_its_token(world: World):
    world.asterisk.leave(1)
    store = world.store()
    store.adopt(sent(), pcm_wav(bytes(16000)))
    for path in (world.box / "INBOX").glob("msg0001.*"):
        (world.asterisk.folder("Work") / path.name).write_bytes(path.read_bytes())
    tokens = [m.token for m in store.listing("101").messages]
    assert len(tokens) == len(set(tokens)) == 3


def test_a_message_forwarded_to_another_mailbox_does_not_take_its_token_along(world: World):
    world.asterisk.leave(1)
    store = world.store()
    store.adopt(sent(), pcm_wav(bytes(16000)))
    other = world.spool / "default" / "102" / "INBOX"
    other.mkdir(parents=True)
    for path in (world.box / "INBOX").glob("msg0001.*"):
        (other / path.name).write_bytes(path.read_bytes())
    assert sent().token in {m.token for m in store.listing("101").messages}
    assert sent().token not in {m.token for m in store.listing("102").messages}
    assert len(store.listing("102").messages) == 1


# Proof


def test_a_mailbox_without_a_folder_never_had_a_message(world: World):
    world.asterisk.leave(1)
    listing = world.store().listing("102")
    assert listing.proven
    assert listing.messages == ()


def move_away(world: World) -> None:
    world.spool.rename(world.folder / "unmounted")
    world.spool.mkdir()


def another_spool(world: World) -> None:
    move_away(world)
    World(world.folder / "foreign").asterisk.leave(5)
    (world.folder / "foreign" / "spool").rename(world.spool / "x")
    (world.spool / "x" / "default").rename(world.spool / "default")


def without_mailbox(world: World) -> None:
    world.box.rename(world.folder / "gone")


def without_context(world: World) -> None:
    world.box.parent.rename(world.folder / "gone")


def fresh_mailbox(world: World) -> None:
    without_mailbox(world)
    (world.box / "INBOX").mkdir(parents=True)


def without_folder(world: World) -> None:
    (world.box / "INBOX").rename(world.folder / "gone")


def dead_freepbx(world: World) -> None:
    for suffix in (".txt", ".wav"):
        name = world.box / "INBOX" / f"msg0000{suffix}"
        name.rename(name.with_name(f"msgTMP0000{suffix}"))


def without_marker(world: World) -> None:
    (world.spool / ".syncengine" / "store-id").unlink()


@pytest.mark.parametrize(
    "loss",
    [
        move_away,
        another_spool,
        without_mailbox,
        without_context,
        fresh_mailbox,
        without_folder,
        dead_freepbx,
        without_marker,
    ],
)
def test_what_vanished_as_a_whole_was_not_deleted_by_the_subscriber(world: World, loss):
    world.asterisk.leave(1)
    store = world.store()
    message = one(store)
    loss(world)
    assert not store.listing("101").proven
    assert not world.store().listing("101").proven
    try:
        assert not store.change(message, State.HEARD)
    except StoreUnproven as error:
        assert "nothing was changed" in str(error)


def test_the_proof_comes_back_with_the_spool(world: World):
    world.asterisk.leave(1)
    store = world.store()
    message = one(store)
    move_away(world)
    assert not store.listing("101").proven
    world.spool.rmdir()
    (world.folder / "unmounted").rename(world.spool)
    assert one(store) == message


def test_an_empty_mount_point_is_not_marked(tmp_path: Path):
    spool = tmp_path / "spool"
    spool.mkdir()
    store = AsteriskStore(spool, tmp_path / "state", SECRET)
    store.prepare()
    assert not store.listing("101").proven
    assert list(spool.iterdir()) == []
    FakeAsterisk(spool / "default" / "101").leave(1)
    assert store.listing("101").proven


def test_what_is_gone_from_a_mailbox_that_is_there_was_deleted(world: World):
    for serial in (1, 2):
        world.asterisk.leave(serial)
    store = world.store()
    assert len(states(store)) == 2
    for path in (world.box / "INBOX").glob("msg0000.*"):
        path.unlink()
    assert states(store) == {"2": State.NEW}


def test_a_mailbox_in_the_middle_of_something_proves_nothing(world: World):
    world.asterisk.leave(1)
    store = world.store()
    with world.asterisk.lock(world.box / "INBOX"):
        assert not store.listing("101").proven
    assert store.listing("101").proven
