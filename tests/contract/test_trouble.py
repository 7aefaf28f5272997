"""Where things go wrong: nothing lost, nothing deleted without evidence, said in one line."""

from __future__ import annotations

import email

import pytest

from syncengine.engine.events import Held, Unconfirmed
from syncengine.model import token_of
from tests.support.world import World, world

pytestmark = pytest.mark.server("dovecot")


@pytest.fixture
def there(imap_server, tmp_path):
    with world(tmp_path, imap_server) as one:
        yield one


def test_a_folder_recreated_with_a_new_uidvalidity_loses_nothing(there: World):
    messages = [there.arrived() for _ in range(4)]
    raw = [there.mail.read(uid, "Voice Mail Messages") for uid in there.mail.uids("Voice Mail Messages")]
    there.mail.delete("Voice Mail Messages")
    there.mail.create("Voice Mail Messages")
    for message in reversed(raw):
        there.mail.append(message, "Voice Mail Messages")
    there.sync_ok()

    assert [there.message(m).deleted for m in messages] == [False] * 4
    there.quiet()
    there.flag(messages[0], "\\Seen")
    there.sync_ok()
    assert there.message(messages[0]).heard


def test_a_folder_that_is_gone_makes_its_messages_unlinked_not_deleted(there: World):
    messages = [there.arrived() for _ in range(4)]
    there.mail.delete("Voice Mail Messages")
    there.sync_ok()

    assert {there.message(m).deleted for m in messages} == {False}
    there.sync_ok()
    assert {there.message(m).deleted for m in messages} == {False}


def test_a_renamed_folder_stays_in_scope_and_none_is_made_anew(there: World):
    message = there.arrived()
    there.mail.rename("Voice Mail Messages", "Calls")
    there.mail.client.subscribe_folder("Calls")
    there.sync_ok()

    assert there.message(message).folder == "Calls"
    assert "Voice Mail Messages" not in there.mail.folders()
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard


def test_too_many_disappearances_are_held_and_accepted_as_shown(there: World):
    held = []
    there.engine.subscribe(lambda e: held.append(e) if isinstance(e, Held) else None)
    messages = [there.arrived() for _ in range(8)]
    for message in messages[:6]:
        there.expunge(message)
    report = there.sync_ok()
    assert report.held
    assert {there.message(m).deleted for m in messages} == {False}
    assert there.engine.status("101").state == "held"
    assert held[0].count == 6

    report = there.sync_ok(accept_deletes=True)
    assert not report.held
    assert [there.message(m).deleted for m in messages] == [True] * 6 + [False] * 2
    there.quiet()


def test_held_deletes_go_through_by_themselves_after_a_day_of_looks(there: World):
    messages = [there.arrived() for _ in range(3)]
    for message in messages:
        there.expunge(message)
    assert there.sync_ok().held
    there.clock.forward(23 * 3600)
    assert there.sync_ok().held
    there.clock.forward(3600)
    assert not there.sync_ok().held
    assert {there.message(m).deleted for m in messages} == {True}


def test_a_held_message_that_shows_up_again_is_kept(there: World):
    messages = [there.arrived() for _ in range(3)]
    raw = there.mail.read(there.place(messages[0])[1], "Voice Mail Messages")
    for message in messages:
        there.expunge(message)
    assert there.sync_ok().held
    there.mail.append(raw, "INBOX")
    there.sync_ok(accept_deletes=True)
    assert not there.message(messages[0]).deleted


def test_emptying_the_mailbox_into_trash_is_not_braked(there: World):
    messages = [there.arrived() for _ in range(8)]
    for message in messages:
        there.move(message, "Trash")
    report = there.sync_ok()

    assert not report.held
    assert {there.message(m).deleted for m in messages} == {True}


def forwarded(raw: bytes, how: str) -> bytes:
    original = email.message_from_bytes(raw)
    token = original["X-VM-Message-UUID"]
    head = (
        "From: petera@example.com\r\nTo: x@example.com\r\nSubject: Fwd\r\nMessage-ID: <other@example.com>\r\n"
    )
    if how == "quoted":
        return (
            head + f"In-Reply-To: {original['Message-ID']}\r\nReferences: {original['References']}\r\n"
            f"\r\n> Ref: {token}\r\n"
        ).encode()
    if how == "attached":
        return (head + "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n").encode() + raw
    return raw.replace(b"X-VM-Mailbox: mb-101-z", b"X-VM-Mailbox: mb-202-z")


