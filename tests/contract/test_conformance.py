"""Sentences of the contract that no story tells by itself, each held to on a real server."""

from __future__ import annotations

import logging

import pytest

from syncengine.engine.events import MessageHeard, MessageNew
from syncengine.engine.runner import Wish
from syncengine.errors import Busy
from tests.support.proxy import Proxy
from tests.support.world import NUMBER, World, wav, world

pytestmark = pytest.mark.server("dovecot")

VOICE = "Voice Mail Messages"
OURS = (b"x-vm-", b"message-id", b"references")
DAY = 24 * 3600.0


@pytest.fixture
def there(imap_server, tmp_path, request):
    with world(tmp_path, imap_server, options=getattr(request, "param", {})) as one:
        yield one


@pytest.fixture
def wire(imap_server, proxy_to) -> Proxy:
    return proxy_to(imap_server.host, imap_server.imap_port, keep=True)


@pytest.fixture
def through(imap_server, wire, tmp_path):
    """A world whose engine goes through the proxy; its mail program does not."""
    with world(tmp_path, imap_server, imap4={"server": wire.host, "port": wire.port}) as one:
        yield one


def mode(name: str):
    return pytest.mark.parametrize("there", [{"sync_mode": name}], indirect=True, ids=[name])


def strip(there: World, message: str, folder: str = "INBOX") -> int:
    """What some gateways do: the message comes without the fields it is known by; its UID."""
    where, uid = there.place(message)
    head, _, body = there.mail.read(uid, where).partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(OURS)]
    there.mail.expunge(uid, where)
    return there.mail.append(b"\r\n".join(kept) + b"\r\n\r\n" + body, folder)


def said(caplog, *words: str) -> int:
    return sum(all(word in record.getMessage() for word in words) for record in caplog.records)


# Scope


@mode("voice-mail-folder")
def test_what_arrived_and_was_not_filed_is_said_once_and_counts_there(there: World, caplog):
    message = there.arrived()
    there.move(message, "INBOX")
    with caplog.at_level(logging.INFO, "syncengine"):
        for _ in range(3):
            there.sync_ok()

    assert there.message(message).delivery == "confirmed"
    assert said(caplog, message, "not filed") == 1
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard
    there.expunge(message)
    there.sync_ok()
    assert there.message(message).deleted


@mode("inbox")
def test_what_was_filed_outside_the_scope_is_said_once_and_keeps_its_read_mark(there: World, caplog):
    message = there.arrived()
    there.move(message, "Work")
    with caplog.at_level(logging.INFO, "syncengine"):
        for _ in range(3):
            there.sync_ok()

    assert (there.message(message).delivery, there.message(message).folder) == ("unlinked", "Work")
    assert said(caplog, message, "Work") == 1
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard
    there.move(message, "INBOX")
    there.sync_ok()
    assert there.message(message).delivery == "confirmed"


@mode("inbox")
def test_restored_at_the_phone_while_it_lies_outside_the_scope_puts_no_second_one_there(there: World):
    message = there.arrived()
    there.move(message, "Work")
    there.sync_ok()
    there.box.delete(message)
    there.sync_ok()
    assert there.places(message) == [("Work", 1)]
    there.box.restore(message)
    there.sync_ok()

    assert there.places(message) == [("Work", 1)]
    assert (there.message(message).delivery, there.message(message).deleted) == ("unlinked", False)
    there.quiet()


@mode("inbox")
def test_taken_out_of_the_trash_into_a_folder_outside_the_scope_is_restored_not_given_up(there: World):
    message = there.arrived()
    there.move(message, "Trash")
    there.sync_ok()
    assert there.message(message).deleted
    there.move(message, "Work")
    there.clock.forward(DAY + 60)
    there.sync_ok()

    assert not there.message(message).deleted
    assert there.message(message).delivery == "unlinked"
    there.box.delete(message)
    for _ in range(2):
        there.sync_ok()
    assert there.message(message).deleted
    assert there.places(message) == [("Work", 1)]


def test_junk_is_named_as_the_folder_where_it_is(there: World):
    message = there.arrived()
    there.move(message, "Junk")
    there.sync_ok()

    assert (there.message(message).delivery, there.message(message).folder) == ("unlinked", "Junk")


