"""Accounts that only take: POP3, where a delete is attempted and nothing is looked at; and sync mode none."""

from __future__ import annotations

import logging

import pytest

from syncengine.engine.events import LampChanged
from syncengine.model import token_of
from tests.support.proxy import Proxy
from tests.support.scripted_smtp import Does, scripted
from tests.support.sending import row, sending
from tests.support.world import World

MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def there(dovecot, dovecot_smtp, tmp_path):
    with pop3(tmp_path, dovecot, dovecot_smtp) as one:
        yield one


def pop3(folder, server, out, **how):
    options = {"protocol": "pop3"} | how.pop("options", {})
    return _Pop3(sending(folder, server, out, options=options, **how), server)


class _Pop3:
    """The world's POP3 section needs the login that only the world knows."""

    def __init__(self, inner, server) -> None:
        self.inner = inner
        self.server = server

    def __enter__(self) -> World:
        there = self.inner.__enter__()
        there.pop3 = {
            "server": self.server.host,
            "port": self.server.pop3_port,
            "security": "none",
            "account": there.login.user,
            "password": there.login.password,
        }
        there.reopen()
        return there

    def __exit__(self, *exc: object) -> None:
        self.inner.__exit__(*exc)


def sent(there: World) -> str:
    message = there.deliver()
    there.sync_ok()
    assert there.message(message).delivery == "sent"
    return message


def test_sent_is_the_final_state_and_no_timer_runs(there: World):
    message = sent(there)
    status = there.engine.status("101")
    assert (status.state, status.pending, status.new) == ("in-step", (), 1)

    there.clock.forward(10 * HOUR)
    there.quiet()
    assert there.message(message).delivery == "sent"
    assert there.place(message)[0] == "INBOX"


def test_what_happens_in_the_account_touches_neither_message_nor_lamp(there: World):
    read, deleted, emptied = sent(there), sent(there), sent(there)
    lamps = []
    there.engine.subscribe(lambda e: lamps.append(e) if isinstance(e, LampChanged) else None)
    there.flag(read, "\\Seen")
    there.move(deleted, "Trash")
    there.expunge(emptied)
    there.quiet()

    assert {there.message(m).heard for m in (read, deleted, emptied)} == {False}
    assert not any(there.message(m).deleted for m in (read, deleted, emptied))
    assert lamps == []


def test_deleted_at_the_phone_it_is_deleted_in_the_account_and_nothing_else_is(there: World):
    kept, deleted = sent(there), sent(there)
    foreign = there.mail.append(b"Subject: mine\r\n\r\nRef: " + token_of(deleted).encode() + b"\r\n")
    there.box.delete(deleted)
    report = there.sync_ok()

    assert [(a.verb, a.message) for a in report.actions] == [("delete", deleted)]
    assert there.places(deleted) == []
    assert there.place(kept)[0] == "INBOX"
    assert foreign in there.mail.uids()
    there.quiet()


def test_restored_after_it_was_deleted_there_it_is_sent_anew_under_another_message_id(there, dovecot_smtp):
    message = sent(there)
    there.box.delete(message)
    there.sync_ok()
    there.box.restore(message)
    there.sync_ok()

    token = token_of(message)
    first, second = (body for _, _, body in dovecot_smtp.delivered)
    assert f"Message-ID: <{token}@".encode() in first
    assert f"Message-ID: <{token}.2@".encode() in second
    assert there.place(message)[0] == "INBOX"
    there.quiet()

    there.box.delete(message)
    there.sync_ok()
    assert there.places(message) == [], "the new one is found as well"


def test_restored_before_it_was_found_there_nothing_is_sent(there: World, dovecot_smtp):
    message = sent(there)
    there.pop3 = there.pop3 | {"password": "wrong"}
    there.reopen()
    there.box.delete(message)
    there.sync_ok()
    there.box.restore(message)
    there.sync_ok()
    there.clock.forward(2 * HOUR)
    there.quiet()

    assert len(dovecot_smtp.delivered) == 1
    assert there.place(message)[0] == "INBOX"


def test_three_tries_within_an_hour_then_it_is_let_go_with_a_log_line(
    there: World, proxy_to, dovecot, caplog
):
    message = sent(there)
    there.expunge(message)
    wire: Proxy = proxy_to(dovecot.host, dovecot.pop3_port, keep=True)
    there.pop3 = there.pop3 | {"port": wire.port}
    there.reopen()
    there.box.delete(message)
    with caplog.at_level(logging.WARNING):
        for _ in range(12 * 3):
            there.sync_ok()
            there.clock.forward(5 * MINUTE)
    assert wire.said(rb"^PASS") == 3
    lines = [r.getMessage() for r in caplog.records if "not in the POP3 account" in r.getMessage()]
    assert len(lines) == 1
    assert message in lines[0]
    assert there.engine.status("101").state == "in-step"


