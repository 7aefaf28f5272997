"""A message that comes back is undeliverable with its reason; a forged report changes nothing."""

from __future__ import annotations

import pytest

from syncengine.model import token_of
from tests.support.bounce import bounce
from tests.support.scripted_smtp import scripted
from tests.support.sending import failures, row, sending
from tests.support.world import World

ADDRESS = "synced@example.com"
OPTIONS = {"email_name": ADDRESS, "copies": ["copy@example.com"]}


@pytest.fixture
def out():
    with scripted({"EHLO": "250-mail.example\r\n250 DSN"}) as server:
        yield server


@pytest.fixture
def there(dovecot, out, tmp_path):
    with sending(tmp_path, dovecot, out, options=OPTIONS) as one:
        yield one


@pytest.fixture
def message(there: World) -> str:
    sent = there.deliver()
    there.sync_ok()
    return sent


def test_the_token_is_the_envelope_id_and_what_comes_back_under_it_is_undeliverable(there, out, message):
    mail = next(c for c in out.session().commands if c.startswith("MAIL"))
    envelope = mail.split("ENVID=")[1]
    assert envelope == token_of(message)

    said = failures(there)
    there.mail.append(bounce(envelope, ADDRESS))
    there.sync_ok()
    shown = there.message(message)
    assert (shown.delivery, shown.heard, shown.error) == ("undeliverable", False, "5.1.1 550 no such user")
    assert [(e.message, e.reason) for e in said] == [(message, "5.1.1 550 no such user")]
    assert there.engine.status("101").pending == ()
    assert there.engine.status("101").new == 1
    there.clock.forward(100_000)
    there.quiet()
    assert len(out.sessions) == 1


def test_what_came_back_may_still_arrive_by_another_way(there, out, message):
    there.mail.append(bounce(token_of(message), ADDRESS))
    there.sync_ok()
    there.mail.append(out.session().body)
    there.sync_ok()
    assert there.message(message).delivery == "confirmed"
    there.quiet()


def test_a_forged_report_about_a_confirmed_message_changes_nothing(there, out, message):
    there.mail.append(out.session().body)
    there.sync_ok()
    there.mail.append(bounce(token_of(message), ADDRESS))
    there.quiet()
    assert there.message(message).delivery == "confirmed"


@pytest.mark.parametrize(
    "envelope",
    [token_of("0" * 32), "vm-nothing-z", "", "x" * 5000, token_of("f" * 32) + "x", "=?utf-8?q?=0D?="],
)
def test_a_report_about_no_message_of_ours_changes_nothing(there, out, message, envelope):
    there.mail.append(bounce(envelope, ADDRESS))
    there.quiet()
    assert there.message(message).delivery == "sent"


def test_a_delay_is_no_failure(there, out, message):
    there.mail.append(bounce(token_of(message), ADDRESS, action="delayed"))
    there.quiet()
    assert there.message(message).delivery == "sent"


def test_a_copy_that_comes_back_does_not_touch_the_message(there, out, message):
    there.mail.append(bounce(token_of(message), "Copy@Example.com"))
    there.quiet()
    assert there.message(message).delivery == "sent"


def test_a_report_out_of_scope_is_not_read(dovecot, out, tmp_path):
    with sending(tmp_path, dovecot, out, options=OPTIONS | {"sync_mode": "inbox"}) as there:
        message = there.deliver()
        there.sync_ok()
        there.mail.ensure("Work")
        there.mail.append(bounce(token_of(message), ADDRESS), "Work")
        there.quiet()
        assert row(there, message).state == "sent"


def test_a_report_is_read_once_however_often_the_folder_is(there, out, message):
    there.mail.append(bounce(token_of("0" * 32), ADDRESS))
    there.sync_ok()
    account = there.engine.binding("101").account(there.engine.index).id
    assert there.engine.index.reports.unread(account, 10) == ()
    there.sync_ok(full=True)
    assert there.engine.index.reports.unread(account, 10) == ()


def test_whatever_calls_itself_a_report_crashes_nothing(there, out, message):
    good = bounce(token_of(message), ADDRESS, action="delayed")
    for bad in (good[:700], good.replace(b"message/delivery-status", b"text/plain"), good + b"\0" * 100_000):
        there.mail.append(bad)
    there.mail.append(good.replace(b"Action: delayed", b"Action: fai\xff\xfe\r\n led"))
    there.quiet()
    assert there.message(message).delivery == "sent"
