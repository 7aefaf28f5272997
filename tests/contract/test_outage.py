"""One half of the mail server is down: the other half's work goes on."""

from __future__ import annotations

from tests.support.sending import sending


def test_what_is_due_is_sent_although_the_account_cannot_be_looked_at(
    dovecot, dovecot_smtp, proxy_to, tmp_path
):
    wire = proxy_to(dovecot.host, dovecot.imap_port)
    with sending(tmp_path, dovecot, dovecot_smtp, imap4={"server": wire.host, "port": wire.port}) as there:
        there.sync_ok()
        wire.refuse()
        message = there.deliver()
        report = there.resync()
        assert not report.ok
        assert [a.verb for a in report.actions] == ["send"]
        assert there.message(message).delivery == "sent"

        wire.heal()
        there.sync_ok()
        assert there.message(message).delivery == "confirmed"
        assert len(there.places(message)) == 1


def test_nothing_is_sent_before_the_account_was_looked_at_once(dovecot, dovecot_smtp, proxy_to, tmp_path):
    wire = proxy_to(dovecot.host, dovecot.imap_port)
    with sending(tmp_path, dovecot, dovecot_smtp, imap4={"server": wire.host, "port": wire.port}) as there:
        wire.refuse()
        message = there.deliver()
        assert there.resync().actions == ()
        assert there.message(message).delivery == "queued"
