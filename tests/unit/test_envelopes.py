"""What is listed of e-mails: whose they are, when they came, and what a server may not do to them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncengine.engine.phonemails import received
from syncengine.imap.commands import Reply, Untagged
from syncengine.imap.envelopes import MAX_HEAD, found, seconds
from syncengine.imap.responses import Fetch
from syncengine.model import UidValidity

SOME = frozenset({"\\Seen"})


def listed(*heads: bytes, size: int = 100) -> list[bytes]:
    untagged = Untagged()
    fetches = [
        Fetch(n, SOME, None, {"HEADER.FIELDS": head}, size, b"24-Nov-2026 10:15:00 +0000")
        for n, head in enumerate(heads, 1)
    ]
    untagged.take_all(fetches)
    return [mail.head for mail in found("INBOX", UidValidity(1), Reply((), untagged), 1)]


@pytest.mark.parametrize(
    ("text", "when"),
    [
        (b"24-Nov-2026 10:15:00 +0000", datetime(2026, 11, 24, 10, 15, tzinfo=UTC)),
        (b" 4-nov-2026 10:15:07 -0330", datetime(2026, 11, 4, 13, 45, 7, tzinfo=UTC)),
        (b"01-Jan-2027 00:30:00 +0100", datetime(2026, 12, 31, 23, 30, tzinfo=UTC)),
    ],
)
def test_an_internal_date_is_read_with_its_zone(text: bytes, when: datetime):
    assert seconds(text) == when.timestamp()


@pytest.mark.parametrize(
    "text", [b"", b"yesterday", b"24-Xov-2026 10:15:00 +0000", b"24-Nov-2026 xx:15:00 +0000", b"\xff" * 40]
)
def test_a_date_that_is_none_is_no_date(text: bytes):
    assert seconds(text) == 0


def test_what_carries_our_field_is_no_email_and_what_quotes_a_token_is_one():
    token = b"vm-" + b"0" * 32 + b"-z"
    ours = [b"Subject: x\r\nX-VM-Message-UUID: " + token, b"x-vm-message-uuid :" + token + b"\r\nFrom: a"]
    reply = b"Subject: Re: " + token + b" and X-VM-Message-UUID: in the middle"

    assert listed(*ours, reply) == [reply]


def test_a_head_without_end_is_kept_bounded():
    assert [len(head) for head in listed(b"Subject: " + b"x" * 60_000)] == [MAX_HEAD]


def test_a_mail_came_when_its_date_says_unless_that_is_absurd():
    arrival = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
    at = int(arrival.timestamp())
    sent = datetime(2026, 11, 20, tzinfo=UTC)

    assert received(sent, at) == sent
    assert received(datetime(2031, 1, 1, tzinfo=UTC), at) == arrival
    assert received(datetime(1, 1, 1, tzinfo=UTC), at) == arrival
    assert received(None, at) == arrival
    assert received(None, 0).year == 1970
