"""Sending by SMTP end to end: a real account behind a real server, and servers that fail in every way."""

from __future__ import annotations

import email
import email.policy

import pytest

from syncengine.model import token_of
from tests.support.scripted_smtp import Does, scripted
from tests.support.sending import failures, row, sending, through
from tests.support.world import World, wav

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture
def there(dovecot, dovecot_smtp, tmp_path):
    with sending(tmp_path, dovecot, dovecot_smtp) as one:
        yield one


@pytest.fixture
def arrives(dovecot, dovecot_smtp, tmp_path):
    """Makes worlds whose mail arrives: ``arrives(sync_mode=...)``."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(sending(tmp_path, dovecot, dovecot_smtp, options=options))


def sent(there: World, **how: object) -> str:
    message = there.deliver(**how)
    report = there.sync_ok()
    assert [(a.side, a.verb) for a in report.actions][-1] == ("remote", "send")
    assert there.message(message).delivery == "sent"
    return message


# From the phone to the account and back


def test_a_message_is_queued_sent_and_confirmed_only_when_it_is_seen(there: World):
    message = there.deliver()
    assert there.message(message).delivery == "queued"

    there.sync_ok()
    shown = there.message(message)
    assert (shown.delivery, shown.folder, shown.heard) == ("sent", None, False)
    (item,) = there.engine.status("101").pending
    assert (item.message, item.what) == (message, "send")

    there.sync_ok()
    shown = there.message(message)
    assert (shown.delivery, shown.folder, shown.heard) == ("confirmed", "INBOX", False)
    assert there.engine.status("101").state == "in-step"
    there.quiet()


@pytest.mark.parametrize("sync_mode", ["all-folders", "inbox", "voice-mail-folder"])
def test_read_and_deleted_travel_both_ways(arrives, sync_mode):
    there = arrives(sync_mode=sync_mode)
    first, second = sent(there), sent(there)
    there.sync_ok()

    there.flag(first, "\\Seen")
    there.box.mark_heard(second)
    there.sync_ok()
    assert there.message(first).heard
    assert there.seen(second)

    there.move(first, "Trash")
    there.box.delete(second)
    there.sync_ok()
    assert there.message(first).deleted
    assert there.place(second)[0] == "Trash"
    there.quiet()


@pytest.mark.parametrize("sync_mode", ["all-folders", "voice-mail-folder"])
def test_what_arrives_is_filed_into_the_folder_where_asked_for(arrives, sync_mode):
    there = arrives(sync_mode=sync_mode, file_into_folder=True)
    message = sent(there)
    there.sync_ok()

    assert there.place(message)[0] == "Voice Mail Messages"
    there.flag(message, "\\Seen")
    there.sync_ok()
    assert there.message(message).heard
    assert there.message(message).folder == "Voice Mail Messages"
    there.quiet()


def test_a_rule_of_the_subscribers_own_files_it_and_nothing_is_lost(arrives):
    there = arrives(sync_mode="voice-mail-folder")
    message = sent(there)
    there.sync_ok()
    shown = there.message(message)
    assert (shown.delivery, shown.error) == (
        "confirmed",
        "arrived in INBOX, not filed into Voice Mail Messages",
    )
    there.move(message, "Voice Mail Messages")
    there.sync_ok()
    assert (there.message(message).delivery, there.message(message).error) == ("confirmed", None)
    there.expunge(message)
    there.sync_ok()
    assert there.message(message).deleted
    there.quiet()


def test_heard_and_deleted_before_it_is_seen_are_applied_when_it_is(there: World):
    heard, deleted = sent(there), sent(there)
    there.box.mark_heard(heard)
    there.box.delete(deleted)
    there.sync_ok()

    assert there.seen(heard)
    assert there.place(deleted)[0] == "Trash"
    there.quiet()


def test_deleted_before_it_was_sent_it_is_not_sent_unless_restored(there: World, dovecot_smtp):
    message = there.deliver()
    there.box.delete(message)
    there.sync_ok()
    assert dovecot_smtp.delivered == []

    there.box.restore(message)
    there.sync_ok()
    there.sync_ok()
    assert there.message(message).delivery == "confirmed"
    assert len(dovecot_smtp.delivered) == 1


@pytest.mark.parametrize("sync_mode", ["all-folders", "none"])
def test_what_was_given_up_leaves_the_queue_with_its_content(arrives, sync_mode):
    there = arrives(sync_mode=sync_mode)
    message, kept = there.deliver(), there.deliver()
    there.box.delete(message)
    there.sync_ok()
    assert row(there, message).state == "cancelled"

    there.clock.forward(DAY + HOUR)
    there.sync_ok()
    assert [r.token for r in there.engine.index.queue.rows("101")] == [token_of(kept)]


def test_what_was_sent_and_deleted_is_forgotten_with_its_tombstone(there: World):
    message = sent(there)
    there.sync_ok()
    there.box.delete(message)
    there.sync_ok()
    there.expunge(message)
    there.sync_ok()
    there.clock.forward(2 * DAY)
    there.sync_ok()
    assert row(there, message).state == "sent", "a late copy must not be taken for a new message"
    there.clock.forward(30 * DAY)
    there.sync_ok()
    assert there.engine.index.queue.rows("101") == ()


def test_urgent_and_private_stand_in_the_mail(there: World):
    message = sent(there, urgent=True, private=True)
    there.sync_ok()
    header = there.mail.header(there.place(message)[1]).decode()

    assert "Importance: high" in header
    assert "Sensitivity: private" in header


NAMES = ["Peter Adams", "", "Jürgen\r\nBcc: a@b.example", "=?utf-8?q?x?=", "\u202eab" * 200]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", ["+12035550117", ""])
def test_the_list_shows_the_subject_of_the_mail(dovecot, tmp_path, name, number):
    with scripted() as server, sending(tmp_path, dovecot, server, options={"sync_mode": "none"}) as there:
        message = there.deliver(caller_name=name, caller_number=number)
        there.sync_ok()
        mail = email.message_from_bytes(server.session().body, policy=email.policy.default)
        assert mail["Subject"] == there.message(message).subject
        assert mail["Bcc"] is None


@pytest.mark.parametrize("timer", ["20m", "0"])
def test_a_sent_message_that_never_shows_up_is_unconfirmed_and_still_confirmed_when_it_does(
    dovecot, tmp_path, timer
):
    system = {"sync_pending_timer": timer}
    with scripted() as server, sending(tmp_path, dovecot, server, system=system) as there:
        message = sent(there)
        there.clock.forward(1300)
        there.sync_ok()
        assert there.message(message).delivery == ("sent" if timer == "0" else "unconfirmed")
        assert len(server.sessions) == 1, "success is not repeated"

        there.mail.append(server.session().body)
        there.sync_ok()
        assert there.message(message).delivery == "confirmed"


def test_what_is_unconfirmed_is_looked_for_in_every_folder_once_and_then_rarely(dovecot, tmp_path):
    with scripted() as server, sending(tmp_path, dovecot, server) as there:
        for number in range(8):
            there.mail.ensure(f"Folder {number}")
        message = sent(there)
        usual = there.sync_ok().traffic.round_trips
        there.clock.forward(1300)
        wide = there.sync_ok().traffic.round_trips
        assert there.message(message).delivery == "unconfirmed"
        assert wide > usual + 10

        there.mail.ensure("Junk")
        there.mail.append(server.session().body, "Junk")
        for _ in range(3):
            there.clock.forward(300)
            assert there.sync_ok().traffic.round_trips <= usual
        assert there.message(message).delivery == "unconfirmed", "nobody looked into Junk yet"
        there.clock.forward(HOUR)
        there.sync_ok()
        assert there.message(message).folder == "Junk"
        assert there.engine.status("101").pending == ()


# One address and its copies


COPIES = {"copies": ["copy@example.com", "other@example.com"]}


def rcpts(session) -> list[str]:
    return [c.split("<")[1].split(">")[0] for c in session.commands if c.startswith("RCPT")]


def test_a_deferred_copy_neither_holds_up_nor_repeats_the_synced_address(dovecot, tmp_path):
    script = {"RCPT": ["250 ok", "450 later", "550 never", "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server, options=COPIES) as there:
        message = there.deliver()
        report = there.resync()
        assert [a.verb for a in report.actions][-1] == "send"
        assert sorted(e.what.split(":")[0] for e in report.errors) == [
            "copy to copy@example.com",
            "copy to other@example.com",
        ]
        assert there.message(message).delivery == "sent"
        there.mail.append(server.session().body)
        there.sync_ok()
        assert there.message(message).delivery == "confirmed"

        there.clock.forward(2 * HOUR)
        there.sync_ok()
        assert rcpts(server.session(1)) == ["copy@example.com"]
        there.clock.forward(2 * HOUR)
        there.quiet()
        assert len(server.sessions) == 2
        assert there.message(message).delivery == "confirmed"


def test_a_deferred_synced_address_is_tried_alone(dovecot, tmp_path):
    script = {"RCPT": ["450 later", "250 ok", "250 ok", "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server, options=COPIES) as there:
        message = there.deliver()
        there.resync()
        assert there.message(message).delivery == "queued"
        assert row(there, message).last_reply == "450 later"

        there.clock.forward(2 * HOUR)
        there.sync_ok()
        (address,) = rcpts(server.session(1))
        assert address.startswith("u0")
        assert there.message(message).delivery == "sent"


def test_a_message_seen_after_a_lost_reply_was_taken_for_its_copies_too(dovecot, tmp_path):
    script = {"END": [Does.CLOSE, "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server, options=COPIES) as there:
        message = there.deliver()
        there.resync()
        there.mail.append(server.session().body)
        there.sync_ok()
        there.clock.forward(2 * HOUR)
        there.sync_ok()
        assert there.message(message).delivery == "confirmed"
        assert len(server.sessions) == 1


def test_with_append_the_copies_alone_go_by_smtp(dovecot, tmp_path):
    options = COPIES | {"delivery": "append"}
    script = {"RCPT": ["250 ok", "450 later", "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server, options=options) as there:
        message = there.deliver()
        report = there.resync()
        assert [e.what.split(":")[0] for e in report.errors] == ["copy to other@example.com"]
        assert there.message(message).delivery == "confirmed"
        assert rcpts(server.session()) == COPIES["copies"]
        assert there.place(message)[0] == "Voice Mail Messages"

        there.clock.forward(2 * HOUR)
        there.sync_ok()
        assert rcpts(server.session(1)) == ["other@example.com"]
        there.quiet()


def test_copies_get_nothing_again_when_a_message_is_put_back(dovecot, tmp_path):
    options = COPIES | {"delivery": "append"}
    with scripted() as server, sending(tmp_path, dovecot, server, options=options) as there:
        message = there.deliver()
        there.sync_ok()
        there.box.delete(message)
        there.sync_ok()
        there.expunge(message)
        there.sync_ok()
        there.box.restore(message)
        there.sync_ok()
        there.sync_ok()
        assert there.message(message).delivery == "confirmed"
        assert len(server.sessions) == 1


@pytest.mark.parametrize("delivery", ["smtp", "append"])
def test_copies_get_nothing_again_when_the_index_is_lost(dovecot, tmp_path, delivery):
    options = COPIES | {"delivery": delivery}
    with scripted() as server, sending(tmp_path, dovecot, server, options=options) as there:
        message = there.deliver()
        there.sync_ok()
        if delivery == "smtp":
            there.mail.append(server.session().body)
            there.sync_ok()
        there.engine.close()
        for part in (there.folder / "state").glob("index.sqlite*"):
            part.unlink()
        there.open()
        there.sync_ok()
        there.quiet()
        assert there.message(message).delivery == "confirmed"
        assert len(server.sessions) == 1


# In doubt


def test_a_lost_reply_that_was_a_yes_is_recognised_and_not_repeated(dovecot, tmp_path):
    with scripted({"END": Does.CLOSE}) as server, sending(tmp_path, dovecot, server) as there:
        message = there.deliver()
        report = there.resync()
        assert "nobody knows" in report.errors[0].what
        assert (row(there, message).state, there.message(message).delivery) == ("in-doubt", "sent")

        there.mail.append(server.session().body)
        there.sync_ok()
        assert there.message(message).delivery == "confirmed"
        assert row(there, message).state == "sent"
        there.clock.forward(DAY)
        there.sync_ok()
        assert len(server.sessions) == 1


def test_a_lost_reply_that_was_a_no_is_repeated_under_the_same_message_id_after_the_timer(dovecot, tmp_path):
    script = {"END": [Does.CLOSE, "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server) as there:
        message = there.deliver()
        there.resync()
        there.clock.forward(1100)
        there.sync_ok()
        assert len(server.sessions) == 1, "the timer has not run out"

        there.clock.forward(200)
        there.sync_ok()
        assert len(server.sessions) == 2
        assert [message_id(server.session(n)) for n in (0, 1)] == [message_id(server.session(0))] * 2
        assert there.message(message).delivery == "sent"
        (item,) = there.engine.status("101").pending
        assert not item.unconfirmed, "its time runs anew"


def test_a_late_duplicate_after_a_lost_reply_is_one_message(dovecot, tmp_path):
    script = {"END": [Does.CLOSE, "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server) as there:
        message = there.deliver()
        there.resync()
        there.clock.forward(1300)
        there.sync_ok()
        for number in (0, 1):
            there.mail.append(server.session(number).body)
        there.sync_ok()
        there.sync_ok()

        assert there.ids() == [message]
        assert sorted(folder for folder, _ in there.places(message)) == ["INBOX", "Trash"]
        assert there.message(message).delivery == "confirmed"
        assert not there.message(message).deleted
        there.quiet()


def test_nothing_in_doubt_is_repeated_while_the_account_cannot_be_looked_at(dovecot, tmp_path):
    script = {"END": [Does.CLOSE, "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server) as there:
        there.deliver()
        there.resync()
        there.imap4 = {"password": "wrong"}
        there.reopen()
        for seconds in (30, 2 * HOUR, 2 * HOUR):
            there.clock.forward(seconds)
            assert not there.resync().ok
        assert len(server.sessions) == 1

        there.imap4 = {}
        there.reopen()
        there.sync_ok()
        assert len(server.sessions) == 1, "the time in which it could not be looked at does not count"


def message_id(session) -> bytes:
    return next(line for line in session.body.split(b"\r\n") if line.startswith(b"Message-ID"))


# The server is away, refuses, or does not fit


def test_after_an_outage_everything_arrives_once_and_in_order(there: World, dovecot_smtp):
    good = there.smtp
    there.smtp = good | {"port": 9}
    there.reopen()
    messages = [there.deliver() for _ in range(3)]
    for _ in range(4):
        assert not there.resync().ok
        there.clock.forward(10 * 60)
    messages.append(there.deliver())
    assert {row(there, m).attempts for m in messages[1:]} == {0}, "one connection tells for all"

    there.smtp = good
    there.reopen()
    there.sync_ok()
    assert [ids(body) for _, _, body in dovecot_smtp.delivered] == [token_of(m) for m in messages]
    there.sync_ok()
    assert {there.message(m).delivery for m in messages} == {"confirmed"}


def test_a_new_message_does_not_overtake_those_that_wait_for_the_server(there: World, dovecot_smtp):
    good = there.smtp
    there.smtp = good | {"port": 9}
    there.reopen()
    messages = [there.deliver() for _ in range(3)]
    assert not there.resync().ok
    there.smtp = good
    there.reopen()
    there.quiet()
    assert dovecot_smtp.delivered == [], "they wait"

    messages.append(there.deliver())
    there.sync_ok()
    assert [ids(body) for _, _, body in dovecot_smtp.delivered] == [token_of(m) for m in messages]


def test_new_messages_ask_for_the_server_at_once_and_do_not_make_the_others_wait_longer(dovecot, tmp_path):
    script = {"GREETING": [*["421 not now"] * 5, "220 here again"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server) as there:
        first = there.deliver()
        assert not there.resync().ok
        due = row(there, first).next_try
        for _ in range(4):
            there.deliver()
            there.clock.forward(1)
            assert not there.resync().ok
        assert (row(there, first).attempts, row(there, first).next_try) == (1, due)

        there.deliver()
        there.sync_ok()
        assert {there.message(m).delivery for m in there.ids()} == {"sent"}


def ids(body: bytes) -> str:
    return next(
        line.split(b": ")[1].decode() for line in body.split(b"\r\n") if line.startswith(b"X-VM-Message-UUID")
    )


def test_the_wait_grows_from_a_minute_to_an_hour_with_jitter():
    from syncengine.engine.ledger import wait

    waits = [[wait(attempts) for _ in range(200)] for attempts in range(1, 12)]
    assert all(60 <= one <= 3600 for many in waits for one in many)
    assert max(waits[1]) <= 120
    assert max(waits[9]) > 1800
    assert len(set(waits[5])) > 100


def test_one_bad_message_does_not_hold_up_the_others(dovecot, tmp_path):
    script = {"END": ["450 not this one", "250 ok", "250 ok", "450 not this one", "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server) as there:
        bad, *good = [there.deliver() for _ in range(3)]
        report = there.resync()
        assert [e.where for e in report.errors] == [f"message {bad}"]
        assert {there.message(m).delivery for m in good} == {"sent"}
        assert there.message(bad).delivery == "queued"

        there.clock.forward(2 * HOUR)
        there.resync()
        there.clock.forward(2 * HOUR)
        there.sync_ok()
        assert there.message(bad).delivery == "sent"


def test_a_message_that_breaks_every_connection_does_not_hold_up_the_others(dovecot, tmp_path):
    script = {"DATA": [Does.CLOSE, "354 go", "354 go"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server) as there:
        bad, good = there.deliver(), there.deliver()
        there.resync()
        there.sync_ok()
        assert (there.message(bad).delivery, there.message(good).delivery) == ("queued", "sent")


def test_a_refused_message_stays_new_with_its_reason_and_retry_sends_it_again(dovecot, tmp_path):
    script = {"RCPT": ["550 5.1.1 no such user", "250 ok"]}
    with scripted(script) as server, sending(tmp_path, dovecot, server) as there:
        said = failures(there)
        message = there.deliver()
        there.sync_ok()

        shown = there.message(message)
        assert (shown.delivery, shown.heard, shown.error) == (
            "undeliverable",
            False,
            "550 5.1.1 no such user",
        )
        assert (said[0].message, said[0].reason) == (message, "550 5.1.1 no such user")
        status = there.engine.status("101")
        assert (status.state, status.new) == ("in-step", 1), "the lamp stays lit"
        assert status.last_error == f"message {message}: undeliverable: 550 5.1.1 no such user"
        there.clock.forward(DAY)
        there.sync_ok()
        assert len(server.sessions) == 1

        queue = there.engine.index.queue
        queue.again("101", token_of(message), there.clock(), resend=False)
        there.sync_ok()
        assert there.message(message).delivery == "sent"
        assert said[1:] == []


def test_what_is_deferred_for_too_long_is_undeliverable(dovecot, tmp_path):
    with scripted({"MAIL": "451 later"}) as server, sending(tmp_path, dovecot, server) as there:
        message = there.deliver()
        for _ in range(4):
            there.resync()
            there.clock.forward(DAY)
        said = failures(there)
        there.resync()
        assert there.message(message).delivery == "undeliverable"
        assert said[0].reason == "given up after 72 h: 451 later"


def test_nothing_is_given_up_before_it_was_tried_for_as_long(dovecot, tmp_path):
    """The service was off for days, or the clock was wrong: the first deferral is not the end."""
    with scripted({"MAIL": ["451 later", "250 ok"]}) as server, sending(tmp_path, dovecot, server) as there:
        message = there.deliver()
        there.clock.forward(5 * DAY)
        there.resync()
        assert there.message(message).delivery == "queued"
        there.clock.forward(HOUR)
        there.sync_ok()
        assert there.message(message).delivery == "sent"


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ({"MAIL": "530 5.7.0 login first"}, {}),
        ({}, {"security": "starttls"}),
        ({"AUTH": "535 5.7.8 wrong"}, {"authentication": "plain", "account": "a@b.example", "password": "x"}),
    ],
    ids=["530", "no STARTTLS", "wrong password"],
)
def test_settings_that_do_not_fit_hold_the_queue_say_so_once_and_go_on_when_they_change(
    dovecot, tmp_path, dovecot_smtp, script, options
):
    if "authentication" in options:
        script = script | {"EHLO": "250-mail.example\r\n250 AUTH PLAIN"}
    with scripted(script) as server, sending(tmp_path, dovecot, server, smtp=options) as there:
        said = failures(there)
        first, second = there.deliver(), there.deliver()
        report = there.resync()
        assert [e.where for e in report.errors] == ["smtp"]
        assert "nothing is sent until the options change" in report.errors[0].what
        assert len(said) == 1

        third = there.deliver()
        there.clock.forward(DAY)
        there.sync_ok()
        there.reopen()
        there.sync_ok()
        assert len(server.sessions) == 1, "it is not tried again under the same options"
        assert {row(there, m).state for m in (first, second, third)} == {"blocked"}
        status = there.engine.status("101")
        assert (status.state, status.new) == ("failing", 3)
        assert "nothing is sent until the options change" in (status.last_error or "")
        assert {there.message(m).delivery for m in (first, second, third)} == {"queued"}

        through(there, dovecot_smtp)
        there.sync_ok()
        there.sync_ok()
        assert {there.message(m).delivery for m in (first, second, third)} == {"confirmed"}
        assert [ids(b) for _, _, b in dovecot_smtp.delivered] == [token_of(m) for m in (first, second, third)]


def test_a_new_password_in_the_same_file_is_a_changed_configuration(dovecot, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("old")
    secret.chmod(0o600)
    options = {"authentication": "plain", "account": "a@b.example", "password_file": str(secret)}
    script = {"AUTH": ["535 wrong", "235 welcome"], "EHLO": "250-mail.example\r\n250 AUTH PLAIN"}
    with scripted(script) as server, sending(tmp_path, dovecot, server, smtp=options) as there:
        message = there.deliver()
        there.resync()
        there.sync_ok()
        assert len(server.sessions) == 1
        secret.write_text("new")
        there.sync_ok()
        assert there.message(message).delivery == "sent"


def test_a_password_that_cannot_be_read_is_tried_again(dovecot, tmp_path):
    secret = tmp_path / "secret"
    options = {"authentication": "plain", "account": "a@b.example", "password_file": str(secret)}
    script = {"EHLO": "250-mail.example\r\n250 AUTH PLAIN"}
    with scripted(script) as server, sending(tmp_path, dovecot, server, smtp=options) as there:
        message = there.deliver()
        assert not there.resync().ok
        assert server.sessions == []
        assert there.message(message).delivery == "queued"
        secret.write_text("new")
        secret.chmod(0o600)
        there.clock.forward(HOUR)
        there.sync_ok()
        assert there.message(message).delivery == "sent"


def test_a_lost_lease_ends_the_attempt_without_the_final_dot(dovecot, tmp_path, monkeypatch):
    monkeypatch.setattr("syncengine.delivery.channel.PACE", 0.0001)
    with scripted() as server, sending(tmp_path, dovecot, server) as there:
        message = there.deliver()
        queue = there.engine.index.queue
        doubt = queue.doubt

        def taken_over(*args: object) -> None:
            doubt(*args)
            there.engine.index.database.execute("UPDATE queue SET lease_owner = 'another process'")

        monkeypatch.setattr(type(queue), "doubt", lambda _, *args: taken_over(*args))
        report = there.resync()
        assert "another process took over" in report.errors[0].what
        session = server.session()
        assert not session.dotted
        assert session.verbs()[-1] == "DATA"
        assert row(there, message).state == "in-doubt"


# What is sent


@pytest.mark.parametrize(
    ("backlog", "expected"), [("none", set()), ("new", {"new"}), ("all", {"new", "heard"})]
)
def test_the_backlog_is_sent_as_asked_for_when_integration_is_switched_on(arrives, backlog, expected):
    there = arrives(email_integration=False)
    new, heard, gone = there.deliver(), there.deliver(), there.deliver()
    there.box.mark_heard(heard)
    there.box.delete(gone)
    there.resync()
    there.options = there.options | {"email_integration": True}
    there.sync = {"backlog": backlog}
    there.reopen()
    there.sync_ok()
    there.sync_ok()

    confirmed = {m for m in (new, heard, gone) if there.message(m).delivery == "confirmed"}
    assert confirmed == {{"new": new, "heard": heard}[word] for word in expected}
    later = there.deliver()
    there.sync_ok()
    assert there.message(later).delivery == "sent"


@pytest.mark.parametrize("mode", ["voice", "fax", "voice+fax"])
def test_the_send_mode_decides_what_is_sent(arrives, mode):
    there = arrives(send_mode=mode)
    voice = there.deliver()
    fax = there.box.deliver(PDF, kind="fax").id
    there.sync_ok()

    assert there.message(voice).delivery == ("sent" if "voice" in mode else "not-sent")
    assert there.message(fax).delivery == ("sent" if "fax" in mode else "not-sent")


PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def test_without_attachments_only_the_notice_is_sent(dovecot, dovecot_smtp, tmp_path):
    system = {"send_as_attachment": False}
    with sending(tmp_path, dovecot, dovecot_smtp, system=system) as there:
        message = sent(there)
        there.sync_ok()
        mail = there.mail.read(there.place(message)[1])
        assert b"Recordings are not sent by mail." in mail
        assert b"audio/wav" not in mail


@pytest.mark.parametrize("name", ["a.ulaw", "a.alaw", "a.sln", "a.sln16", "a.gsm"])
def test_headerless_recordings_of_telephone_systems_arrive_as_sound(there: World, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bytes([0xD0]) * 33 * 50 if name.endswith("gsm") else b"\xd5\x55" * 8000)
    message = there.box.deliver(path).id
    there.sync_ok()
    there.sync_ok()
    mail = there.mail.read(there.place(message)[1])
    assert b"Content-Type: audio/wav" in mail
    assert b"could not be read" not in mail


OWN = "petera@smtp.example"


@pytest.mark.parametrize(("account", "sender"), [("", OWN), ("login", OWN), ("x@y.example", "x@y.example")])
def test_names_are_completed_and_the_account_is_the_sender(dovecot, tmp_path, account, sender):
    smtp = {"domain": "smtp.example", "account": account}
    options = {"email_name": "petera", "sync_mode": "none"}
    with scripted() as server, sending(tmp_path, dovecot, server, options=options, smtp=smtp) as there:
        there.deliver()
        there.sync_ok()
        session = server.session()
        assert session.commands[0] == "EHLO smtp.example"
        assert session.commands[1] == f"MAIL FROM:<{sender}>"
        assert rcpts(session) == [OWN]
        assert f"<{sender}>".encode() in session.body


@pytest.mark.parametrize(("caller", "known"), [("101", True), ("102", False), ("+12035550117", False)])
def test_a_reply_goes_to_the_caller_only_where_the_caller_is_a_subscriber(dovecot, tmp_path, caller, known):
    with scripted() as server, sending(tmp_path, dovecot, server, options={"sync_mode": "none"}) as there:
        there.deliver(caller_number=caller)
        there.sync_ok()
        assert (b"\r\nReply-To: " in server.session().body) is known


def test_what_goes_out_as_it_was_recorded_is_said_in_the_log(dovecot, tmp_path, caplog):
    """A sound in a WAV file of a format that nobody here reads."""
    odd = wav().replace(b"fmt \x10\x00\x00\x00\x01\x00", b"fmt \x10\x00\x00\x00\x99\x09", 1)
    with scripted() as server, sending(tmp_path, dovecot, server, options={"sync_mode": "none"}) as there:
        message = there.box.deliver(odd).id
        there.sync_ok()
        assert b"audio/wav" in server.session().body
    (line,) = [r.getMessage() for r in caplog.records if "as recorded" in r.getMessage()]
    assert message in line
