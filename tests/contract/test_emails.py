"""E-mails on every real server: listed, heard, deleted and restored both ways; voice mail is none."""

from __future__ import annotations

import pytest

from syncengine.engine.status import Message
from tests.support.world import NUMBER, World, world

pytestmark = pytest.mark.server("dovecot", "greenmail", "cyrus", "courier", "sim-bare")

STRATEGIES = {
    "natural": frozenset(),
    "condstore": frozenset({"QRESYNC"}),
    "plain": frozenset({"QRESYNC", "CONDSTORE", "ESEARCH", "LIST-STATUS", "LIST-EXTENDED", "MOVE"}),
}
ALOUD = {"text_to_speech": True}


def letter(
    subject: str = "Lunch", *, sender: str = "Anna Berg <anna@example.org>", text: str = "At one?"
) -> bytes:
    return (
        f"From: {sender}\r\nTo: me@example.com\r\nSubject: {subject}\r\n"
        f"Date: Tue, 24 Nov 2026 07:15:00 +0000\r\nMessage-ID: <{subject}@example.org>\r\n\r\n{text}\r\n"
    ).encode()


@pytest.fixture(params=STRATEGIES)
def there(request, imap_server, tmp_path):
    if request.param != "natural" and imap_server.name != "dovecot":
        pytest.skip("one server shows the strategies, the others what they offer")
    with world(tmp_path, imap_server, mask=STRATEGIES[request.param], system=ALOUD) as one:
        yield one


def emails(there: World) -> list[Message]:
    return [m for m in there.box.messages() if m.kind == "email"]


def arrived(there: World, *subjects: str) -> list[str]:
    """Mails in INBOX that the index knows; their ids."""
    for subject in subjects:
        there.mail.append(letter(subject))
    there.sync_ok()
    there.quiet()
    known = {m.subject: m.id for m in emails(there)}
    return [known[subject] for subject in subjects]


def uid(there: World, subject: str, folder: str = "INBOX") -> int:
    (found,) = there.mail.find(f"Subject: {subject}", folder)
    return found


def test_mails_are_listed_with_sender_subject_date_and_flags(there: World):
    there.mail.append(letter("Lunch"))
    there.mail.append(letter("Report", sender="=?utf-8?q?J=C3=BCrgen?= <j@example.org>"), "INBOX", "\\Seen")
    voice = there.arrived()
    lunch, report = emails(there)

    assert (lunch.sender, lunch.subject, lunch.heard, lunch.folder) == ("Anna Berg", "Lunch", False, "INBOX")
    assert (report.sender, report.heard, report.deleted, report.pending) == ("Jürgen", True, False, False)
    assert lunch.received.isoformat() == "2026-11-24T07:15:00+00:00"
    assert (lunch.delivery, lunch.duration, lunch.pages) == ("confirmed", None, None)
    assert len({lunch.id, report.id, voice}) == 3
    assert len(lunch.id) == 32
    status = there.engine.status(NUMBER)
    assert (status.new, status.heard, status.state) == (1, 0, "in-step"), "e-mails light no lamp"
    there.quiet()


def test_read_in_the_mail_is_heard_at_the_phone_and_back(there: World):
    (mail,) = arrived(there, "Lunch")
    there.mail.flag(uid(there, "Lunch"), "\\Seen")
    there.sync_ok()
    assert there.message(mail).heard
    there.quiet()

    there.mail.unflag(uid(there, "Lunch"), "\\Seen")
    there.sync_ok()
    assert not there.message(mail).heard
    there.quiet()


