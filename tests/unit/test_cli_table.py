"""Tables on a terminal: as wide as it is at most, with nothing cut off."""

from __future__ import annotations

import pytest

from syncengine.cli.table import drawn, width_of

MESSAGES = ("id", "kind", "state", "delivery", "sender", "subject", "received", "folder", "pending", "error")
ROW = (
    "cb63ea5abc18",
    "voice",
    "deleted",
    "undeliverable",
    "Peter Adams",
    "Voice message from Peter Adams, +12035550117 (0:37)",
    "2026-11-24 15:05",
    "Voice Mail Messages",
    "-",
    "550 5.1.1 no such user here, ask the postmaster of mail.example.com about it",
)
BARE = (
    "195d05a7774b",
    "voice",
    "new",
    "queued",
    "李小龍" * 9,
    "Nachricht",
    "2026-11-24 15:06",
    "-",
    "-",
    "-",
)


@pytest.mark.parametrize("terminal", [66, 80, 100, 132, 250])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(terminal: int):
    lines = list(drawn(MESSAGES, [ROW, BARE], terminal))
    assert max(map(width_of, lines)) <= terminal
    text = "".join("".join(lines).split())
    for cell in (*ROW, *BARE):
        assert all(word in text for word in cell.split(" ")) or cell == "-"


def test_on_80_columns_a_message_is_one_line_and_what_does_not_fit_stands_beneath():
    lines = list(drawn(MESSAGES, [ROW], 80))
    assert lines[0].split() == ["id", "kind", "state", "delivery", "sender", "received"]
    assert lines[2].split() == [*ROW[:4], "Peter", "Adams", "2026-11-24", "15:05"]
    beneath = " ".join(line.strip() for line in lines[3:])
    assert beneath == f"subject: {ROW[5]}; folder: {ROW[7]}; error: {ROW[9]}"


def test_on_a_wide_terminal_all_columns_stand_beside_each_other_but_those_that_say_nothing():
    header, _, row = drawn(MESSAGES, [ROW], 250)
    assert header.split() == [name for name in MESSAGES if name != "pending"]
    assert row.split() == " ".join(cell for cell in ROW if cell != "-").split()


def test_a_long_last_column_is_folded_where_there_is_room():
    lines = list(
        drawn(("option", "value"), [("smtp.ca_file", "/etc/ssl/" + "x" * 100), ("idle", "true")], 60)
    )
    assert lines[0].split() == ["option", "value"]
    assert len(lines) == 2 + 3 + 1
