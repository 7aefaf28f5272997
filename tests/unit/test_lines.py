"""The tests' line splitter loses nothing, however the network cuts the stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.lines import LineSplitter

PARTS = st.sampled_from(
    [b"a NOOP\r\n", b"b APPEND x {5}\r\n", b"c APPEND x {5+}\r\n", b"\r\n", b"12345", b"x", b"{0}\r\n"]
)


@given(st.lists(PARTS).map(b"".join), st.lists(st.integers(1, 20)))
def test_pieces_joined_are_the_stream(stream, sizes):
    """Nothing is lost, added or reordered; only what is left of the last line is kept back."""
    splitter, rest, out = LineSplitter(), stream, b""
    for size in [*sizes, len(stream)]:
        out += b"".join(piece.data for piece in splitter.feed(rest[:size]))
        rest = rest[size:]

    assert out + splitter.partial == stream


def test_a_line_inside_a_literal_is_no_line():
    """What looks like a command inside a message is part of the message."""
    pieces = list(LineSplitter().feed(b"a APPEND x {10+}\r\nb LOGOUT\r\n\r\nc NOOP\r\n"))

    assert [piece.data for piece in pieces if piece.is_line] == [
        b"a APPEND x {10+}\r\n",
        b"\r\n",
        b"c NOOP\r\n",
    ]


def test_a_refused_literal_does_not_swallow_the_next_command():
    """After NO in place of ``+`` the client goes on with a new line."""
    splitter = LineSplitter()
    list(splitter.feed(b"a APPEND x {10}\r\n"))
    assert splitter.waiting == b"a"
    splitter.give_up_literal()

    assert [piece.data for piece in splitter.feed(b"b NOOP\r\n") if piece.is_line] == [b"b NOOP\r\n"]
