"""The manager interface: asked where it can do it, never believed beyond what the files show."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.errors import SyncError
from syncengine.model import State
from syncengine.voicemail.asterisk import Ami, AsteriskStore
from syncengine.voicemail.asterisk.ami import AmiUnavailable, AmiUnclear
from tests.support.asterisk import quick_folder, write_message
from tests.support.asterisk_world import SECRET, World, one
from tests.support.fake_ami import FakeAmi, running


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory, so that no test waits for a disk."""
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for serial in (1, 2, 3):
        world.asterisk.leave(serial, formats=("WAV", "wav"))
    return world


@pytest.fixture
def server(world: World) -> Iterator[FakeAmi]:
    with running(world.asterisk) as server:
        yield server


def ami(server: FakeAmi, **more: object) -> Ami:
    return Ami(port=server.port, user="admin", secret="amp111", timeout=2.0, **more)  # type: ignore[arg-type]


def store(world: World, server: FakeAmi) -> AsteriskStore:
    store = AsteriskStore(world.spool, world.folder / "state", SECRET, how=world.how, ami=ami(server))
    store.prepare()
    return store


def actions(server: FakeAmi) -> list[str]:
    return [fields["Action"] for fields in server.asked if fields["Action"] != "Login"]


def test_heard_and_new_are_moved_by_asterisk(world: World, server: FakeAmi):
    over = store(world, server)
    message = one(over, 2)
    assert over.change(message, State.HEARD)
    assert world.serials("Old") == [2]
    assert world.serials("INBOX") == [1, 3]
    assert over.change(one(over, 2), State.NEW)
    assert one(over, 2) == message
    assert actions(server) == ["VoicemailMove", "VoicemailMove"]
    assert server.asked[1]["ID"] == "1795446902-00000002"


def test_what_asterisk_removed_can_be_restored(world: World, server: FakeAmi):
    over = store(world, server)
    message = one(over, 2)
    assert over.change(message, State.DELETED)
    assert actions(server) == ["VoicemailRemove"]
    assert world.serials("INBOX") == [1, 3]
    held = one(over, 2)
    assert held.state is State.DELETED
    assert over.change(held, State.NEW)
    assert one(over, 2) == message
    assert len([n for n in world.files("INBOX") if n.startswith("msg0002")]) == 3


def test_a_doubled_or_missing_msg_id_is_changed_in_the_files(world: World, server: FakeAmi):
    write_message(world.box / "Work", 0, 4, msg_id="1795446901-00000001")
    write_message(world.box / "Work", 1, 5, msg_id="")
    over = store(world, server)
    assert over.change(one(over, 1), State.HEARD)
    assert over.change(one(over, 5), State.NEW)
    assert actions(server) == []
    assert (world.serials("Old"), world.serials("Work")) == ([1], [4])


def test_an_asterisk_without_the_actions_is_not_needed(world: World):
    with running(world.asterisk, actions=False) as old:
        over = store(world, old)
        assert over.change(one(over, 1), State.HEARD)
        assert over.change(one(over, 2), State.DELETED)
        assert actions(old) == ["VoicemailMove", "VoicemailRemove"]
    assert over.change(one(over, 3), State.HEARD)
    assert world.serials("Old") == [1, 3]
    assert one(over, 2).state is State.DELETED


def test_success_that_says_failed_is_no_success(world: World, server: FakeAmi):
    assert not ami(server).move("default", "101", "Work", "1795446901-00000001", "Old")
    assert not ami(server).remove("default", "101", "Work", "1795446901-00000001")


@pytest.mark.parametrize(("wanted", "words"), [(State.HEARD, "move"), (State.DELETED, "remove")])
def test_what_asterisk_failed_to_do_is_done_in_the_files(
    world: World, server: FakeAmi, wanted: State, words: str
):
    over = store(world, server)
    message = one(over, 2)

    def fail(action: str) -> bytes | None:
        text = f"Response: Success\r\nMessage: Message {words} failed\n\r\n\r\n"
        return None if action == "Login" else text.encode()

    server.before = fail
    assert over.change(message, wanted)
    assert world.serials("INBOX") == [1, 3]
    assert one(over, 2).state is wanted


