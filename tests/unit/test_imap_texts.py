"""The text part in which a stripped mail of ours still says whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.imap.texts import own_text


def multipart(*parts: str, kind: str = "mixed") -> bytes:
    body = "".join(f"--b\r\n{part}\r\n" for part in parts)
    return f"Content-Type: multipart/{kind}; boundary=b\r\n\r\n{body}--b--\r\n".encode()


def test_a_plain_mail_is_its_own_text_whatever_its_encoding() -> None:
    assert own_text(b"Subject: x\r\n\r\nRef: 1\r\n") == "Ref: 1\r\n"
    assert own_text(b"Content-Transfer-Encoding: base64\r\n\r\nUmVmOiAx\r\n") == "Ref: 1"
    assert own_text(b"Content-Type: text/plain; charset=no-such\r\n\r\nx") == ""


def test_the_first_text_part_counts_also_inside_an_alternative() -> None:
    inner = multipart("\r\nown", "Content-Type: text/html\r\n\r\n<b>", kind="alternative").decode()
    inner = inner.replace("boundary=b", "boundary=c").replace("--b", "--c")
    assert own_text(multipart(inner, "\r\nlater")).strip() == "own"


def test_the_text_of_an_attached_message_or_file_is_not_its_own() -> None:
    forwarded = "Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nRef: 1\r\n"
    attached = 'Content-Disposition: attachment; filename="a.txt"\r\n\r\nRef: 2'
    assert own_text(multipart(forwarded)) == ""
    assert own_text(multipart(attached)) == ""
    assert own_text(multipart("\r\nmine", forwarded)).strip() == "mine"


@pytest.mark.parametrize("depth", [50, 2_000])
def test_parts_within_parts_without_end_crash_nothing(depth: int) -> None:
    nested = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(depth))
    assert isinstance(own_text(nested.encode()), str)


@given(st.binary(max_size=300))
def test_no_bytes_crash_it(noise: bytes) -> None:
    own_text(noise)
    own_text(multipart(noise.decode("latin-1")))
