"""The bench's figures as a Markdown table, each beside its ratio to the best peer's. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.measure import Figures

OURS = "syncengine"


@dataclass(slots=True)
class Row:
    """One kind of work, and what it cost whom."""

    work: str
    by: dict[str, Figures] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Why a program has no figures here."""


Column = tuple[str, Callable[[Figures, Figures], float], Callable[[float], str]]
"""Its title, its value from a run and the program's start-up, and how that is written."""


def _octets(value: float) -> str:
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} B"


COLUMNS: Sequence[Column] = (
    ("trips", lambda f, _: f.trips, lambda v: f"{v:,.0f}"),
    ("bytes", lambda f, _: f.octets, _octets),
    ("time", lambda f, _: f.seconds, lambda v: f"{v:.2f} s"),
    ("without start", lambda f, start: max(0.001, f.seconds - start.seconds), lambda v: f"{v:.2f} s"),
    ("processor", lambda f, _: max(0.01, f.cpu), lambda v: f"{v:.2f} s"),
    ("memory", lambda f, _: f.peak, lambda v: f"{v / 1000:.0f} MB"),
)


def table(rows: Sequence[Row], starts: Mapping[str, Figures]) -> str:
    """All rows; behind each of our figures stands how many times the best peer's it is."""
    lines = ["| work | program | " + " | ".join(title for title, _, _ in COLUMNS) + " |"]
    lines.append("|---" * (len(COLUMNS) + 2) + "|")
    for row in rows:
        work = row.work
        for name, figures in row.by.items():
            cells = [_cell(row, name, figures, column, starts) for column in COLUMNS]
            lines.append(f"| {work} | {name} | " + " | ".join(cells) + " |")
            work = ""
        for name, why in row.absent.items():
            lines.append(f"| {work} | {name} | {why} |" + " |" * (len(COLUMNS) - 1))
            work = ""
    return "\n".join(lines)


def _cell(row: Row, name: str, figures: Figures, column: Column, starts: Mapping[str, Figures]) -> str:
    _, value, written = column
    own = value(figures, starts[name])
    text = written(own)
    peers = [value(f, starts[peer]) for peer, f in row.by.items() if peer != OURS]
    if name == OURS and peers and min(peers) > 0:
        return f"{text} (x {own / min(peers):.2g})"
    return text
