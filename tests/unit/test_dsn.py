"""What a delivery status notification says, and that no foreign octets can hurt its reader."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.delivery.dsn import failures
from syncengine.model import token_of
from tests.support.bounce import bounce

TOKEN = token_of("5" * 32)
GOOD = bounce(TOKEN, "a@example.com")


def test_it_names_the_token_the_recipient_and_the_reason():
    (failure,) = failures(GOOD)
    assert failure.token == TOKEN
    assert failure.recipients == {"a@example.com"}
    assert failure.reason == "5.1.1 550 no such user"


def test_encoded_addresses_and_envelope_ids_are_decoded():
    raw = GOOD.replace(TOKEN.encode(), TOKEN.replace("-", "+2D").encode())
    raw = raw.replace(b"rfc822;a@example.com", b"rfc822;A+2Btag@Example.com")
    (failure,) = failures(raw)
    assert failure.token == TOKEN
    assert "a+tag@example.com" in failure.recipients


def test_each_failed_recipient_is_told_and_no_other():
    group = GOOD.split(b"\r\n\r\n")[5]
    assert group.startswith(b"Original-Recipient")
    other = group.replace(b"a@", b"b@")
    delayed = group.replace(b"a@", b"c@").replace(b"failed", b"delayed")
    raw = GOOD.replace(group, b"\r\n\r\n".join([group, other, delayed]))
    assert [min(f.recipients) for f in failures(raw)] == ["a@example.com", "b@example.com"]


def test_the_reason_is_one_bounded_printable_line():
    raw = GOOD.replace(b"550 no such user", b"550 \x1b[31mno\r\n such\t" + b"user " * 1000)
    (failure,) = failures(raw)
    assert failure.reason.isprintable()
    assert len(failure.reason) <= 300


@pytest.mark.parametrize("envelope", ["", "vm-1-z", TOKEN + "x", f"<{TOKEN}>", "vm-" + "g" * 32 + "-z"])
def test_an_envelope_id_that_is_no_token_says_nothing(envelope):
    assert failures(bounce(envelope, "a@example.com")) == ()


@given(st.binary(max_size=300), st.integers(0, len(GOOD)), st.integers(0, 200))
def test_damaged_ones_crash_nothing(noise, at, skip):
    failures(noise)
    failures(GOOD[:at] + noise + GOOD[at + skip :])


NESTED = b"".join(
    b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (number, number)
    for number in range(3000)
)
GROUPS = GOOD.replace(b"Arrival-Date", b"A: b\r\n\r\n" * 200_000 + b"Arrival-Date")


@pytest.mark.parametrize("raw", [NESTED, b"Content-Type: message/rfc822\r\n\r\n" * 5000, GROUPS])
def test_bombs_are_bounded(raw):
    began = time.monotonic()
    failures(raw)
    assert time.monotonic() - began < 5