@pytest.mark.parametrize("how", ["quoted", "attached", "of another mailbox"])
def test_replies_forwards_and_copies_of_another_mailbox_are_never_ours(there: World, how):
    message = there.arrived()
    raw = there.mail.read(there.place(message)[1], "Voice Mail Messages")
    there.mail.append(forwarded(raw, how), "INBOX", "\\Seen")
    there.quiet()
    assert not there.message(message).heard

    there.mail.move(there.mail.uids("INBOX")[0], "Trash")
    there.quiet()
    assert not there.message(message).deleted


def test_the_copy_in_sent_is_no_sighting(there: World):
    message = there.arrived()
    raw = there.mail.read(there.place(message)[1], "Voice Mail Messages")
    sent = there.mail.append(raw, "Sent", "\\Seen")
    there.quiet()
    assert not there.message(message).heard

    folder, uid = next(p for p in there.places(message) if p[0] != "Sent")
    there.mail.expunge(uid, folder=folder)
    there.sync_ok()
    assert there.message(message).deleted
    assert there.mail.uids("Sent") == [sent]


def test_a_copy_in_the_same_folder_is_reduced_to_the_lowest_uid(there: World):
    message = there.arrived()
    folder, uid = there.place(message)
    there.mail.append(there.mail.read(uid, folder), folder)
    there.sync_ok()

    assert there.mail.uids(folder) == [uid]
    assert not there.message(message).deleted
    there.quiet()


def test_a_dry_run_writes_nothing_and_says_what_it_would_do(there: World):
    message = there.arrived()
    there.deliver()
    there.flag(message, "\\Seen")
    before = there.engine.index.database.data_version
    files = {p: p.read_bytes() for p in there.folder.rglob("*") if p.is_file() and "index" not in p.name}
    report = there.sync_ok(dry_run=True)

    assert {(a.side, a.verb) for a in report.actions} == {("local", "mark-heard"), ("remote", "append")}
    assert there.engine.index.database.data_version == before
    assert {p: p.read_bytes() for p in files} == files
    assert not there.message(message).heard


def test_what_is_deleted_before_it_was_sent_is_never_sent(there: World):
    message = there.deliver()
    there.box.delete(message)
    there.sync_ok()

    assert there.places(message) == []
    there.quiet()


def test_a_lost_index_finds_its_messages_again_and_sends_none_twice(there: World):
    messages = [there.arrived() for _ in range(3)]
    there.flag(messages[0], "\\Seen")
    there.engine.close()
    for file in (there.folder / "state").glob("index*"):
        file.unlink()
    there.open()
    there.sync_ok()

    assert sorted(there.ids()) == sorted(messages)
    assert all(len(there.places(m)) == 1 for m in messages)
    assert there.message(messages[0]).heard
    there.quiet()


def test_a_lost_index_brings_back_nothing_that_was_deleted_and_it_can_still_be_restored(there: World):
    in_the_mail, at_the_phone, restored = [there.arrived() for _ in range(3)]
    there.expunge(in_the_mail)
    there.box.delete(restored)
    there.sync_ok()
    there.box.restore(restored)
    there.box.delete(at_the_phone)
    there.sync_ok()
    there.engine.close()
    for file in (there.folder / "state").glob("index*"):
        file.unlink()
    there.open()
    there.sync_ok()

    assert [there.message(m).deleted for m in (in_the_mail, at_the_phone, restored)] == [True, True, False]
    assert there.places(in_the_mail) == []
    assert [folder for folder, _ in there.places(at_the_phone)] == ["Trash"]
    there.quiet()
    there.box.restore(in_the_mail)
    there.sync_ok()
    there.sync_ok()
    assert len(there.places(in_the_mail)) == 1
    assert not there.message(in_the_mail).deleted


def test_a_lost_store_is_adopted_from_the_mail(there: World):
    message = there.arrived(caller_name="Zoë", urgent=True)
    before = there.message(message)
    there.engine.close()
    for file in (there.folder / "state").rglob("*"):
        if file.is_file():
            file.unlink()
    there.open()
    there.sync_ok()

    after = there.message(message)
    assert (after.sender, after.urgent, after.received) == (before.sender, before.urgent, before.received)
    assert after.delivery == "confirmed"
    there.quiet()


def test_what_another_installation_sent_is_not_adopted_and_said_once(there: World):
    message = there.arrived()
    there.engine.close()
    for file in [*(there.folder / "state").rglob("*"), *there.folder.glob("*.key")]:
        if file.is_file():
            file.unlink()
    there.open()
    report = there.resync()

    assert there.ids() == []
    assert "key" in report.errors[0].what
    assert there.places(message) != []
    there.quiet()


