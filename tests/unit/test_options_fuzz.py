"""Whatever the files hold, reading them gives settings or one error with one-line problems, nothing else."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.options.edit import set_mailbox, set_system
from syncengine.options.files import load
from syncengine.options.keys import SECTIONS, keys_of, section_keys
from syncengine.options.locate import key_lines
from syncengine.options.problems import InvalidOptions
from syncengine.options.schema import Mailbox, Settings, Sync, System
from syncengine.options.values import Duration

NAMES = ["system", "sync", "mailboxes", "vmconfig", "101", "102", *SECTIONS, *keys_of(System), *keys_of(Sync)]
NAMES += [
    *keys_of(Mailbox),
    *section_keys("imap4"),
    "value",
    "ignore",
    "g_bUseTTS",
    "x",
    "é",
    "a.b",
    'q"',
    "\n",
]
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["tls", "none", "30s", "imap4", "inbox", "a@b.example", "127.0.0.1", "never", "0", "\x00", "'", '"']
    ),
    st.datetimes(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
TREES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
PIECES = st.lists(
    st.sampled_from(
        ["[", "]", "{", "}", "=", ".", ",", "\n", '"', "'", '"""', "'''", "#", "\\", " ", "1", "x"]
    )
    | st.sampled_from(NAMES)
    | st.text(max_size=3),
    max_size=40,
).map("".join)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def write(file: Path, content: str | bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    file.chmod(0o600)


def read(file: Path) -> Settings | None:
    try:
        return load(file)
    except InvalidOptions as error:
        assert error.problems
        for problem in error.problems:
            assert "\n" not in str(problem)
            assert problem.file
        return None


@given(st.binary(max_size=200) | PIECES, st.binary(max_size=100) | PIECES)
@settings(deadline=None)
def test_no_bytes_break_the_reading(main, drop_in):
    with folder() as place:
        write(place / "syncengine.toml", main)
        write(place / "mailboxes.d" / "101.toml", drop_in)
        read(place / "syncengine.toml")


@given(
    TREES, st.dictionaries(st.sampled_from(["system", "sync", "mailboxes", "vmconfig"]), TREES, max_size=4)
)
@settings(max_examples=200, deadline=None)
def test_no_tree_of_values_breaks_the_reading(tree, tables):
    with folder() as place:
        write(place / "syncengine.toml", tomlkit.dumps(tree | tables))
        found = read(place / "syncengine.toml")
        assert found is None or isinstance(found, Settings)


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_no_mailbox_breaks_the_reading(tree):
    with folder() as place:
        write(place / "syncengine.toml", tomlkit.dumps({"mailboxes": {"101": tree}}))
        read(place / "syncengine.toml")


@given(
    st.dictionaries(
        st.sampled_from([*keys_of(Mailbox), "imap4.port", "smtp.password", "x.y", ""]),
        VALUES | st.none(),
        max_size=4,
    ),
    st.sampled_from([*keys_of(System), "g_bUseTTS", "MaxTraceFileSize", "x"]),
    VALUES | st.none(),
)
@settings(max_examples=100, deadline=None)
def test_no_change_breaks_the_file(changes, name, value):
    text = "# kept\n[mailboxes.101]\nlanguage = 'de' # kept too\n"
    with folder() as place:
        file = place / "syncengine.toml"
        write(file, text)
        try:
            set_mailbox(file, "101", changes)
            set_system(file, name, value)
        except InvalidOptions:
            pass
        assert load(file).mailboxes["101"]
        assert "# kept\n" in file.read_text()


@given(TREES)
def test_the_line_of_a_key_is_where_it_stands(tree):
    text = tomlkit.dumps(tree)
    lines = key_lines(text)
    assert {path[0] for path in lines} == set(tomllib.loads(text))
    for path, line in lines.items():
        before = tomllib.loads("\n".join(text.split("\n")[: line - 1]) + "\n")
        assert not holds(before, path)
        assert any(part in text.split("\n")[line - 1] for part in (path[-1], '"', "'"))


def holds(data: object, path: tuple[str, ...]) -> bool:
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


@given(st.text(alphabet="0123456789.smhdneverx- ", max_size=12))
def test_a_duration_is_seconds_or_refused(text):
    for kind in (
        Duration(),
        Duration(least=0.1),
        Duration(never="0", bare_minutes=True),
        Duration(never="never"),
    ):
        try:
            seconds = kind.parse(text)
        except ValueError:
            continue
        assert seconds is None or 0 <= seconds <= 3650 * 86400
        again = kind.parse(kind.show(seconds))
        assert again == seconds or again == pytest.approx(seconds, abs=1e-6)
