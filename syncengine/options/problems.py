"""What is wrong with the options: one line each, with file, line, key, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from syncengine.errors import OptionsError

_MOST = 100


@dataclass(frozen=True, slots=True)
class OptionProblem:
    """One thing that does not hold; ``key`` is the whole dotted key, ``line`` counts from 1."""

    file: str
    line: int | None
    key: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.key, self.text) if part)


class InvalidOptions(OptionsError):
    """The options do not hold; ``problems`` lists everything that was found, a hundred at most."""

    def __init__(self, problems: Iterable[OptionProblem]) -> None:
        found = tuple(problems)
        self.problems = found[:_MOST]
        self.more = len(found) - len(self.problems)
        lines = [str(problem) for problem in self.problems] + ([f"and {self.more} more"] if self.more else [])
        super().__init__("; ".join(lines))


def refuse(file: object, text: str, *, key: str = "", line: int | None = None) -> InvalidOptions:
    """Return the error for a single problem."""
    return InvalidOptions([OptionProblem(str(file), line, key, text)])
