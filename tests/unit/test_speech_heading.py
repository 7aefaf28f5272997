"""Heads read quickly for a list are what the full readers make of them, whatever they look like."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

from hypothesis import example, given
from hypothesis import strategies as st

from syncengine.speech.heading import envelope_of_head
from syncengine.speech.message import envelope_of_header

USUAL = (
    b"From: Peter Adams <petera@example.net>\r\nSubject: Lunch\r\n"
    b"Date: Mon, 02 Nov 2026 10:01:01 +0000\r\n\r\n"
)
FROM = [
    b"Peter Adams <petera@example.net>",
    b'"Adams, Peter (2)" <petera@example.net>',
    b"Peter (at home) Adams <petera@example.net>",
    b"J. R. Ewing <jr@example.net>",
    b"petera@example.net",
    b"<petera@example.net>",
    b"=?utf-8?q?J=C3=BCrgen?= <j@example.net>",
    b"A <a@example.net>, B <b@example.net>",
    b"group: a@example.net;",
    b"  Two   blanks   <a@example.net>  ",
    b"'quoted' <a@b>",
    b"a@evil.example <b@example.net>",
    b"=?utf-8?q?a=40evil=2Eexample?= <b@example.net>",
    b"M\xfcller <m@example.net>",
    b"M\xc3\xbcller <m@example.net>",
    b"",
]
DATES = [
    b"Mon, 02 Nov 2026 10:01:01 +0000",
    b"2 Nov 2026 10:01:01 -0800 (PST)",
    b"Mon, 2 Nov 2026 10:01:01 -0000",
    b"Mon, 2 Nov 2026 10:01:61 +0000",
    b"Mon, 2 Nov 2026 10:01 GMT",
    b"Mon, 31 Feb 2026 10:01:01 +0100",
    b"Mon, 02 Nov 26 10:01:01 +0100",
    b"Mon, 02 Nov 0026 10:01:01 +0100",
    b"Mon, 02 Foo 2026 10:01:01 +0100",
    b"Mon, 02 Nov 2026 10:01:01 +9999",
    b"Mon, 02 Nov 2026 10:01:01 +0199",
    b"Mon, 02 Nov 2026 10:01:01 -2400",
    b"Wed Feb 21 14:31:00 1990",
    b"",
]
SUBJECTS = [
    b"Lunch",
    b"  Re:  a   b ",
    b"=?utf-8?b?w7w=?= x",
    b"\xfc",
    b"a\r\n b\r\n\tc",
    b"\x00\x1b[2J",
    b"",
    b"?" * 3000,
]

texts = st.text(st.characters(max_codepoint=255), max_size=60).map(lambda text: text.encode("latin-1"))
visible = st.text(st.sampled_from("abZ 09,.;:<>@()[]\"'\\=?_-\t"), max_size=40).map(str.encode)


def field(name: bytes, usual: list[bytes]) -> st.SearchStrategy[bytes]:
    value = st.sampled_from(usual) | visible | texts
    return st.builds(
        lambda name, blank, value, end: name + b":" + blank + value + end,
        st.sampled_from([name, name.lower(), name.upper()]),
        st.sampled_from([b" ", b"", b"\t", b" \r\n "]),
        value,
        st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]),
    )


heads = st.builds(
    lambda fields, end: b"".join(fields) + end,
    st.lists(field(b"From", FROM) | field(b"Subject", SUBJECTS) | field(b"Date", DATES), max_size=4),
    st.sampled_from([b"\r\n", b"", b"\r\nSubject: none of the head's\r\n"]),
)


@given(heads | st.binary(max_size=200))
@example(USUAL)
@example(b"")
@example(b"From someone\r\nSubject: x\r\n\r\n")
@example(b"Subject : x\r\n\r\n")
@example(b"Subject: one\r\nSubject: two\r\n\r\n")
def test_a_head_is_read_as_by_the_full_reader(head: bytes):
    assert envelope_of_head(head) == envelope_of_header(head)


def test_every_known_shape_is_read_as_by_the_full_reader():
    for sender, date, subject in product(FROM, DATES, SUBJECTS):
        head = b"Date: " + date + b"\r\nFrom: " + sender + b"\r\nSubject: " + subject + b"\r\n\r\n"

        assert envelope_of_head(head) == envelope_of_header(head), head


def test_the_usual_head_needs_none_of_the_full_readers():
    code = (
        "import sys\nfrom syncengine.speech.heading import envelope_of_head\n"
        f"envelope_of_head({USUAL!r})\n"
        "print(*(m for m in sys.modules if m.startswith('email') or m == 'syncengine.speech.header'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
