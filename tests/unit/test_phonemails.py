"""A list of e-mails reads what is shown of them, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from syncengine.engine.engine import Engine
from syncengine.engine.phonemails import PhoneMails
from syncengine.index import EmailRow
from syncengine.model import Place, Uid, UidValidity
from tests.support.commands import installed

NOW = datetime.now(UTC).replace(microsecond=0)


def row(number: int, *, deleted: timedelta | None = None) -> EmailRow:
    """The e-mail that arrived so many minutes ago, perhaps deleted at the phone that long ago."""
    arrived = NOW - timedelta(minutes=number)
    head = b"From: A <a@example.net>\r\nSubject: %d minutes ago\r\n\r\n" % number
    return EmailRow(
        place=Place("INBOX", UidValidity(1), Uid(1_000_000 - number)),
        trashed=deleted is not None,
        seen=False,
        deleted=False,
        arrived=int(arrived.timestamp()),
        size=500,
        head=head,
        heard=None,
        removed=deleted is not None,
        changed_at=None if deleted is None else (NOW - deleted).timestamp(),
        home=None,
        id=f"{number:032x}",
        error=None,
    )


class Endless:
    """E-mails without end, the latest first, as an index gives them."""

    def __init__(self, **first: EmailRow) -> None:
        self.first = first
        self.read = 0

    def latest_first(self) -> Iterator[EmailRow]:
        """See ``Letters``."""
        for number in count():
            self.read += 1
            yield self.first.get(f"n{number}") or row(number)

    def to_hear(self, most: int) -> tuple[EmailRow, ...]:
        """See ``Letters``."""
        raise AssertionError(most)

    def find(self, prefix: str) -> tuple[EmailRow, ...]:
        """See ``Letters``."""
        raise AssertionError(prefix)

    def say_heard(self, row: EmailRow, heard: bool, now: float) -> bool:
        """See ``Letters``."""
        raise AssertionError(row, heard, now)

    def say_removed(self, row: EmailRow, removed: bool, now: float) -> bool:
        """See ``Letters``."""
        raise AssertionError(row, removed, now)


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    installed(tmp_path)
    with Engine.open(tmp_path / "syncengine.toml") as one:
        yield one


def test_of_e_mails_without_end_the_latest_are_read_and_no_more(engine: Engine):
    letters = Endless()
    found = list(PhoneMails(engine.binding("101"), letters).messages(3))

    assert [m.subject for m in found] == ["0 minutes ago", "1 minutes ago", "2 minutes ago"]
    assert [m.received for m in found] == [NOW - timedelta(minutes=n) for n in range(3)]
    assert letters.read == 3


def test_what_was_deleted_longer_ago_than_it_can_be_restored_takes_no_place_among_them(engine: Engine):
    gone = row(1, deleted=timedelta(days=2))
    there = row(2, deleted=timedelta(hours=1))
    found = list(PhoneMails(engine.binding("101"), Endless(n1=gone, n2=there)).messages(3))

    assert [(m.subject, m.deleted) for m in found] == [
        ("0 minutes ago", False),
        ("2 minutes ago", True),
        ("3 minutes ago", False),
    ]
