"""The options by commands: mailboxes, the system, Misc Setup; passwords are never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.commands import Run, installed, one_line, ran_apart


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return installed(tmp_path / "here")


def test_every_option_of_the_tab_can_be_set_shown_and_taken_out(run):
    options = [
        "--imap4-server", "mail.example.com", "--imap4-ssl", "Yes", "--undo-window", "48h",
        "--copies", "b@example.com c@example.com", "--max-delete-fraction", "50%",
    ]  # fmt: skip
    assert run("mailbox", "set", "101", *options).code == 0
    shown = run("mailbox", "show", "101", "--json").json
    assert list(shown) == ["mailbox", "file", "options"]
    assert shown["options"]["imap4.security"] == "tls"
    assert shown["options"]["copies"] == ["b@example.com", "c@example.com"]
    assert shown["options"]["max_delete_fraction"] == 0.5
    assert re.search(r"undo_window +2d", run("mailbox", "show", "101").out)
    run("mailbox", "set", "101", "--imap4-server", "")
    assert run("mailbox", "show", "101", "--json").json["options"]["imap4.server"] == ""


def test_a_password_is_never_shown_and_can_come_from_standard_input(run, tmp_path):
    config = tmp_path / "here" / "syncengine.toml"
    words = ("mailbox", "set", "101", "--imap4-password", "-", "--smtp-password", "sesame-2")
    assert ran_apart(*words, "--config", config, stdin=b"sesame-1\n").code == 0
    text = (tmp_path / "here" / "mailboxes.d" / "101.toml").read_text()
    assert "sesame-1" in text
    shown = run("mailbox", "show", "101").out + run("mailbox", "show", "101", "--json").out
    assert "sesame" not in shown
    assert "(set)" in shown
    run("mailbox", "set", "101", "--imap4-password-command", "echo sesame-3")
    assert "sesame" not in run("mailbox", "show", "101").out
    assert ran_apart(*words, "--config", config, stdin=b"").code == 2


def test_a_value_that_does_not_hold_is_refused_by_name_and_nothing_is_changed(run, tmp_path):
    file = tmp_path / "here" / "mailboxes.d" / "101.toml"
    before = file.read_text()
    ran = run("mailbox", "set", "101", "--imap4-port", "99999", "--sync-mode", "inbox")
    assert ran.code == 2
    assert "mailboxes.101.imap4.port" in ran.err
    assert file.read_text() == before


def test_a_port_that_does_not_fit_is_warned_of(run):
    ran = run("mailbox", "set", "101", "--imap4-server", "localhost", "--imap4-port", "143")
    assert ran.code == 0
    assert "mailboxes.101.imap4.port" in ran.err
    assert run("-q", "mailbox", "list").err == ""


def test_mailboxes_are_listed_and_removed(run):
    (found,) = run("mailbox", "list", "--json").json
    assert list(found) == ["mailbox", "email_integration", "email_name", "protocol", "sync_mode", "file"]
    assert run("mailbox", "remove", "101").code == 0
    assert not Path(found["file"]).exists()
    assert run("mailbox", "list", "--json").json == []
    assert "there is no mailbox yet" in run("resync").out


def test_the_system_is_shown_and_set_by_key_and_by_row(run):
    assert run("system", "set", "seats", "25").out == "seats = 25\n"
    assert run("system", "set", "g_bUseTTS", "True").code == 0
    shown = run("system", "show", "--json").json
    assert list(shown) == ["system", "vmconfig"]
    assert (shown["system"]["seats"], shown["system"]["text_to_speech"]) == (25, True)
    assert shown["vmconfig"]["g_bUseTTS"] == {"value": True, "ignore": 0}
    run("system", "set", "g_bUseTTS", "--ignore", "1")
    assert run("system", "show", "--json").json["system"]["text_to_speech"] is False
    assert run("system", "show", "seats").out.split() == ["NAME", "VALUE", "IGNORE", "seats", "25"]


def test_a_misc_setup_table_is_taken_over_and_said_row_by_row(run, tmp_path):
    table = tmp_path / "table.txt"
    table.write_text("Option\tValue\tIgnore\ng_bUseTTS\tTrue\t0\ng_bUseAmis\tTrue\t\n")
    ran = run("import-vmconfig", table)
    assert (ran.code, ran.err) == (0, "")
    assert "used: g_bUseTTS = True, as text_to_speech" in ran.out
    assert "kept, means nothing here: g_bUseAmis" in ran.out
    table.write_text("g_bUseTTS,False,0\ng_bImap4SyncPendingTimer,soon,0\n")
    ran = run("import-vmconfig", table, "--json")
    assert ran.code == 1
    assert one_line(ran.err)
    assert list(ran.json) == ["used", "kept", "unknown", "problems"]
    assert run("system", "show", "--json").json["system"]["text_to_speech"] is False
    for text in ("", "\x00\x01"):
        table.write_text(text)
        assert run("import-vmconfig", table).code == 2
