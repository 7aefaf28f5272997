"""The main job on every real server: what happens on one side is told on the other."""

from __future__ import annotations

import pytest

from tests.support.world import World, world

STRATEGIES = {
    "qresync": frozenset(),
    "condstore": frozenset({"QRESYNC"}),
    "plain": frozenset({"QRESYNC", "CONDSTORE", "ESEARCH", "LIST-STATUS", "LIST-EXTENDED", "MOVE"}),
}


@pytest.fixture(params=STRATEGIES)
def there(request, imap_server, tmp_path):
    if request.param != "plain" and not imap_server.capable(request.param.upper()):
        pytest.skip(f"{imap_server.name} has no {request.param}")
    with world(tmp_path, imap_server, mask=STRATEGIES[request.param]) as one:
        yield one


def test_a_voice_message_arrives_unread_and_a_second_pass_plans_nothing(there: World):
    message = there.arrived()

    assert there.path(there.place(message)[0]) == "Voice Mail Messages"
    assert not there.seen(message)
    there.quiet()


def test_read_in_the_mail_is_heard_at_the_phone_and_back(there: World):
    message = there.arrived()
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard
    there.quiet()

    there.unflag(message, "\\Seen")
    there.sync_ok()
    assert not there.message(message).heard
    there.quiet()


def test_heard_at_the_phone_is_read_in_the_mail_and_back(there: World):
    message = there.arrived()
    there.box.mark_heard(message)
    there.sync_ok()
    assert there.seen(message)
    there.quiet()

    there.box.mark_new(message)
    there.sync_ok()
    assert not there.seen(message)
    there.quiet()


def test_deleted_at_the_phone_goes_to_trash_and_restored_comes_back(there: World):
    message = there.arrived()
    there.box.delete(message)
    there.sync_ok()
    assert there.path(there.place(message)[0]) == "Trash"
    there.quiet()

    there.box.restore(message)
    there.sync_ok()
    assert there.path(there.place(message)[0]) == "Voice Mail Messages"
    assert not there.message(message).deleted
    there.quiet()


def test_moved_to_trash_in_the_mail_is_deleted_at_the_phone_undoably(there: World):
    message = there.arrived()
    there.move(message, "Trash")
    there.sync_ok()
    assert there.message(message).deleted
    there.quiet()

    there.box.restore(message)
    there.sync_ok()
    assert there.path(there.place(message)[0]) == "Voice Mail Messages"
    there.quiet()


def test_taken_out_of_trash_in_the_mail_is_restored_at_the_phone(there: World):
    message = there.arrived()
    there.move(message, "Trash")
    there.sync_ok()
    there.move(message, "INBOX")
    there.sync_ok()

    assert not there.message(message).deleted
    there.quiet()


def test_expunged_in_the_mail_is_deleted_at_the_phone_after_a_sound_look(there: World):
    message = there.arrived()
    there.expunge(message)
    there.sync_ok()

    assert there.message(message).deleted
    there.quiet()


def test_moved_to_another_folder_stays_in_step(there: World):
    message = there.arrived()
    there.move(message, "Work")
    there.sync_ok()
    assert not there.message(message).deleted
    there.quiet()

    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard
    there.box.delete(message)
    there.sync_ok()
    assert there.path(there.place(message)[0]) == "Trash"
    there.quiet()


def test_expunged_in_the_mail_and_restored_at_the_phone_is_put_back(there: World):
    message = there.arrived()
    there.expunge(message)
    there.sync_ok()
    there.box.restore(message)
    there.sync_ok()

    assert there.path(there.place(message)[0]) == "Voice Mail Messages"
    there.quiet()


def test_the_deleted_flag_alone_is_a_delete(there: World):
    message = there.arrived()
    there.flag(message, "\\Deleted")
    there.sync_ok()

    assert there.message(message).deleted
    there.quiet()
