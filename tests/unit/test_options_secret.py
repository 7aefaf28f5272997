"""Passwords are read when needed, and nothing shows them."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import time
from dataclasses import asdict

import msgspec
import pytest

from syncengine.errors import SyncError
from syncengine.options import secret as module
from syncengine.options.schema import Imap4
from syncengine.options.secret import PasswordKey, Secret, SecretUnavailable

PASSWORD = "hunter2-\N{EURO SIGN}"


def command(text: str) -> Secret:
    return Secret(PasswordKey.COMMAND, text, where="mailboxes.101.imap4")


def failure(secret: Secret) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        secret.read()
    assert isinstance(caught.value, SyncError)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_a_password_can_stand_in_the_file_the_environment_a_file_or_a_command(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\r\nand a second line\n")
    file.chmod(0o600)
    monkeypatch.setenv("PETERA", PASSWORD)
    assert Secret(PasswordKey.INLINE, PASSWORD).read() == PASSWORD
    assert Secret(PasswordKey.ENV, "PETERA").read() == PASSWORD
    assert Secret(PasswordKey.FILE, str(file)).read() == PASSWORD
    assert command(f"printf '%s\\nsecond\\n' '{PASSWORD}'").read() == PASSWORD
    assert command(f"cat '{file}'").read() == PASSWORD


def test_a_changed_password_is_taken_up(tmp_path):
    file = tmp_path / "password"
    file.touch(mode=0o600)
    secret = Secret(PasswordKey.FILE, str(file))
    for password in ("one", "two"):
        file.write_text(password)
        assert secret.read() == password


def test_spaces_belong_to_the_password():
    assert command("echo ' a b '").read() == " a b "


def test_a_command_runs_without_a_shell():
    assert command("echo $HOME; echo x").read() == "$HOME; echo x"


@pytest.mark.parametrize("key", list(PasswordKey))
def test_nothing_shows_the_password_or_where_it_is(key):
    secret = Secret(key, PASSWORD, where="mailboxes.101.imap4")
    section = Imap4(password=secret)
    for shown in (
        repr(secret),
        str(secret),
        f"{section}",
        repr(asdict(section)),
        repr(copy.deepcopy(section)),
    ):
        assert "hunter2" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(asdict(section))
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    with pytest.raises(AttributeError, match="frozen"):
        secret.where = "elsewhere"


def test_equal_secrets_are_equal_so_that_a_change_is_noticed():
    assert Secret(PasswordKey.INLINE, "a") == Secret(PasswordKey.INLINE, "a", where="x")
    assert Secret(PasswordKey.INLINE, "a") != Secret(PasswordKey.INLINE, "b")
    assert Secret(PasswordKey.INLINE, "a") != Secret(PasswordKey.ENV, "a")
    assert len({Secret(PasswordKey.INLINE, "a"), Secret(PasswordKey.INLINE, "a")}) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sh -c 'echo hunter2; exit 3'", "sh ended with 3"),
        ("sh -c 'echo hunter2 >&2'", "its first line is empty"),
        ("/no/such/program hunter2", "/no/such/program cannot be run: No such file"),
        ("printf '\\377hunter2'", "its first line is not UTF-8"),
    ],
)
def test_a_command_that_fails_says_so_without_its_output(text, said, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        line = failure(command(text))
    assert line.startswith("mailboxes.101.imap4: password_command: ")
    assert said in line
    assert "hunter2" not in line + caplog.text + "".join(capfd.readouterr())


def test_a_command_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.3)
    begin = time.monotonic()
    assert "did not end within 0.3 s" in failure(command("sh -c 'sleep 60 & wait'"))
    assert time.monotonic() - begin < 10


def test_an_agent_that_keeps_the_pipe_open_does_not_hold_the_password_back():
    begin = time.monotonic()
    assert command("sh -c 'sleep 20 & echo x'").read() == "x"
    assert time.monotonic() - begin < 10


def test_a_command_that_prints_without_end_fills_no_memory(monkeypatch):
    assert command("sh -c 'echo x; yes | head -c 20000000'").read() == "x"
    monkeypatch.setattr(module, "_SECONDS", 0.3)
    assert "did not end" in failure(command("yes hunter2"))


def test_a_file_that_everybody_can_read_or_that_is_none_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text("hunter2")
    file.chmod(0o604)
    assert "is readable by everybody: chmod 600 it" in failure(Secret(PasswordKey.FILE, str(file)))
    assert "cannot be read" in failure(Secret(PasswordKey.FILE, str(tmp_path / "none")))
    assert "no ordinary file" in failure(Secret(PasswordKey.FILE, str(tmp_path)))
    monkeypatch.delenv("PETERA", raising=False)
    assert "PETERA is not set" in failure(Secret(PasswordKey.ENV, "PETERA"))
