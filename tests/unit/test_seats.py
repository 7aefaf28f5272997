"""Seats over time: who has one keeps it, in this process and in the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.options.files import load

BOX = """\
email_integration = true
email_name = "u@example.com"
delivery = "append"
imap4 = { server = "127.0.0.1", account = "u", password = "secret" }
"""


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "syncengine.toml"
    path.parent.joinpath("mailboxes.d").mkdir()
    seats(path, 2)
    for number in ("102", "103", "104"):
        mailbox(path, number)
    return path


def seats(config: Path, many: int) -> None:
    text = f'[system]\nstate_dir = "{config.parent / "state"}"\ndomain = "pbx.example.com"\nseats = {many}\n'
    config.write_text(text)
    config.chmod(0o600)


def mailbox(config: Path, number: str, *, on: bool = True) -> None:
    file = config.parent / "mailboxes.d" / f"{number}.toml"
    file.write_text(BOX.replace("true", "true" if on else "false", 1))
    file.chmod(0o600)


def off(engine: Engine) -> set[str]:
    """Who is off, in this engine and in another that begins now."""
    with Engine.open(engine.settings) as other:
        for number in other.numbers():
            assert other.off(number) == engine.off(number)
    return {number for number in engine.numbers() if engine.off(number)}


def test_a_mailbox_that_comes_earlier_in_the_order_takes_no_seat_away(config: Path):
    with Engine.open(config) as engine:
        assert off(engine) == {"104"}
        mailbox(config, "101")
        engine.adopt_settings(load(config))
        assert off(engine) == {"101", "104"}
        assert engine.off("101") == "no seat: 4 mailboxes have email_integration = true, seats = 2"


def test_a_smaller_number_switches_nobody_off_and_a_seat_given_up_is_gone(config: Path):
    with Engine.open(config) as engine:
        seats(config, 1)
        engine.adopt_settings(load(config))
        assert off(engine) == {"104"}
        mailbox(config, "102", on=False)
        engine.adopt_settings(load(config))
        assert engine.off("102") == "email_integration is false"
        assert off(engine) == {"102", "104"}
        mailbox(config, "102")
        engine.adopt_settings(load(config))
        assert off(engine) == {"102", "104"}
        seats(config, 2)
        engine.adopt_settings(load(config))
        assert off(engine) == {"104"}