def test_a_full_folder_is_said_before_asterisk_is_asked(tmp_path: Path):
    world = World(tmp_path, maxmsg=1)
    world.asterisk.leave(1)
    write_message(world.box / "Old", 0, 9)
    with running(world.asterisk) as server:
        over = store(world, server)
        with pytest.raises(SyncError, match="full"):
            over.change(one(over, 1), State.HEARD)
        assert actions(server) == []


@pytest.mark.parametrize("wanted", [State.HEARD, State.DELETED])
@pytest.mark.parametrize("done", [True, False])
def test_an_asterisk_that_falls_silent_leaves_nothing_half_done(
    world: World, server: FakeAmi, wanted: State, done: bool
):
    over = store(world, server)

    def die(action: str) -> bytes | None:
        if action == "Login":
            return None
        if done:
            server._answer(server.asked[-1])
        return b""

    server.before = die
    with pytest.raises(AmiUnclear, match="hung up"):
        over.change(one(over, 2), wanted)
    message = one(over, 2)
    assert message.state is (wanted if done else State.NEW)
    assert len(over.listing("101").messages) == 3
    server.before = lambda action: None
    if message.state is State.DELETED:
        assert over.change(message, State.NEW)
    assert one(over, 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"",
        b"x" * 100000,
        b"\r\n" * 50,
        b"\xff\xfe\r\n\r\n",
        b"Response: Error\r\n\r\n",
    ],
)
def test_whatever_answers_instead_of_asterisk_changes_nothing(world: World, server: FakeAmi, answer: bytes):
    over = store(world, server)
    server.before = lambda action: answer
    assert over.change(one(over, 1), State.HEARD)
    assert world.serials("Old") == [1]


def test_an_answer_without_end_is_given_up(server: FakeAmi):
    server.before = lambda action: None if action == "Login" else b"Event: X\r\n\r\n" * 1000
    with pytest.raises(AmiUnclear, match="hung up"):
        ami(server).refresh("default", "101")
    server.before = lambda action: None if action == "Login" else b"y" * 40000
    with pytest.raises(AmiUnclear, match="without end"):
        ami(server).refresh("default", "101")


def test_silence_is_given_up_in_time(world: World, server: FakeAmi):
    begun = time.monotonic()

    def silent(action: str) -> bytes:
        time.sleep(0.6)
        return b""

    server.before = silent
    impatient = Ami(port=server.port, user="admin", secret="amp111", timeout=0.2)
    with pytest.raises(AmiUnavailable, match="no answer"):
        impatient.refresh("default", "101")
    assert time.monotonic() - begun < 2


def test_a_refused_login_is_said_without_the_secret(server: FakeAmi):
    wrong = Ami(port=server.port, user="admin", secret="s3cret-word")
    with pytest.raises(AmiUnavailable, match="login refused") as caught:
        wrong.refresh("default", "101")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(wrong)


@pytest.mark.parametrize("value", ["1\r\nAction: Originate", "1\nX: y", "a\0b", "x" * 2000])
def test_no_value_can_add_a_line(server: FakeAmi, value: str):
    with pytest.raises(AmiUnavailable, match="cannot stand in an action"):
        ami(server).remove("default", "101", "INBOX", value)
    assert b"Originate" not in server.raw
    assert actions(server) == []


def test_a_summary_is_read_to_its_end(server: FakeAmi):
    found = ami(server).summary("default", "101")
    assert [event["id"] for event in found] == [f"{1795446900 + n}-{n:08x}" for n in (1, 2, 3)]
    assert {event["folder"] for event in found} == {"INBOX"}


def test_a_refresh_names_the_mailbox(world: World, server: FakeAmi):
    store(world, server).refresh("101")
    assert actions(server) == ["VoicemailRefresh"]
    assert (server.asked[-1]["Context"], server.asked[-1]["Mailbox"]) == ("default", "101")