def test_heard_at_the_phone_is_read_in_the_mail_and_back(there: World):
    mail, other = arrived(there, "Lunch", "Report")
    there.box.mark_heard(mail)
    assert (there.message(mail).heard, there.message(mail).pending) == (True, True)
    status = there.engine.status(NUMBER)
    assert (status.state, [(p.message, p.what) for p in status.pending]) == (
        "pending",
        [(mail, "mark-heard")],
    )
    dry = there.resync(dry_run=True)
    assert [(a.side, a.verb, a.message) for a in dry.actions] == [("remote", "mark-heard", mail)]
    there.sync_ok()
    assert there.engine.status(NUMBER).state == "in-step"
    assert "\\Seen" in there.mail.flags(uid(there, "Lunch"))
    assert "\\Seen" not in there.mail.flags(uid(there, "Report"))
    assert (there.message(mail).heard, there.message(mail).pending) == (True, False)
    assert not there.message(other).heard
    there.quiet()

    there.box.mark_new(mail)
    there.sync_ok()
    assert "\\Seen" not in there.mail.flags(uid(there, "Lunch"))
    there.quiet()


def test_deleted_at_the_phone_goes_to_trash_and_restored_comes_back_under_the_same_id(there: World):
    mail, other = arrived(there, "Lunch", "Report")
    there.box.delete(mail)
    assert there.message(mail).deleted
    there.sync_ok()
    assert uid(there, "Lunch", "Trash")
    assert there.mail.find("Subject: Lunch") == []
    assert there.message(mail).deleted
    assert not there.message(other).deleted
    there.quiet()

    there.box.restore(mail)
    there.sync_ok()
    assert uid(there, "Lunch")
    assert there.mail.find("Subject: Lunch", "Trash") == []
    there.quiet()
    assert not there.message(mail).deleted
    assert len(emails(there)) == 2


def test_heard_and_then_deleted_before_a_pass_is_both(there: World):
    (mail,) = arrived(there, "Lunch")
    there.box.mark_heard(mail)
    there.box.delete(mail)
    there.sync_ok()

    assert "\\Seen" in there.mail.flags(uid(there, "Lunch", "Trash"), "Trash")
    there.quiet()


def test_deleted_and_restored_before_a_pass_is_nothing(there: World):
    (mail,) = arrived(there, "Lunch")
    there.box.delete(mail)
    there.box.restore(mail)

    there.quiet()
    assert uid(there, "Lunch")


def test_gone_from_trash_cannot_be_restored_and_is_no_error(there: World):
    (mail,) = arrived(there, "Lunch")
    there.box.delete(mail)
    there.sync_ok()
    there.quiet()
    there.mail.expunge(uid(there, "Lunch", "Trash"), "Trash")
    there.box.restore(mail)
    there.sync_ok()

    assert emails(there) == []
    there.quiet()


def test_deleted_in_the_mail_program_leaves_the_index_without_a_word(there: World):
    arrived(there, "Lunch", "Report")
    there.mail.trash(uid(there, "Lunch"))
    there.mail.expunge(uid(there, "Report"))

    report = there.sync_ok()
    assert emails(there) == []
    assert (report.held, report.actions) == (False, ())


def test_everything_deleted_at_once_is_not_braked(there: World):
    arrived(there, *(f"Mail {n}" for n in range(8)))
    for number in range(8):
        there.mail.expunge(uid(there, f"Mail {number}"))

    assert not there.sync_ok().held
    assert emails(there) == []


def test_filed_into_another_folder_it_is_found_there(there: World):
    (mail,) = arrived(there, "Lunch")
    there.mail.ensure("Work")
    there.mail.move(uid(there, "Lunch"), "Work")
    there.sync_ok()

    (moved,) = emails(there)
    assert there.path(moved.folder or "") == "Work"
    assert moved.id != mail
    there.quiet()


def test_marked_deleted_in_the_mail_program_it_is_deleted(there: World):
    (mail,) = arrived(there, "Lunch")
    there.mail.flag(uid(there, "Lunch"), "\\Deleted")
    there.sync_ok()

    assert there.message(mail).deleted
    there.quiet()


def test_voice_messages_are_no_emails_wherever_they_lie(there: World):
    voice = there.arrived()
    there.move(voice, "INBOX")
    there.sync_ok()
    there.quiet()

    assert emails(there) == []
    assert there.ids() == [voice]