@pytest.mark.parametrize("there", [{}, {"sync_mode": "voice-mail-folder"}], indirect=True)
def test_a_renamed_folder_that_is_not_subscribed_stays_in_scope(there: World):
    message = there.arrived()
    there.mail.rename(VOICE, "Calls")
    for _ in range(2):
        there.sync_ok()

    assert (there.message(message).delivery, there.message(message).folder) == ("confirmed", "Calls")
    assert VOICE not in there.mail.folders()
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard
    there.quiet()
    there.expunge(message)
    there.sync_ok()
    assert there.message(message).deleted


def test_what_is_not_found_after_its_folder_is_gone_is_unlinked_and_named(there: World):
    message = there.arrived()
    there.mail.delete(VOICE)
    for _ in range(2):
        there.sync_ok()

    shown = there.message(message)
    assert (shown.delivery, shown.deleted, shown.folder) == ("unlinked", False, VOICE)


# A folder that fails


def test_a_folder_that_cannot_be_made_stops_nothing_else(through: World, wire: Proxy):
    message = through.arrived()
    through.move(message, "INBOX")
    through.sync_ok()
    through.mail.delete(VOICE)
    through.flag(message, "\\Seen")
    wire.answer(rb"CREATE ", b"{tag} NO [CANNOT] not here\r\n")
    wire.answer(rb"SUBSCRIBE ", b"{tag} NO [CANNOT] not here\r\n")
    wire.answer(rb'STATUS "Voice', b"{tag} NO [NONEXISTENT] not here\r\n")
    report = through.resync()

    assert through.message(message).heard
    assert any("cannot be created" in problem.what for problem in report.errors), report.errors


def test_a_folder_that_vanished_during_the_pass_stops_nothing_else(through: World, wire: Proxy):
    gone, kept = through.arrived(), through.arrived()
    through.move(gone, "Work")
    through.sync_ok()
    through.box.mark_heard(gone)
    through.flag(kept, "\\Seen")
    wire.answer(rb'(SELECT|EXAMINE) "?Work', b"{tag} NO [NONEXISTENT] gone\r\n")
    report = through.resync()

    assert through.message(kept).heard
    assert not report.ok
    assert not through.message(gone).deleted


# Messages that a gateway stripped


def test_a_mail_whose_fields_a_gateway_stripped_is_marked_deleted_and_restored(there: World):
    there.imap4["search_mode"] = "text"
    there.reopen()
    message = there.arrived()
    uid = strip(there, message)
    there.sync_ok()
    assert there.message(message).folder == "INBOX"
    there.box.mark_heard(message)
    there.sync_ok()
    assert "\\Seen" in there.mail.flags(uid)
    there.box.delete(message)
    there.sync_ok()
    assert there.mail.uids() == []
    assert len(there.mail.uids("Trash")) == 1
    there.sync_ok()
    there.box.restore(message)
    for _ in range(2):
        there.sync_ok()
    assert len(there.mail.uids()) == 1
    assert there.mail.uids("Trash") == []
    there.quiet()


def test_a_stripped_mails_uid_that_holds_another_one_now_is_left_alone(there: World):
    """Nothing is deleted by its UID alone: its own line is read again."""
    there.imap4["search_mode"] = "text"
    there.reopen()
    message = there.arrived()
    strip(there, message)
    there.sync_ok()
    other = there.mail.append(b"From: a@example.org\r\nSubject: hello\r\n\r\nhello\r\n")
    database = there.engine.index.database
    with database.write():
        database.execute("UPDATE sightings SET uid = ? WHERE gone = '' AND uid = ?", [other, other - 1])
    there.box.delete(message)
    there.resync()

    assert other in there.mail.uids()


# The brake


def test_more_that_vanished_meanwhile_are_not_let_through_with_what_was_shown(there: World):
    messages = [there.arrived() for _ in range(12)]
    for message in messages[:6]:
        there.expunge(message)
    assert there.resync().held
    for message in messages[6:8]:
        there.expunge(message)
    report = there.resync(accept_deletes=True)

    assert [there.message(m).deleted for m in messages] == [True] * 6 + [False] * 6
    assert report.held
    assert there.engine.status(NUMBER).held == 2


