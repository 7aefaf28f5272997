"""The manual's Misc Setup rows (page 7) and what they mean here. Pure.

A row is a name, a value and an Ignore digit; Ignore 1 keeps the value and puts the built-in default in force.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from syncengine.options.schema import VmRow

Value = bool | int | str


def _switch(value: Value) -> bool:
    text = str(value).strip().casefold()
    if text in {"1", "true", "yes"}:
        return True
    if text in {"0", "false", "no"}:
        return False
    raise ValueError("True, False, 1 or 0")


def _number(value: Value) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value).strip()):
        raise ValueError("a whole number")
    return int(value)


def _minutes(value: Value) -> str:
    minutes = _number(value)
    return f"{minutes}m" if minutes else "0"


def _protocol(value: Value) -> str:
    # As printed the path is cut off on the left and ends in ".sc"; only the protocol's name in it counts.
    named = {name for name in ("imap4", "pop3") if name in str(value).casefold()}
    if len(named) != 1:
        raise ValueError("a path that names libsmtpimap4.so or libsmtppop3.so")
    return named.pop()


@dataclass(frozen=True, slots=True)
class Meaning:
    """The ``[system]`` key that a row sets, and the ways between their values."""

    key: str
    to_system: Callable[[Value], Value]
    to_row: Callable[[Value], Value]


def _row_minutes(value: Value) -> Value:
    text = str(value)
    match = re.fullmatch(r"([0-9]{1,9})(m|h|d|)", text)
    return int(match[1]) * {"m": 1, "h": 60, "d": 1440, "": 1}[match[2]] if match else text


def _row_path(value: Value) -> Value:
    return f"/usr/local/vm/lib/libsmtp{value}.so"


def _same(value: Value) -> Value:
    return value


MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "MaxTraceFileSize": Meaning("max_trace_file_size", _number, _same),
        "TraceLevelOverride": Meaning("trace_level_override", _switch, _same),
        "g_bEnableSendMsgAsAttachment": Meaning("send_as_attachment", _switch, _same),
        "g_bImap4SyncPendingTimer": Meaning("sync_pending_timer", _minutes, _row_minutes),
        "g_bUseEmailIntegration": Meaning("email_integration", _switch, _same),
        "g_bUseTTS": Meaning("text_to_speech", _switch, _same),
        "g_nRepeatStartUpPeriod": Meaning("repeat_startup_period", _minutes, _row_minutes),
        "g_szEmailDllPath": Meaning("protocol", _protocol, _row_path),
    }
)
"""The rows that mean something here."""

MANUAL_ROWS: Mapping[str, Value] = MappingProxyType(
    {
        "MaxTraceFileSize": 100000,
        "NSLTraceModeOn": 0,
        "NSL_InSkinType": 0,
        "TraceLevelOverride": False,
        "g_bAllowNSL": False,
        "g_bEnableSendMsgAsAttachment": True,
        "g_bImap4SyncPendingTimer": 20,
        "g_bUseAmis": True,
        "g_bUseDesktopMessaging": True,
        "g_bUseEmailIntegration": True,
        "g_bUseTTS": False,
        "g_nNetServiceNumber": 2000,
        "g_nRepeatStartUpPeriod": 5,
        "g_szEmailDllPath": "/usr/local/vm/lib/libsmtpimap4.so",
    }
)
"""Every row of the manual's table with its printed value, in the manual's order."""


def _fold(name: str) -> str:
    # The print takes I, l and 1 for each other ("g_blmap4", "DIIPath") and an underscore for a space.
    return re.sub(r"[\s_]", "", name).casefold().replace("l", "i").replace("1", "i")


_BY_FOLD = {_fold(name): name for name in MANUAL_ROWS}


def canonical(name: str) -> str:
    """Return the manual's name for ``name`` where it is one of its rows, misprinted or not; else ``name``."""
    return _BY_FOLD.get(_fold(name), name)


def meaning_of(name: str) -> Meaning | None:
    """Return what the row means here, None if nothing."""
    return MEANINGS.get(canonical(name))


@dataclass(frozen=True, slots=True)
class Used:
    """A row that sets a key of ``[system]``."""

    name: str
    key: str
    row: VmRow


