"""Tables as a terminal shows them. Invariant: no text is cut off, and from 66 columns on no line is wider.

Where the columns do not fit beside each other, the widest ones are said beneath their row instead, so
that what is looked for in a column stays one word under the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Row = Sequence[str]

_WHOLE = frozenset(
    {
        "id",
        "mailbox",
        "message",
        "state",
        "new",
        "heard",
        "kind",
        "delivery",
        "received",
        "last pass",
        "next try",
    }
)
"""Columns that always stand beside each other."""
_GAP = 2
_MARGIN = 1
_ROOMY = 24
"""Characters in which a longer text can still be read, line by line."""


def drawn(columns: Row, rows: Sequence[Row], terminal: int) -> Iterator[str]:
    """Yield the lines of a table on a terminal of so many characters: the header, a rule, the rows.

    Columns in which no row says anything (``-``) are left out.
    """
    shown = [at for at in range(len(columns)) if any(row[at] != "-" for row in rows)]
    widths = {at: max(width_of(row[at]) for row in (columns, *rows)) for at in shown}
    beside = _beside(columns, widths, terminal - 2 * _MARGIN)
    line = sum(beside.values()) + _GAP * (len(beside) - 1)
    yield from _lines(columns, beside)
    yield " " * _MARGIN + "─" * line
    for row in rows:
        yield from _lines(row, beside)
        told = "; ".join(f"{columns[at]}: {row[at]}" for at in shown if at not in beside and row[at] != "-")
        for part in _wrapped(told, max(_ROOMY, terminal - 2 * _MARGIN - _GAP)) if told else ():
            yield " " * (_MARGIN + _GAP) + part


def width_of(text: str) -> int:
    """Columns that a text takes: wide characters two, combining ones none (Unicode Annex 11)."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - only for other scripts

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def padded(text: str, width: int) -> str:
    """``text`` with blanks up to ``width`` columns."""
    return text + " " * (width - width_of(text))


def _beside(columns: Row, widths: dict[int, int], room: int) -> dict[int, int]:
    """The columns that fit beside each other, with their widths, in their order; narrow ones first."""
    chosen = {at: width for at, width in widths.items() if columns[at] in _WHOLE}
    for at in sorted(widths.keys() - chosen.keys(), key=lambda at: widths[at]):
        left = room - sum(chosen.values()) - _GAP * len(chosen)
        if min(widths[at], _ROOMY) > left and chosen:
            break
        chosen[at] = min(widths[at], max(left, _ROOMY))
    return {at: chosen[at] for at in sorted(chosen)}


def _lines(row: Row, beside: dict[int, int]) -> Iterator[str]:
    cells = {at: _wrapped(row[at], width) for at, width in beside.items()}
    for number in range(max(map(len, cells.values()))):
        parts = (padded(c[number] if number < len(c) else "", beside[at]) for at, c in cells.items())
        yield (" " * _MARGIN + (" " * _GAP).join(parts)).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` columns, broken between words where they are short enough."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and width_of(line) + 1 + width_of(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
        while width_of(line) > width:
            cut = next(n for n in range(len(line), 0, -1) if width_of(line[:n]) <= width or n == 1)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line]