def test_a_store_that_is_not_mounted_makes_the_pass_do_nothing(there: World):
    message = there.arrived()
    voice = there.folder / "state" / "voice"
    voice.rename(there.folder / "elsewhere")
    there.flag(message, "\\Seen")
    report = there.resync()

    assert not report.ok
    assert report.actions == ()
    (there.folder / "elsewhere").rename(voice)
    there.sync_ok()
    assert there.message(message).heard


def test_a_wrong_password_is_one_clear_line_and_nothing_is_lost(there: World):
    message = there.deliver()
    there.imap4["password"] = "wrong"
    there.reopen()
    report = there.resync()
    assert not report.ok
    assert len(report.errors) == 1
    assert "wrong" not in report.errors[0].what

    there.imap4.clear()
    there.reopen()
    there.sync_ok()
    assert there.message(message).delivery == "confirmed"


def test_an_unconfirmed_delete_is_pending_until_the_deadline_and_tried_again_after(there: World):
    said = []
    there.engine.subscribe(lambda e: said.append(e) if isinstance(e, Unconfirmed) else None)
    message = there.arrived()
    token = token_of(message)
    account = there.engine.binding("101").account(there.engine.index)
    there.engine.index.pairs.set_pending(account.id, {token: "delete"}, there.clock(), 1200)
    assert there.engine.index.pairs.pending(account.id)[0].deadline == there.clock() + 1200


def test_content_is_given_up_after_the_undo_window_only_if_nothing_is_live(there: World):
    gone, back = there.arrived(), there.arrived()
    for message in (gone, back):
        there.box.delete(message)
    there.sync_ok()
    raw = there.mail.read(there.place(back)[1], "Trash")
    there.clock.forward(25 * 3600)
    there.mail.expunge(there.place(back)[1], "Trash")
    there.mail.append(raw, "INBOX")
    there.sync_ok()

    assert gone not in there.ids()
    assert not there.message(back).deleted
    there.quiet()


def test_the_account_changed_infers_nothing(there: World, imap_server):
    message = there.arrived()
    other = imap_server.new_user()
    there.imap4 |= {"account": other.user, "password": other.password}
    there.reopen()
    there.sync_ok()
    assert not there.message(message).deleted

    there.imap4.clear()
    there.reopen()
    there.quiet()
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard


@pytest.mark.parametrize("mode", ["inbox", "voice-mail-folder", "all-folders"])
def test_a_changed_sync_mode_deletes_nothing(there: World, mode):
    message = there.arrived()
    there.options["sync_mode"] = mode
    there.sync["out_of_scope"] = "erase"
    there.reopen()
    there.sync_ok()

    assert not there.message(message).deleted
    there.quiet()


def test_filed_outside_the_scope_is_unlinked_and_comes_back_linked(there: World):
    there.options["sync_mode"] = "voice-mail-folder"
    there.reopen()
    message = there.arrived()
    there.move(message, "Elsewhere")
    there.sync_ok()
    assert there.message(message).delivery == "unlinked"
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard

    there.expunge(message)
    there.sync_ok()
    assert not there.message(message).deleted
    there.quiet()


def test_filed_outside_the_scope_is_erased_where_the_operator_wants_that(there: World):
    there.options["sync_mode"] = "voice-mail-folder"
    there.sync["out_of_scope"] = "erase"
    there.reopen()
    message = there.arrived()
    there.move(message, "Elsewhere")
    there.sync_ok()

    assert there.message(message).deleted
    there.quiet()


def test_deleted_before_it_was_sent_and_restored_is_sent_after_all(there: World):
    message = there.deliver()
    there.box.delete(message)
    there.sync_ok()
    there.box.restore(message)
    there.sync_ok()

    assert there.message(message).delivery == "confirmed"
    there.quiet()


def test_a_dry_run_looks_too_and_says_that_it_would_hold(there: World):
    messages = [there.arrived() for _ in range(3)]
    for message in messages:
        there.expunge(message)
    there.clock.forward(3600)

    assert there.sync_ok(dry_run=True).held
    assert there.engine.status("101").held == 0


def test_without_uidplus_a_delete_is_no_failure_and_is_said_once(imap_server, tmp_path):
    with world(tmp_path, imap_server, mask=frozenset({"UIDPLUS", "MOVE"})) as there:
        message = there.arrived()
        folder, uid = there.place(message)
        there.box.delete(message)
        report = there.resync()

        assert report.ok, "nothing of it is tried again"
        assert [problem.what.count("no UIDPLUS") for problem in report.errors] == [1]
        assert "\\Deleted" in there.flags(folder, uid)
        assert len(there.mail.uids("Trash")) == 1
        there.quiet()
