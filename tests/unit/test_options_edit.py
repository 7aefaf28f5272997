"""Changing the files of options: comments stay, what does not hold changes nothing, no half file."""

from __future__ import annotations

import threading
import tomllib
from pathlib import Path

import pytest

from syncengine.errors import OptionsError
from syncengine.options import atomic
from syncengine.options.edit import (
    ChangedMeanwhile,
    add_mailbox,
    import_rows,
    place_of,
    remove_mailbox,
    set_mailbox,
    set_system,
    version_of,
)
from syncengine.options.files import load
from syncengine.options.install import init, installation_key, key_file, sample
from syncengine.options.problems import InvalidOptions
from syncengine.options.schema import SendMode, VmRow
from syncengine.options.vmconfig import parse_table

MAIN = """# the office
[system]
seats = 2   # two are paid for

# Peter
[mailboxes.101]
email_name = "petera"  # his name
[mailboxes.101.imap4]
# the server
server = "imap.example"
password_env = "PETERA"

[mailboxes.102]
"""
COMPLETE = {
    "email_integration": True,
    "email_name": "a@b.example",
    "smtp.server": "smtp.b.example",
    "imap4.server": "imap.b.example",
    "imap4.account": "a",
    "imap4.password": "hunter2",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "syncengine.toml"
    file.write_text(MAIN)
    file.chmod(0o600)
    return file


def unfinished(folder: Path) -> list[Path]:
    return [file for file in folder.rglob(".*") if file.is_file()]


def test_a_mailbox_is_changed_where_it_stands_and_comments_stay(config):
    assert (
        set_mailbox(config, "101", {"send_mode": "fax", "imap4.port": 1993, "smtp.server": "smtp.example"})
        == config
    )
    text = config.read_text()
    for comment in ("# the office", "# two are paid for", "# Peter", "# his name", "# the server"):
        assert comment in text
    mailbox = load(config).mailboxes["101"]
    assert (mailbox.send_mode, mailbox.imap4.port, mailbox.smtp.server) == (
        SendMode.FAX,
        1993,
        "smtp.example",
    )
    assert mailbox.email_name == "petera"
    assert unfinished(config.parent) == []


def test_a_new_mailbox_gets_a_drop_in_of_its_owners_alone(config):
    file = add_mailbox(config, "7", COMPLETE)
    assert file == config.parent / "mailboxes.d" / "7.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    password = load(config).mailboxes["7"].imap4.password
    assert password is not None
    assert password.read() == "hunter2"
    assert place_of(config, "7") == file
    assert place_of(config, "101") == config
    assert place_of(config, "8") is None


def test_a_drop_in_keeps_its_comments_its_order_and_its_mode(config):
    file = add_mailbox(config, "7", {"email_name": "a"})
    file.write_text('# Alice\nemail_name = "a" # her\n\n[smtp] # out\nserver = "s"\n# end\n')
    file.chmod(0o640)
    set_mailbox(config, "7", {"smtp.server": "t", "language": "de", "email_name": None})
    text = file.read_text()
    assert text.startswith("# Alice\n")
    assert "[smtp] # out" in text
    assert "# end" in text
    assert tomllib.loads(text) == {"language": "de", "smtp": {"server": "t"}}
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"imap4.port": 0}, "mailboxes.101.imap4.port: found 0"),
        ({"imap4.prot": 1}, "mailboxes.101.imap4.prot: there is no such key, did you mean port?"),
        ({"email_integration": True}, "mailboxes.101.smtp.server: email_integration = true needs"),
        ({"send_mode": "all\nmy = 1"}, "mailboxes.101.send_mode: found"),
        ({"imap4": "x"}, "does not fit|unusual|found a text"),
        ({"email_name.x": "x"}, "does not fit the file"),
        ({"sync_mode": object()}, "does not fit the file"),
        ({"email_name": "\udcff"}, "does not fit the file"),
    ],
)
def test_a_change_that_does_not_hold_leaves_the_old_file(config, changes, said):
    before = config.read_bytes()
    with pytest.raises(InvalidOptions, match=said):
        set_mailbox(config, "101", changes)
    assert config.read_bytes() == before
    assert unfinished(config.parent) == []


def test_a_new_mailbox_that_does_not_hold_leaves_no_file(config):
    with pytest.raises(InvalidOptions, match="account"):
        add_mailbox(config, "7", {"pop3.server": "x"})
    assert list((config.parent).rglob("7*")) == []


@pytest.mark.parametrize("number", ["../7", "", "a b", "7/8", ".", "7\n", "x" * 40])
def test_a_number_that_is_no_file_name_is_refused(config, number):
    for act in (add_mailbox, set_mailbox):
        with pytest.raises(InvalidOptions):
            act(config, number, {"email_name": "a"})
    with pytest.raises(InvalidOptions):
        remove_mailbox(config, number)


def test_a_mailbox_is_added_once(config):
    add_mailbox(config, "7", {})
    for number in ("7", "101"):
        with pytest.raises(InvalidOptions, match="there is such a mailbox already"):
            add_mailbox(config, number, {})


