"""What a command says: tables and lines for people, one JSON document for programs, errors in one line.

With ``--json`` nothing but that document goes to standard output. Text that came from outside never
controls the terminal: whatever is not printable is shown by its code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncengine.cli.table import Row, drawn, padded, width_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Shown
    from rich.progress import TaskID

_JOINERS = "\u200c\u200d"
"""Parts of words and of emoji; harmless, though not printable by themselves."""
SHORT_ID = 12
"""Digits of a message's id that a terminal shows; any six that are unique are taken as an id."""


def clean(text: str) -> str:
    """Return ``text`` in one line without anything that could move the cursor or turn the direction."""
    if text.isprintable():
        return text
    return "".join(" " if c.isspace() else c if c.isprintable() or c in _JOINERS else _code(c) for c in text)


def _code(character: str) -> str:
    if character.isascii():
        return f"\\x{ord(character):02x}"
    return character.encode("ascii", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go."""

    json: bool = False
    quiet: bool = False
    """Only errors, and what was asked for."""

    @property
    def terminal(self) -> bool:
        """Whether people are looking."""
        return not self.json and sys.stdout.isatty()

    def document(self, value: object) -> None:
        """Print the one JSON document. ASCII only: no terminal can be misled, no encoding can fail."""
        import json  # noqa: PLC0415 - only with --json

        print(json.dumps(value, indent=2))

    def documents(self, values: Iterable[object]) -> None:
        """Print one JSON document, a list, a line for each of its parts: never all of it in memory."""
        import json  # noqa: PLC0415 - only with --json

        lines, before = map(json.JSONEncoder().encode, values), "[\n"
        for line in lines:
            sys.stdout.write(f"{before}  {line}")
            before = ",\n"
        print("\n]" if before == ",\n" else "[]")

    def data(self, text: str) -> None:
        """Print what was asked for."""
        print(clean(text))

    def say(self, text: str) -> None:
        """Print how it went; not with ``--quiet`` or ``--json``."""
        if not (self.quiet or self.json):
            print(clean(text), flush=True)

    def error(self, text: str) -> None:
        """Print an error, one line."""
        sys.stdout.flush()
        print(f"syncengine: {clean(text)}", file=sys.stderr, flush=True)

    def table(self, columns: Row, rows: Sequence[Row], *, empty: str = "") -> None:
        """Print a table: drawn on a terminal, without columns that say nothing; else aligned columns.

        ``empty`` is said where there are no rows.
        """
        if not rows:
            self.say(empty)
        elif self.terminal:
            self._drawn(columns, rows)
        else:
            _aligned([tuple(c.upper() for c in columns), *rows])

    def _drawn(self, columns: Row, rows: Sequence[Row]) -> None:
        from rich.text import Text  # noqa: PLC0415 - only on a terminal

        console = self._console()
        lines = drawn(columns, [[clean(cell) for cell in row] for row in rows], console.width)
        console.print(Text(next(lines), style="bold"), soft_wrap=True)
        for line in lines:
            print(line)

    @contextmanager
    def screen(self) -> Iterator[Callable[[Row, Sequence[Row]], None]]:
        """Have the terminal to oneself while the block runs; what is called with a table shows it.

        What does not fit is counted in the last line.
        """
        from rich.live import Live  # noqa: PLC0415 - only on a terminal
        from rich.text import Text  # noqa: PLC0415

        console = self._console()
        with Live(console=console, screen=True, auto_refresh=False) as live:

            def show(columns: Row, rows: Sequence[Row]) -> None:
                text = "\n".join(_fitting(columns, rows, console.width, console.height))
                live.update(Text(text, no_wrap=True, overflow="crop"), refresh=True)

            yield show

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Progress]:
        """Show how far something has come while the block runs; nothing where no terminal is."""
        if self.quiet or not self.terminal:
            yield Progress()
            return
        from rich import progress  # noqa: PLC0415 - only on a terminal

        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
        )
        with progress.Progress(*columns, console=self._console(), transient=True) as shown:
            yield _Bar(shown, shown.add_task(what, total=total))

    def _console(self) -> Console:
        from rich.console import Console  # noqa: PLC0415

        return Console(highlight=False, emoji=False, markup=False)


class Progress:
    """How far something has come; this one is not shown."""

    def advance(self, key: str) -> None:
        """The part ``key`` of the whole is done."""

    def part(self, key: str, name: str, done: int, total: int) -> None:
        """The part ``key``, shown as ``name``, has come so far."""


class _Bar(Progress):
    """Bars of rich; safe to be told from several threads, each about parts of its own."""

    def __init__(self, shown: Shown, whole: TaskID) -> None:
        self._shown = shown
        self._whole = whole
        self._parts: dict[str, TaskID] = {}

    def advance(self, key: str) -> None:
        """Move the bar of the whole, and take the part's own away."""
        self._shown.advance(self._whole)
        if (task := self._parts.pop(key, None)) is not None:
            self._shown.remove_task(task)

    def part(self, key: str, name: str, done: int, total: int) -> None:
        """Move the bar of a part, which appears with its first step."""
        if key not in self._parts:
            self._parts[key] = self._shown.add_task(clean(name), total=total)
        self._shown.update(self._parts[key], description=clean(name), completed=done, total=total)


def _fitting(columns: Row, rows: Sequence[Row], width: int, height: int) -> list[str]:
    """The lines of a table, as many rows as a screen has lines for."""
    first = [[clean(cell) for cell in row] for row in rows[:height]]
    for count in range(len(first), 0, -1):
        lines = list(drawn(columns, first[:count], width))
        if left := len(rows) - count:
            lines.append(f" ... and {left} more")
        if len(lines) <= height:
            return lines
    return [f" {len(rows)} mailboxes; the window is too small"]


def _aligned(rows: Sequence[Row]) -> None:
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())