@dataclass(frozen=True, slots=True)
class Import:
    """What was read from a Misc Setup table."""

    used: tuple[Used, ...] = ()
    kept: Mapping[str, VmRow] = field(default_factory=dict)
    """Rows of the manual that mean nothing here; kept as they are."""
    unknown: Mapping[str, VmRow] = field(default_factory=dict)
    """Rows that the manual does not have; kept too."""
    problems: tuple[str, ...] = ()
    """Lines that could not be taken, each with its number and why."""

    @property
    def rows(self) -> Mapping[str, VmRow]:
        """Every row that was taken, by name."""
        return {used.name: used.row for used in self.used} | dict(self.kept) | dict(self.unknown)


_MOST_BYTES, _MOST_ROWS = 1_000_000, 2000
_ROW_NAME = re.compile(r"[A-Za-z][\w .-]{0,63}")
HEADINGS = {"option", "name", "misc setup"}


def parse_table(text: str) -> Import:
    """Read a Misc Setup table: columns by tabs, spaces, bars, or CSV; name, value, Ignore digit (blank is 0).

    Never raises: what cannot be read is a problem of the result.
    """
    if len(text) > _MOST_BYTES:
        return Import(problems=(f"the table is longer than {_MOST_BYTES} characters",))
    rows: dict[str, VmRow] = {}
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = _cells(line.lstrip("\ufeff"))
        if not cells or cells[0].casefold() in HEADINGS or not line.strip(" \t|-+=:"):
            continue
        try:
            name, row = _row(cells)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        if name not in rows and len(rows) >= _MOST_ROWS:
            problems.append(f"line {number}: more than {_MOST_ROWS} rows")
            break
        rows[name] = row
    return _sorted_out(rows, tuple(problems))


def _sorted_out(rows: Mapping[str, VmRow], problems: tuple[str, ...]) -> Import:
    used = tuple(Used(name, MEANINGS[name].key, row) for name, row in rows.items() if name in MEANINGS)
    rest = {name: row for name, row in rows.items() if name not in MEANINGS}
    kept = {name: row for name, row in rest.items() if name in MANUAL_ROWS}
    unknown = {name: row for name, row in rest.items() if name not in MANUAL_ROWS}
    return Import(used, MappingProxyType(kept), MappingProxyType(unknown), problems)


def _cells(line: str) -> list[str]:
    """Split a line into its columns, blank ones at the end left out."""
    line = line.rstrip("\r\n")
    if "\t" in line:
        cells = line.split("\t")
    elif line.lstrip().startswith("|"):
        cells = line.strip().strip("|").split("|")
    elif "," in line or ";" in line:
        import csv  # noqa: PLC0415 - only for tables of this form

        cells = next(csv.reader([line], delimiter="," if "," in line else ";"), [])
    else:
        cells = _spaced(line.split())
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _spaced(words: list[str]) -> list[str]:
    """Group the words of a line without separators: a printed name may itself hold a space ("g szEmail")."""
    width = 2 if len(words) > 2 and _fold("".join(words[:2])) in _BY_FOLD else 1
    name, rest = " ".join(words[:width]), words[width:]
    if len(rest) > 1 and rest[-1] in {"0", "1"}:
        return [name, " ".join(rest[:-1]), rest[-1]]
    return [name, " ".join(rest)]


def _row(cells: list[str]) -> tuple[str, VmRow]:
    name = canonical(cells[0])
    if not _ROW_NAME.fullmatch(name):
        raise ValueError("this is no row: a name, a value and an Ignore digit are expected")
    if len(cells) not in {2, 3} or not cells[1]:
        raise ValueError(f"{name}: a name, a value and an Ignore digit are expected")
    if len(cells) == 3 and cells[2] not in {"0", "1"}:
        raise ValueError(f"{name}: the Ignore digit is 0 or 1")
    row = VmRow(typed(name, cells[1]), int(cells[2]) if len(cells) == 3 else 0)
    return name, row


def typed(name: str, text: str) -> Value:
    """Return the value of a row as it is kept; raises ``ValueError`` where the row's meaning forbids it."""
    if len(text) > 1000 or not text.isprintable():
        raise ValueError(f"{name}: the value is too long or holds control characters")
    value: Value = text
    if text.casefold() in {"true", "false"}:
        value = text.casefold() == "true"
    elif re.fullmatch(r"-?(0|[1-9][0-9]{0,15})", text):
        value = int(text)
    meaning = MEANINGS.get(name)
    if meaning is not None:
        try:
            system = meaning.to_system(value)
        except ValueError as error:
            raise ValueError(f"{name}: allowed is {error}") from None
        if isinstance(system, bool):
            return system
        if meaning.to_system is _protocol:
            return _row_path(system)
    return value
