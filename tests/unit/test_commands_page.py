"""The page of commands names every command and every option that the parser takes."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from syncengine.cli.call import Exit
from syncengine.cli.parser import COMMANDS, Parser, build
from syncengine.options.tab import Field, all_fields

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


def parsers() -> list[tuple[str, Parser]]:
    parser = build()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for own in commands.choices.values():
        own.fill()
    return [("", parser), *commands.choices.items()]


def section(name: str) -> str:
    """What the page says of a command, with what it says of all of them."""
    begin = PAGE.index(f"\n## `{name}`\n")
    end = PAGE.find("\n## ", begin + 1)
    return PAGE[begin : end if end > 0 else None]


def row(field: Field) -> str:
    flags = ", ".join(f"`{flag}`" for flag in field.flags)
    return f"| {flags} | `{field.name}` | {field.doc} |"


@pytest.mark.parametrize(("name", "parser"), parsers(), ids=lambda p: p if isinstance(p, str) else "")
def test_every_option_of_a_command_stands_on_the_page(name, parser):
    text = PAGE[: PAGE.index("\n## ")] + (section(name) if name else "")
    for action in parser._actions:
        for option in action.option_strings:
            assert re.search(rf"{re.escape(option)}(?![\w-])", text), option


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_every_command_has_an_example_and_its_exit_codes(command):
    text = section(command.name)
    assert f"$ syncengine {command.name}" in text
    assert "Exit codes: 0" in text


def test_the_options_of_a_mailbox_are_the_tabs():
    told = [line for line in section("mailbox").splitlines() if line.startswith("| `--")]
    assert told == [row(field) for field in all_fields()]


def test_every_exit_code_is_explained():
    told = re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)
    assert [int(code) for code in told] == sorted(Exit)


def test_the_help_of_every_command_can_be_printed():
    for name, parser in parsers():
        assert name in parser.format_help()