def test_a_mailbox_is_removed_where_it_stands(config):
    add_mailbox(config, "7", {})
    remove_mailbox(config, "7")
    remove_mailbox(config, "101")
    assert list(load(config).mailboxes) == ["102"]
    assert "# two are paid for" in config.read_text()
    with pytest.raises(InvalidOptions, match="there is no such mailbox"):
        remove_mailbox(config, "7")


def test_giving_a_password_in_one_way_takes_the_other_ways_out(config):
    set_mailbox(config, "101", {"imap4.password_command": "pass petera"})
    assert tomllib.loads(config.read_text())["mailboxes"]["101"]["imap4"] == {
        "server": "imap.example",
        "password_command": "pass petera",
    }
    with pytest.raises(InvalidOptions, match="only one of them may"):
        set_mailbox(config, "101", {"imap4.password_file": "a", "imap4.password": "b"})


def test_a_second_editor_is_told_that_the_file_changed(config):
    seen = version_of(config)
    set_mailbox(config, "101", {"language": "de"}, expected_version=seen)
    with pytest.raises(ChangedMeanwhile, match="was changed meanwhile") as caught:
        set_mailbox(config, "101", {"language": "fr"}, expected_version=seen)
    assert isinstance(caught.value, OptionsError)
    assert load(config).mailboxes["101"].language == "de"


