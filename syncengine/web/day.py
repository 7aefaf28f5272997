"""The last day in a small picture: passes, changes and failures by the hour, drawn by the server.

Invariant: whatever the figures, the picture has the same size, and its words say what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from syncengine.index import DAY, Hour

STEP, HEIGHT = 12, 24
"""Width of an hour and height of a row, in units of the picture."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour of one row."""

    left: int
    height: int
    hint: str

    @property
    def top(self) -> int:
        """Where it begins, from above."""
        return HEIGHT - self.height


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of figure over the day, to a scale of its own."""

    name: str
    total: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """The picture."""

    rows: tuple[Row, ...]
    words: str
    """What it shows, for who does not see it."""
    first: str
    last: str

    @property
    def width(self) -> int:
        """Of every row."""
        return STEP * DAY


def picture_of(hours: Sequence[Hour]) -> Day:
    """Draw the hours of a day."""
    rows = (
        _row("Passes", hours, lambda hour: hour.passes),
        _row("Changes", hours, lambda hour: hour.changes),
        _row("Failures", hours, lambda hour: hour.failures),
    )
    said = ", ".join(f"{row.total:,} {row.name.lower()}" for row in rows)
    failed = [f"{hour.failures:,} at {_clock(hour.start)}" for hour in hours if hour.failures]
    where = f" Failures by the hour: {', '.join(failed)}." if failed else ""
    ends = _clock(hours[0].start), _clock(hours[-1].start)
    return Day(rows, f"The last 24 hours: {said}.{where}", *ends)


def _row(name: str, hours: Sequence[Hour], figure: Callable[[Hour], int]) -> Row:
    most = max(figure(hour) for hour in hours)
    bars = tuple(
        # What is not nothing is seen, however little beside the highest.
        Bar(at * STEP, max(2, round(HEIGHT * number / most)), f"{_clock(hour.start)}: {number:,}")
        for at, hour in enumerate(hours)
        if (number := figure(hour))
    )
    return Row(name, sum(map(figure, hours)), bars)


def _clock(start: int) -> str:
    return f"{datetime.fromtimestamp(start, UTC).astimezone():%H:%M}"