def test_time_releases_nothing_that_this_pass_could_not_look_for(through: World, wire: Proxy):
    messages = [through.arrived() for _ in range(6)]
    through.mail.create("Work")
    for message in messages:
        through.expunge(message)
    assert through.resync().held
    through.clock.forward(DAY + 60)
    through.mail.append(b"Subject: new\r\n\r\n", "Work")
    fault = wire.answer(rb'SELECT "?Work', b"{tag} NO not now\r\n")
    through.resync()

    assert not any(through.message(m).deleted for m in messages)
    wire.settings.faults.remove(fault)
    through.resync()
    assert all(through.message(m).deleted for m in messages)


def test_what_was_let_through_and_came_back_is_braked_when_it_vanishes_again(there: World):
    messages = [there.arrived() for _ in range(6)]
    raw = [there.mail.read(there.place(m)[1], VOICE) for m in messages]
    for message in messages:
        there.expunge(message)
    assert there.resync().held
    for one in raw:
        there.mail.append(one, VOICE)
    there.resync(accept_deletes=True)
    assert not any(there.message(m).deleted for m in messages)
    there.clock.forward(2 * DAY)
    for message in messages:
        there.expunge(message)
    assert there.resync().held


def test_a_dry_run_shows_what_accepting_would_let_through(there: World):
    messages = [there.arrived() for _ in range(6)]
    for message in messages:
        there.expunge(message)
    assert there.resync().held
    report = there.resync(dry_run=True, accept_deletes=True)

    assert not report.held
    assert {a.message for a in report.actions} == set(messages)
    assert there.engine.status(NUMBER).held == 6


# Clocks, events, and what is not ours


def test_the_undo_window_moves_with_a_clock_that_jumps(imap_server, tmp_path):
    with world(tmp_path, imap_server) as there:
        message = there.arrived()
        there.box.delete(message)
        there.sync_ok()
        there.engine.index.pairs.shift_all_deadlines(7 * DAY)
        there.clock.forward(7 * DAY + 60)
        for _ in range(2):
            there.sync_ok()

        assert there.message(message).deleted
        there.box.restore(message)


def test_adopting_says_what_the_phone_now_has(there: World):
    new, heard = there.arrived(), there.arrived()
    there.box.mark_heard(heard)
    there.sync_ok()
    database = there.engine.index.database
    with database.write():
        for table in ("messages", "pairs", "sightings", "folders", "accounts", "queue"):
            database.execute(f"DELETE FROM {table}")
    events = []
    there.engine.subscribe(events.append)
    there.sync_ok()

    assert MessageNew(NUMBER, new) in events
    assert MessageHeard(NUMBER, heard) in events


@pytest.mark.parametrize("there", [{"file_into_folder": True}], indirect=True)
def test_only_messages_of_this_mailbox_are_filed(there: World):
    there.arrived()
    foreign = "vm-" + "ab" * 16 + "-z"
    uid = there.mail.append(f"X-VM-Message-UUID: {foreign}\r\nFrom: a@example.org\r\n\r\nhello\r\n".encode())
    for _ in range(2):
        there.resync()

    assert there.mail.uids() == [uid]


def test_restored_in_time_is_never_purged(there: World):
    message = there.arrived()
    there.box.delete(message)
    there.sync_ok()
    local = there.engine.store.listing(NUMBER).messages[0]
    there.box.restore(message)

    assert not there.engine.store.purge(local)
    assert there.box.content(message).read_bytes() == wav()


def test_a_mark_left_while_the_holder_lets_go_is_not_overlooked(there: World):
    """Another finds the mailbox taken, after the holder has ended its pass and before it lets go."""
    runner, binding = there.engine._runner, there.engine.binding(NUMBER)
    passes, record, left = there.engine.index.passes, there.engine.index.passes.record, []

    def meanwhile(*args: object) -> None:
        record(*args)
        if not left:
            with pytest.raises(Busy):
                runner.run(binding, Wish())
            left.append(there.deliver())

    passes.record = meanwhile
    there.sync_ok()
    assert there.message(left[0]).delivery == "confirmed"
    assert NUMBER not in passes.dirty()
