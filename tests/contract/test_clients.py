"""The habits of mail programs, as docs/clients.md tells them: what the phone makes of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.engine.events import LampChanged
from syncengine.model import token_of
from tests.support.simimap.played import start
from tests.support.simimap.profiles import PROFILES
from tests.support.world import World, world

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
BINS = ["Trash", "Deleted Items", "Deleted Messages", "Papierkorb"]

on_these = pytest.mark.server("dovecot", "courier", "sim-condstore")


@pytest.fixture
def there(imap_server, tmp_path):
    with world(tmp_path, imap_server) as one:
        yield one


@on_these
def test_read_is_heard_and_unread_is_new_and_the_lamp_follows(there: World):
    message = there.arrived()
    lit: list[int] = []
    there.engine.subscribe(lambda event: lit.append(event.new) if isinstance(event, LampChanged) else None)
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert (there.message(message).heard, lit) == (True, [0])
    there.unflag(message, "\\Seen")
    there.sync_ok()
    assert (there.message(message).heard, lit) == (False, [0, 1])
    there.quiet()


@on_these
def test_struck_out_now_and_purged_later_is_one_delete(there: World):
    message = there.arrived()
    folder, uid = there.place(message)
    there.flag(message, "\\Deleted")
    there.sync_ok()
    assert there.message(message).deleted

    there.mail.client.select_folder(folder)
    there.mail.client.expunge([uid] if there.mail.client.has_capability("UIDPLUS") else None)
    there.quiet()
    assert there.places(message) == []
    assert there.message(message).deleted


@on_these
def test_the_striking_out_taken_back_restores(there: World):
    message = there.arrived()
    there.flag(message, "\\Seen", "\\Deleted")
    there.sync_ok()
    assert there.message(message).deleted
    there.unflag(message, "\\Deleted")
    there.sync_ok()
    shown = there.message(message)
    assert (shown.deleted, shown.heard) == (False, True)
    there.quiet()


@on_these
@pytest.mark.parametrize("folder", BINS)
def test_moved_to_a_folder_of_deleted_things_by_whatever_name_is_deleted(there: World, folder):
    message = there.arrived()
    there.move(message, folder)
    there.sync_ok()
    assert there.message(message).deleted
    assert there.path(there.place(message)[0]) == folder
    there.quiet()


@on_these
def test_web_mail_moves_to_trash_and_empties_it(there: World):
    kept, message = there.arrived(), there.arrived()
    there.move(message, "Trash")
    there.sync_ok()
    there.expunge(message)
    there.quiet()
    assert there.message(message).deleted
    assert not there.message(kept).deleted


@on_these
def test_web_mail_moves_to_trash_and_empties_it_before_anybody_looks(there: World):
    kept = [there.arrived() for _ in range(4)]
    message = there.arrived()
    there.move(message, "Trash")
    there.expunge(message)
    there.sync_ok()
    assert there.message(message).deleted
    assert not any(there.message(m).deleted for m in kept)


@on_these
def test_what_is_taken_out_of_the_trash_is_restored(there: World):
    message = there.arrived()
    there.move(message, "Deleted Items")
    there.sync_ok()
    there.move(message, "INBOX")
    there.sync_ok()
    assert not there.message(message).deleted
    there.quiet()


@on_these
def test_deleted_without_a_trash_folder_is_deleted_and_many_at_once_are_held(there: World):
    messages = [there.arrived() for _ in range(8)]
    there.expunge(messages[0])
    there.sync_ok()
    assert there.message(messages[0]).deleted

    for message in messages[1:7]:
        there.expunge(message)
    assert there.resync().held
    assert not any(there.message(m).deleted for m in messages[1:])


def reply(mail: bytes, token: str) -> bytes:
    quoted = b"".join(b"> " + line + b"\r\n" for line in mail.split(b"\r\n")[:40])
    fields = f"References: <{token}@pbx.example.com>\r\nIn-Reply-To: <{token}@pbx.example.com>\r\n"
    return b"From: a@b.example\r\nSubject: Re: hm\r\n" + fields.encode() + b"\r\nWell.\r\n" + quoted


def inline(mail: bytes, token: str) -> bytes:
    fields = f"References: <{token}@thread.pbx.example.com>\r\nIn-Reply-To: <{token}@pbx.example.com>\r\n"
    body = mail.partition(b"\r\n\r\n")[2][:2000]
    return b"From: a@b.example\r\nSubject: Fwd: hm\r\n" + fields.encode() + b"\r\n" + body


def attached(mail: bytes, _: str) -> bytes:
    head = b"From: a@b.example\r\nSubject: Fwd\r\nContent-Type: multipart/mixed; boundary=q\r\n"
    return head + b"\r\n--q\r\nContent-Type: message/rfc822\r\n\r\n" + mail + b"\r\n--q--\r\n"


@on_these
@pytest.mark.parametrize("answer", [reply, inline, attached])
def test_a_reply_or_a_forward_is_another_mail(there: World, answer):
    message = there.arrived()
    folder, uid = there.place(message)
    mail = there.mail.read(uid, there.path(folder))
    other = there.mail.append(answer(mail, token_of(message)), "INBOX", "\\Seen")
    there.quiet()
    assert not there.message(message).heard
    there.mail.trash(other)
    there.quiet()
    assert not there.message(message).deleted

    there.mail.append(answer(mail, token_of(message)))
    there.move(message, "Trash")
    there.sync_ok()
    assert there.message(message).deleted, "the answer does not keep it alive"
    there.quiet()


@on_these
@pytest.mark.parametrize("folder", ["Archive", "Work/2026", "Junk"])
def test_filed_archived_or_called_spam_is_no_delete(there: World, folder):
    message = there.arrived()
    parent = folder.partition("/")[0]
    there.mail.ensure(parent)
    there.move(message, folder)
    there.sync_ok()
    there.sync_ok()
    assert not there.message(message).deleted
    there.quiet()


@on_these
def test_all_of_them_to_trash_at_once_is_an_act(there: World):
    messages = [there.arrived() for _ in range(7)]
    for message in messages:
        there.move(message, "Trash")
    report = there.sync_ok()
    assert not report.held
    assert all(there.message(m).deleted for m in messages)


@on_these
def test_a_star_says_nothing(there: World):
    message = there.arrived()
    there.flag(message, "\\Flagged")
    there.quiet()
    assert "\\Flagged" in there.flags(*there.place(message))


def test_archived_in_gmail_is_no_delete(tmp_path):
    """A message is one under several labels: gone from INBOX it is in All Mail only."""
    with start(PROFILES["gmail"]) as server, world(tmp_path, server, options={"sync_mode": "inbox"}) as there:
        message = there.arrived()
        inbox = next(uid for folder, uid in there.places(message) if folder == "INBOX")
        there.mail.client.select_folder("INBOX")
        there.mail.client.add_flags([inbox], ["\\Deleted"])
        there.mail.client.uid_expunge([inbox])
        assert [f for f, _ in there.places(message)] == ["[Gmail]/All Mail"]
        there.sync_ok()
        there.sync_ok()
        assert not there.message(message).deleted


HABITS = {
    "opens the message; *mark as read*": test_read_is_heard_and_unread_is_new_and_the_lamp_follows,
    "*mark as unread*": test_read_is_heard_and_unread_is_new_and_the_lamp_follows,
    "deletes: the program only strikes it out": test_struck_out_now_and_purged_later_is_one_delete,
    "takes the striking-out back": test_the_striking_out_taken_back_restores,
    "deletes: the program moves it": test_moved_to_a_folder_of_deleted_things_by_whatever_name_is_deleted,
    "deletes in web mail, then empties": test_web_mail_moves_to_trash_and_empties_it,
    "takes it out of the trash": test_what_is_taken_out_of_the_trash_is_restored,
    "deletes with Shift": test_deleted_without_a_trash_folder_is_deleted_and_many_at_once_are_held,
    "files it in another folder": test_filed_archived_or_called_spam_is_no_delete,
    "archives it": test_archived_in_gmail_is_no_delete,
    "calls it spam": test_filed_archived_or_called_spam_is_no_delete,
    "replies, or forwards it": test_a_reply_or_a_forward_is_another_mail,
    "sends all voice messages to Trash": test_all_of_them_to_trash_at_once_is_an_act,
    "flags it": test_a_star_says_nothing,
}
"""The habits of the page, and what shows each."""


def test_every_habit_of_the_page_is_shown():
    page = PAGE.read_text(encoding="utf-8").partition("## Habits")[2]
    told = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("|")][2:]
    assert len(told) == len(HABITS)
    assert all(row.startswith(habit) for row, habit in zip(told, HABITS, strict=True))


def test_every_row_of_the_manuals_table_is_told():
    page = PAGE.read_text(encoding="utf-8")
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| O") or "| other" in line]
    told = {tuple(cell.strip() for cell in row) for row in rows}
    heirs = "Outlook Express (and its heirs)"
    assert told == {
        ("Outlook, POP3", "synch no, forms yes", "N/A"),
        ("Outlook, IMAP4", "N/A", "synch yes, forms yes"),
        (f"{heirs}, POP3", "synch no, forms no", "N/A"),
        (f"{heirs}, IMAP4", "synch no, forms no", "synch yes, forms no"),
        ("other than Outlook", "synch no, forms no", "synch yes, forms no"),
    }
