"""Where the keys of a TOML text stand. Pure.

The text has been parsed before, so only valid TOML 1.0 comes here; tomllib gives values without places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Path = tuple[str, ...]

_BARE = r"[A-Za-z0-9_-]+"
_BASIC = r'"(?:[^"\\\n]|\\.)*"'
_LITERAL = r"'[^'\n]*'"
_PART = re.compile(rf"{_BARE}|{_BASIC}|{_LITERAL}")
_NAME = rf"(?:{_PART.pattern})(?:[ \t]*\.[ \t]*(?:{_PART.pattern}))*"
_HEADER = re.compile(rf"[ \t]*\[(\[)?[ \t]*({_NAME})[ \t]*\]")
_KEY = re.compile(rf"[ \t]*({_NAME})[ \t]*=")
_PIECE = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    rf"|{_BASIC}|{_LITERAL}|#[^\n]*|[\[{{]|[\]}}]|\n|[^\"'#\[\]{{}}\n]+",
    re.DOTALL,
)


def key_lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, at which each table and key first stands. Keys in inline tables have none."""
    lines: dict[Path, int] = {}
    table: Path = ()
    for line, start in _statements(text):
        if header := _HEADER.match(text, start):
            table = _parts(header[2])
            lines.setdefault(table, line)
        elif key := _KEY.match(text, start):
            path = table + _parts(key[1])
            for end in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:end], line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Yield line and offset of every line that is not inside a value."""
    position, line, depth, fresh = 0, 1, 0, True
    while position < len(text):
        if fresh:
            yield line, position
            fresh = False
            if header := _HEADER.match(text, position):
                position = header.end()
            elif key := _KEY.match(text, position):
                position = key.end()
        piece = _PIECE.match(text, position)
        if piece is None:
            position += 1
            continue
        found = piece[0]
        line += found.count("\n")
        depth += (found in "[{") - (found in "]}") if len(found) == 1 else 0
        fresh = found == "\n" and depth <= 0
        position = piece.end()


def _parts(name: str) -> Path:
    import tomllib  # noqa: PLC0415 - unescapes quoted parts; only reached when there is something to report

    return tuple(
        next(iter(tomllib.loads(f"{part}=0"))) if part[0] == '"' else part.strip("'")
        for part in _PART.findall(name)
    )