@pytest.mark.parametrize("pop3_section", [{}, {"server": ""}])
def test_without_a_server_no_attempt_is_made(dovecot, dovecot_smtp, tmp_path, pop3_section):
    with sending(tmp_path, dovecot, dovecot_smtp, options={"protocol": "pop3"}) as there:
        there.pop3 = pop3_section
        there.reopen()
        message = sent(there)
        there.box.delete(message)
        there.quiet()
        assert there.place(message)[0] == "INBOX"
        assert there.engine.index.pop3.all("101") == {}


def test_a_server_that_is_away_for_a_while_is_asked_again(there: World, dovecot):
    first, second = sent(there), sent(there)
    there.pop3 = there.pop3 | {"port": 9}
    there.reopen()
    there.box.delete(first)
    there.box.delete(second)
    there.sync_ok()
    assert there.engine.outlook("101").wake == there.clock() + 15 * MINUTE

    there.pop3 = there.pop3 | {"port": dovecot.pop3_port}
    there.reopen()
    there.clock.forward(16 * MINUTE)
    there.sync_ok()
    assert there.places(first) == there.places(second) == []


def test_unique_ids_that_were_looked_at_are_not_looked_at_again(there: World, proxy_to, dovecot):
    messages = [sent(there) for _ in range(5)]
    wire: Proxy = proxy_to(dovecot.host, dovecot.pop3_port, keep=True)
    there.pop3 = there.pop3 | {"port": wire.port}
    there.reopen()
    for message, looked_at in zip(messages[:2], (5, 1), strict=True):
        wire.reset_counts()
        there.box.delete(message)
        there.sync_ok()
        assert wire.said(rb"^TOP") == looked_at


def test_what_can_no_longer_be_restored_is_given_up(there: World):
    message = sent(there)
    there.box.delete(message)
    there.sync_ok()
    there.clock.forward(25 * HOUR)
    there.sync_ok()

    assert message not in there.ids()
    assert not list((there.folder / "state" / "voice").glob(f"{message}*"))


@pytest.mark.parametrize("options", [{"protocol": "pop3"}, {"sync_mode": "none"}])
def test_in_doubt_is_repeated_after_an_hour_where_nothing_can_be_looked_up(dovecot, tmp_path, options):
    with (
        scripted({"END": [Does.CLOSE, "250 ok"]}) as server,
        sending(tmp_path, dovecot, server, options=options) as there,
    ):
        message = there.deliver()
        there.resync()
        assert row(there, message).state == "in-doubt"
        assert there.engine.outlook("101").wake == there.clock() + HOUR
        there.clock.forward(59 * MINUTE)
        there.sync_ok()
        assert len(server.sessions) == 1

        there.clock.forward(2 * MINUTE)
        there.sync_ok()
        ids = [[x for x in server.session(n).body.split(b"\r\n") if x[:11] == b"Message-ID:"] for n in (0, 1)]
        assert ids[0] == ids[1]
        assert there.message(message).delivery == "sent"


def test_sync_mode_none_logs_in_nowhere_and_a_dry_run_says_what_it_would_send(dovecot, tmp_path):
    """The IMAP section points nowhere: a login would fail."""
    imap4 = {"port": 9}
    with (
        scripted() as server,
        sending(tmp_path, dovecot, server, options={"sync_mode": "none"}, imap4=imap4) as there,
    ):
        message = there.deliver()
        planned = there.resync(dry_run=True)
        assert [(a.verb, a.message) for a in planned.actions] == [("send", message)]
        assert server.sessions == []
        there.sync_ok()
        assert there.message(message).delivery == "sent"
        there.quiet()


def test_switched_to_pop3_nothing_is_inferred_and_nothing_sent_again(dovecot, dovecot_smtp, tmp_path):
    with sending(tmp_path, dovecot, dovecot_smtp) as there:
        confirmed, fresh = sent(there), sent(there)
        there.flag(confirmed, "\\Seen")
        there.sync_ok()
        there.options = there.options | {"protocol": "pop3"}
        there.reopen()
        there.expunge(fresh)
        there.quiet()
        assert not there.message(fresh).deleted
        assert there.message(confirmed).heard
        assert len(dovecot_smtp.delivered) == 2

        there.options = there.options | {"protocol": "imap4"}
        there.reopen()
        there.box.mark_new(confirmed)
        there.sync_ok()
        assert not there.seen(confirmed)
        assert len(dovecot_smtp.delivered) == 2
