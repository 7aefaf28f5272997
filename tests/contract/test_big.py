"""A folder with ten thousand other people's mails: voice messages among them are found and kept in step."""

from __future__ import annotations

import pytest

from tests.support.world import world

COUNT = 10_000


@pytest.mark.server("dovecot")
def test_ten_thousand_mails_in_the_inbox_cost_a_pass_nothing(imap_server, tmp_path):
    with world(tmp_path, imap_server, options={"sync_mode": "inbox"}) as there:
        client = there.mail.client
        for start in range(0, COUNT, 500):
            mails = [
                f"From: a@example.com\r\nMessage-ID: <{number}@example.com>\r\n\r\nText.\r\n".encode()
                for number in range(start, start + 500)
            ]
            client.multiappend("INBOX", mails)
        there.sync_ok()
        message = there.deliver()
        there.sync_ok()
        there.quiet()
        report = there.sync_ok()
        assert report.traffic.round_trips == 2
        assert report.traffic.bytes_in < 3000

        there.mail.flag(COUNT + 1, "\\Seen")
        there.sync_ok()
        assert there.message(message).heard
        there.mail.trash(COUNT + 1)
        there.sync_ok()
        assert there.message(message).deleted
        assert len(there.mail.uids("INBOX")) == COUNT