def test_editors_at_the_same_time_lose_nothing(config):
    def edit(key: str) -> None:
        set_mailbox(config, "101", {key: "1h"})

    keys = ["poll_interval", "idle_poll_interval", "undo_window", "command_timeout", "delivery_expiry"]
    threads = [threading.Thread(target=edit, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sync = load(config).mailboxes["101"].sync
    assert [getattr(sync, key) for key in keys] == [3600.0] * 5


def test_a_broken_file_elsewhere_keeps_nobody_from_mending_another(config):
    broken = config.parent / "mailboxes.d" / "9.toml"
    add_mailbox(config, "9", {})
    broken.write_text("this is = = no TOML")
    set_mailbox(config, "101", {"language": "de"})
    assert 'language = "de"' in config.read_text()
    with pytest.raises(InvalidOptions, match="mend it by hand"):
        set_mailbox(config, "9", {"language": "de"})


def test_one_mailbox_more_than_the_seats_is_refused(config):
    add_mailbox(config, "1", COMPLETE)
    add_mailbox(config, "2", COMPLETE)
    with pytest.raises(InvalidOptions, match=r"mailboxes\.3\.email_integration: no seat: 3 mailboxes"):
        add_mailbox(config, "3", COMPLETE)
    set_system(config, "seats", 1)
    set_mailbox(config, "2", {"language": "de"})


@pytest.mark.parametrize(
    "text",
    [
        "[mailboxes]\n101 = {language='de', smtp={port=25}} # c\n[sync]\nidle=true\n",
        "[mailboxes.101]\nlanguage='de'\n[sync]\nidle=true\n[mailboxes.102]\nlanguage='fr'\n",
        "[mailboxes.101]\r\nlanguage='de'\r\n# x\r\n",
        "[mailboxes.'101']\n",
        "[mailboxes]\n[mailboxes.101.smtp]\nport=1\n",
        "\ufeff[mailboxes.101]\n",
    ],
)
def test_every_usual_form_of_the_file_can_be_changed(config, text):
    config.write_bytes(text.encode())
    others = [number for number in load(config).mailboxes if number != "101"]
    set_mailbox(config, "101", {"language": "it", "imap4.port": 99, "undo_window": "1h"})
    set_system(config, "seats", 3)
    mailbox = load(config).mailboxes["101"]
    assert (mailbox.language, mailbox.imap4.port, mailbox.sync.undo_window) == ("it", 99, 3600)
    remove_mailbox(config, "101")
    assert list(load(config).mailboxes) == others


def test_a_form_that_the_change_would_garble_is_left_alone(config):
    text = "mailboxes.101.language='de'\nmailboxes.101.smtp.port=25\nmailboxes.102.language='fr'\n"
    config.write_text(text)
    with pytest.raises(InvalidOptions, match="too unusual for this change: change it by hand"):
        set_mailbox(config, "101", {"imap4.port": 99, "undo_window": "1h"})
    assert config.read_text() == text


def test_a_link_to_the_configuration_stays_a_link(config, tmp_path):
    link = tmp_path / "here" / "syncengine.toml"
    link.parent.mkdir()
    link.symlink_to(config)
    set_system(link, "seats", 5)
    assert link.is_symlink()
    assert load(config).system.seats == 5


def test_a_failed_write_leaves_the_old_file_and_no_other(config, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = config.read_bytes()
    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(InvalidOptions, match="cannot be written: No space left"):
        set_system(config, "seats", 5)
    assert config.read_bytes() == before
    assert unfinished(config.parent) == []


def test_a_system_option_is_set_and_taken_out(config):
    set_system(config, "sync_pending_timer", "45m")
    assert load(config).system.sync_pending_timer == 2700
    set_system(config, "sync_pending_timer", None)
    assert load(config).system.sync_pending_timer == 1200
    with pytest.raises(InvalidOptions, match="did you mean seats"):
        set_system(config, "seat", 1)
    with pytest.raises(InvalidOptions, match=r"system\.seats: found -1"):
        set_system(config, "seats", -1)


def test_a_misc_setup_row_sets_its_system_key_and_keeps_its_ignore_digit(config):
    set_system(config, "g_bUseTTS", "True")
    assert load(config).system.text_to_speech is True
    set_system(config, "g_bUseTTS", ignore=1)
    settings = load(config)
    assert settings.system.text_to_speech is False
    assert settings.vmconfig["g_bUseTTS"] == VmRow(True, 1)
    assert "g_bUseTTS = {value = true, ignore = 1}" in config.read_text()
    set_system(config, "g bUseTTS", ignore=0)
    assert load(config).system.text_to_speech is True


def test_a_row_without_a_meaning_is_kept_and_a_wrong_value_refused(config):
    set_system(config, "g_nNetServiceNumber", "2001")
    assert load(config).vmconfig["g_nNetServiceNumber"] == VmRow(2001, 0)
    with pytest.raises(InvalidOptions, match=r"vmconfig\.g_bUseTTS: allowed is True, False, 1 or 0"):
        set_system(config, "g_bUseTTS", "perhaps")
    with pytest.raises(InvalidOptions, match="there is no such option of the system"):
        set_system(config, "g_nSomethingElse", "1")


def test_setting_a_system_key_keeps_its_row_in_step(config):
    set_system(config, "g_szEmailDllPath", "/usr/local/vm/lib/libsmtppop3.so")
    set_system(config, "protocol", "imap4")
    settings = load(config)
    assert settings.system.protocol == "imap4"
    assert settings.vmconfig["g_szEmailDllPath"].value == "/usr/local/vm/lib/libsmtpimap4.so"


def test_an_imported_table_is_written_as_a_whole(config):
    table = "MaxTraceFileSize\t5000\t0\ng_blmap4SyncPendingTimer\t30\t1\ng_bUseAmis\tTrue\t\nOwnRow\tx\t0\n"
    import_rows(config, parse_table(table))
    settings = load(config)
    assert settings.system.max_trace_file_size == 5000
    assert settings.system.sync_pending_timer == 1200
    assert dict(settings.vmconfig) == {
        "MaxTraceFileSize": VmRow(5000),
        "g_bImap4SyncPendingTimer": VmRow(30, 1),
        "g_bUseAmis": VmRow(True),
        "OwnRow": VmRow("x"),
    }
    before = config.read_bytes()
    with pytest.raises(InvalidOptions, match="max_trace_file_size"):
        import_rows(config, parse_table("g_bUseTTS\tTrue\nMaxTraceFileSize\t0\n"))
    assert config.read_bytes() == before


def test_init_writes_a_sample_the_key_and_the_folders(tmp_path):
    config = tmp_path / "new" / "syncengine.toml"
    state = tmp_path / 'st"ate'
    made = init(config, state)
    assert made == (config, config.parent / "mailboxes.d", state, key_file(config))
    assert all(file.exists() for file in made)
    assert {file.stat().st_mode & 0o777 for file in (config, key_file(config))} == {0o600}
    assert load(config).system.state_dir == state
    before = config.read_bytes()
    with pytest.raises(InvalidOptions, match="is there already"):
        init(config, state)
    assert config.read_bytes() == before


def test_every_line_of_the_sample_holds_when_it_is_switched_on(tmp_path):
    config = tmp_path / "syncengine.toml"
    config.write_text(sample(tmp_path).replace("#: ", ""))
    config.chmod(0o600)
    settings = load(config)
    assert settings.mailboxes["101"].synchronises
    config.write_text("")
    assert load(config).sync == settings.sync


def test_the_key_is_made_once_and_never_anew(config):
    with pytest.raises(InvalidOptions, match="cannot be read"):
        installation_key(config, create=False)
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(installation_key(config))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys[0].secret) == 32
    assert len(keys) == 8
    assert keys[0].secret.hex() not in repr(keys[0])
    assert unfinished(config.parent) == []


def test_a_key_that_everybody_can_read_or_that_is_damaged_is_refused(config):
    installation_key(config)
    file = key_file(config)
    file.chmod(0o644)
    with pytest.raises(InvalidOptions, match="readable by everybody"):
        installation_key(config)
    file.chmod(0o600)
    for text in (
        "",
        "system_id = 3",
        'system_id = "a"\nsecret = "zz"',
        'system_id = "a\\n"\nsecret = "' + "00" * 32 + '"',
    ):
        file.write_text(text)
        with pytest.raises(InvalidOptions, match="holds no key"):
            installation_key(config)
        assert file.read_text() == text
