"""The page of options says what the schema says, key by key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncengine.options.check import port_warnings
from syncengine.options.files import load
from syncengine.options.keys import SECTIONS, Key, keys_of, section_keys
from syncengine.options.schema import Mailbox, Sync, System
from syncengine.options.vmconfig import MANUAL_ROWS, MEANINGS

PAGE = Path(__file__).parents[2] / "docs" / "options.md"
TABLES = {"[system]": keys_of(System), "[sync]": keys_of(Sync), "[mailboxes.NUMBER]": keys_of(Mailbox)}
TABLES |= {f"[mailboxes.NUMBER.{name}]": section_keys(name) for name in SECTIONS}


def row(key: Key) -> str:
    default = key.default_text if key.about.shown else f"`{key.default_text}`"
    return f"| `{key.name}` | {key.about.doc} | {default} | {key.allowed} | {key.about.label} |"


def section(heading: str) -> list[str]:
    text = PAGE.read_text()
    begin = text.index(f"\n## `{heading}`\n")
    end = text.find("\n## ", begin + 1)
    return [line for line in text[begin:end].splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_stands_on_the_page_with_its_meaning_default_and_label(heading):
    assert section(heading) == [row(key) for key in TABLES[heading].values()]


def test_every_row_of_the_manual_stands_on_the_page_with_its_meaning():
    wanted = [
        f"| `{name}` | {f'`{MEANINGS[name].key}`' if name in MEANINGS else ''} |" for name in MANUAL_ROWS
    ]
    assert section("[vmconfig]") == wanted


def test_the_examples_on_the_page_hold(tmp_path):
    for number, example in enumerate(re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)):
        file = tmp_path / str(number) / "syncengine.toml"
        file.parent.mkdir()
        file.write_text(example)
        file.chmod(0o600)
        assert port_warnings(load(file)) == ()
