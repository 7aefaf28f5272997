"""Reading the options: what is taken, and how what does not hold is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.errors import OptionsError
from syncengine.model import SearchMode, Security
from syncengine.options.check import port_warnings, seats_off
from syncengine.options.files import examine, examine_part, find_config, load
from syncengine.options.problems import InvalidOptions
from syncengine.options.schema import (
    Authentication,
    DeliveryBy,
    FoldersMode,
    PendingExpiry,
    Protocol,
    SendMode,
    Settings,
    SyncMode,
)

IMAP = """
[mailboxes.101]
email_integration = true
email_name = "petera@ctlinc.example"
[mailboxes.101.smtp]
server = "mail.ctlinc.example"
[mailboxes.101.imap4]
server = "mail.ctlinc.example"
account = "petera@ctlinc.example"
password_env = "PETERA"
"""


def read(folder: Path, text: str, *, mode: int = 0o600, **drop_ins: str) -> Settings:
    folder.chmod(0o755)
    file = folder / "syncengine.toml"
    file.write_text(text)
    file.chmod(mode)
    (folder / "mailboxes.d").mkdir(exist_ok=True)
    for number, content in drop_ins.items():
        drop_in = folder / "mailboxes.d" / f"{number.removeprefix('n')}.toml"
        drop_in.write_text(content)
        drop_in.chmod(mode)
    return load(file)


def problems(folder: Path, text: str, *, mode: int = 0o600, **drop_ins: str) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        read(folder, text, mode=mode, **drop_ins)
    assert isinstance(caught.value, InvalidOptions)
    lines = [str(problem) for problem in caught.value.problems]
    assert all("\n" not in line for line in lines)
    return [line.replace(f"{folder}/", "") for line in lines]


def test_an_empty_file_gives_the_defaults(tmp_path):
    settings = read(tmp_path, "")
    assert settings.mailboxes == {}
    assert settings.system.state_dir == tmp_path / "state"
    assert settings.system.email_integration is True
    assert settings.system.protocol is Protocol.IMAP4
    assert settings.system.sync_pending_timer == 1200
    assert settings.system.repeat_startup_period == 300
    assert settings.system.seats == 10
    assert settings.sync.poll_interval == 30
    assert settings.sync.idle_poll_interval == 300
    assert settings.sync.undo_window == settings.sync.brake_release == 86400
    assert settings.sync.delivery_expiry == 3 * 86400
    assert settings.sync.max_delete_fraction == 0.2
    assert settings.sync.pending_expiry is PendingExpiry.KEEP


def test_a_mailbox_left_blank_has_the_defaults_of_the_email_tab(tmp_path):
    mailbox = read(tmp_path, "[mailboxes.101]").mailboxes["101"]
    assert mailbox.email_integration is False
    assert mailbox.send_mode is SendMode.VOICE_AND_FAX
    assert mailbox.sync_mode is SyncMode.ALL_FOLDERS
    assert mailbox.delivery is DeliveryBy.SMTP
    assert mailbox.smtp.authentication is Authentication.NONE
    assert mailbox.imap4.authentication is Authentication.PLAIN
    assert mailbox.imap4.search_mode is SearchMode.AUTO
    assert mailbox.pop3.search_limit == 200
    assert {mailbox.smtp.security, mailbox.imap4.security, mailbox.pop3.security} == {Security.TLS}
    assert (mailbox.smtp.port, mailbox.imap4.port, mailbox.pop3.port) == (465, 993, 995)
    assert not mailbox.synchronises


@pytest.mark.parametrize(
    ("security", "ports"), [("none", (25, 143, 110)), ("starttls", (587, 143, 110)), ("tls", (465, 993, 995))]
)
def test_a_port_left_out_follows_the_security_setting(tmp_path, security, ports):
    text = "".join(f'[mailboxes.1.{name}]\nsecurity = "{security}"\n' for name in ("smtp", "imap4", "pop3"))
    mailbox = read(tmp_path, text).mailboxes["1"]
    assert (mailbox.smtp.port, mailbox.imap4.port, mailbox.pop3.port) == ports


def test_a_mailbox_takes_the_systems_values_and_lays_its_own_over_them(tmp_path):
    text = """
[system]
protocol = "pop3"
language = "de"
lamp_command = ["/bin/lamp", "-x"]
[sync]
poll_interval = "20s"
undo_window = "1h"
[mailboxes.1]
[mailboxes.2]
protocol = "imap4"
language = "fr-CA"
lamp_command = []
undo_window = "2h"
folders = "listed"
"""
    settings = read(tmp_path, text)
    one, two = settings.mailboxes.values()
    assert (one.protocol, one.language, one.lamp_command) == (Protocol.POP3, "de", ("/bin/lamp", "-x"))
    assert one.sync == settings.sync
    assert (two.protocol, two.language, two.lamp_command) == (Protocol.IMAP4, "fr-CA", ())
    assert (two.sync.poll_interval, two.sync.undo_window) == (20, 7200)
    assert two.sync.folders is FoldersMode.LISTED


def test_a_drop_in_is_read_as_the_mailbox_of_its_name(tmp_path):
    text = 'email_name = "a@b.example"\n[imap4]\nserver = "imap.b.example"\n'
    settings = read(tmp_path, "[mailboxes.300]\n[mailboxes.2]", n101=text, n20="", n1000="")
    assert list(settings.mailboxes) == ["300", "2", "20", "101", "1000"]
    assert settings.mailboxes["101"].imap4.server == "imap.b.example"


def test_a_mailbox_in_both_files_is_refused(tmp_path):
    (line,) = problems(tmp_path, "[mailboxes.101]", n101="")
    assert line.startswith("mailboxes.d/101.toml: mailboxes.101: this mailbox stands in syncengine.toml too")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ('"20m"', 1200),
        ("20", 1200),
        ('"20"', 1200),
        ('"90s"', 90),
        ('"1.5h"', 5400),
        ('"0"', None),
        ("0", None),
    ],
)
def test_a_bare_pending_timer_means_minutes_and_zero_for_ever(tmp_path, written, seconds):
    assert read(tmp_path, f"[system]\nsync_pending_timer = {written}").system.sync_pending_timer == seconds


@pytest.mark.parametrize(
    "written", ["30", '"30"', '"x"', '"-1s"', "true", '"never"', '"1e3s"', '"9999999d"', "[]", '"0"']
)
def test_another_duration_needs_a_unit(tmp_path, written):
    (line,) = problems(tmp_path, f"[sync]\npoll_interval = {written}")
    assert line.startswith("syncengine.toml, line 2: sync.poll_interval: found ")
    assert "allowed is a duration like" in line


def test_the_brake_may_never_be_released(tmp_path):
    assert read(tmp_path, '[sync]\nbrake_release = "never"').sync.brake_release is None


def test_every_problem_is_reported_with_its_line(tmp_path):
    text = """# a comment
[system]
seats = "many"
stat_dir = "/x"
colours = 3

[mailboxes.101]
sync_mode = "everything"
max_delete_fraction = nan
copies = ["a@b.example",
  "two words"]
smtp.port = 70000
[mailboxes."a/../b"]
[mailboxes.102.imap4]
pasword = "hunter2"
security = 3
[nonsense]
"""
    lines = problems(tmp_path, text)
    assert [line.removeprefix("syncengine.toml, line ") for line in lines] == [
        '3: system.seats: found "many", allowed is a whole number, at least 0',
        "4: system.stat_dir: there is no such key, did you mean state_dir?",
        "5: system.colours: there is no such key",
        '8: mailboxes.101.sync_mode: found "everything", allowed is '
        '"all-folders", "inbox", "voice-mail-folder" or "none"',
        "9: mailboxes.101.max_delete_fraction: found nan, allowed is a number from 0 to 1",
        "10: mailboxes.101.copies: found a list, allowed is a list of e-mail addresses",
        "12: mailboxes.101.smtp.port: found 70000, allowed is a whole number from 1 to 65535",
        '13: mailboxes."a/../b": allowed is a mailbox number: up to 32 digits, letters, - or _',
        "15: mailboxes.102.imap4.pasword: there is no such key, did you mean password?",
        '16: mailboxes.102.imap4.security: found 3, allowed is "none", "starttls" or "tls"',
        "17: nonsense: there is no such key",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = \n", "line 1: this is no TOML: Invalid value"),
        ("\n[system]\n[system]\n", "line 3: this is no TOML: Cannot declare"),
        (f"a = {'9' * 5000}\n", "this is no TOML: a number or nesting without end"),
        (f"a = {'[' * 100_000}\n", "this is no TOML: a number or nesting without end"),
        ("system = 3\n", "line 1: system: found a number, allowed is a table"),
        ("[mailboxes]\n101 = 'x'\n", "line 2: mailboxes.101: found a text, allowed is a table"),
        (
            "[mailboxes.101]\nsmtp = 'secret'\n",
            "line 2: mailboxes.101.smtp: found a text, allowed is a table",
        ),
    ],
)
def test_what_is_no_toml_or_no_table_is_said_with_its_line(tmp_path, text, said):
    line = problems(tmp_path, text)[0]
    assert said in line
    assert "secret" not in line


def test_bytes_that_are_no_utf8_are_refused_with_their_line(tmp_path):
    file = tmp_path / "syncengine.toml"
    file.write_bytes(b"[system]\ndomain = '\xff'\n")
    with pytest.raises(InvalidOptions, match="line 2: this is no UTF-8"):
        load(file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InvalidOptions, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(InvalidOptions, match=r"no ordinary file|Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["..toml", "a b.toml", "101 (copy).toml", "x" * 33 + ".toml", "-.toml"])
def test_a_drop_in_whose_name_is_no_number_is_refused(tmp_path, name):
    (tmp_path / "mailboxes.d").mkdir()
    (tmp_path / "mailboxes.d" / name).write_text("")
    if name.startswith("."):
        read(tmp_path, "")
        return
    (line,) = problems(tmp_path, "")
    assert "the file's name must be a mailbox number" in line


def test_unfinished_files_of_editors_are_passed_over(tmp_path):
    (tmp_path / "mailboxes.d").mkdir()
    for name in (".101.toml.swp", "101.toml~", ".101.toml", "README"):
        (tmp_path / "mailboxes.d" / name).write_text("not TOML at all")
    assert read(tmp_path, "").mailboxes == {}


@pytest.mark.parametrize(
    ("removed", "key"),
    [
        ('email_name = "petera@ctlinc.example"', "mailboxes.101.email_name"),
        ('[mailboxes.101.smtp]\nserver = "mail.ctlinc.example"', "mailboxes.101.smtp.server"),
        ('account = "petera@ctlinc.example"', "mailboxes.101.imap4.account"),
        ('password_env = "PETERA"', "mailboxes.101.imap4.password"),
        ('[mailboxes.101.imap4]\nserver = "mail.ctlinc.example"', "mailboxes.101.imap4.server"),
    ],
)
def test_integration_without_what_it_needs_is_refused_naming_the_key(tmp_path, removed, key):
    assert removed in IMAP
    read(tmp_path, IMAP)
    text = IMAP.replace(removed, "")
    lines = problems(
        tmp_path,
        text if "imap4.server" not in key else text.replace("account", "# ").replace("password", "# "),
    )
    assert [line for line in lines if f": {key}: " in line], lines
    read(
        tmp_path,
        text.replace("email_integration = true", "").replace("account", "#").replace("password", "#"),
    )


def test_append_needs_no_smtp_server_but_a_folder_that_is_synchronised(tmp_path):
    appending = IMAP.replace("email_name", 'delivery = "append"\nemail_name').replace(
        "[mailboxes.101.smtp]\nserver", "#"
    )
    assert read(tmp_path, appending).mailboxes["101"].delivery is DeliveryBy.APPEND
    (line,) = problems(tmp_path, appending.replace("email_name", 'sync_mode = "none"\nemail_name'))
    assert 'mailboxes.101.delivery: found "append", which needs a sync_mode other than "none"' in line
    (line,) = problems(tmp_path, appending.replace("email_name", 'protocol = "pop3"\nemail_name'))
    assert 'mailboxes.101.delivery: found "append", which needs the protocol "imap4"' in line


def test_copies_beside_append_need_an_smtp_server_and_its_login(tmp_path):
    appending = IMAP.replace("email_name", 'delivery = "append"\ncopies = ["x@example.com"]\nemail_name')
    login = appending.replace("[mailboxes.101.smtp]", '[mailboxes.101.smtp]\nauthentication = "plain"')
    assert read(tmp_path, appending).mailboxes["101"].uses_smtp
    (line,) = problems(tmp_path, appending.replace("[mailboxes.101.smtp]\nserver", "#"))
    assert "mailboxes.101.copies: they need an SMTP server" in line
    assert [line.split(": ")[1] for line in problems(tmp_path, login)] == [
        "mailboxes.101.smtp.account",
        "mailboxes.101.smtp.password",
    ]


def test_sending_only_and_pop3_need_no_imap_server(tmp_path):
    sending = IMAP[: IMAP.index("[mailboxes.101.imap4]")]
    for line in ('sync_mode = "none"', 'protocol = "pop3"'):
        mailbox = read(tmp_path, sending.replace("email_name", f"{line}\nemail_name")).mailboxes["101"]
        assert not mailbox.synchronises


def test_a_pop3_server_needs_an_account(tmp_path):
    (line,) = problems(tmp_path, "[mailboxes.101.pop3]\nserver = 'pop.example'")
    assert line == "syncengine.toml, line 1: mailboxes.101.pop3.account: a POP3 server needs an account"


def test_smtp_authentication_needs_an_account_and_a_password(tmp_path):
    lines = problems(
        tmp_path, IMAP.replace("[mailboxes.101.imap4]", 'authentication = "plain"\n[mailboxes.101.imap4]')
    )
    assert [line.split(": ")[1] for line in lines] == [
        "mailboxes.101.smtp.account",
        "mailboxes.101.smtp.password",
    ]


def test_each_protocol_takes_its_own_authentications(tmp_path):
    lines = problems(
        tmp_path,
        "[mailboxes.1.smtp]\nauthentication='oauthbearer'\n[mailboxes.1.imap4]\nauthentication='none'\n"
        "[mailboxes.1.pop3]\nauthentication='plain'\n",
    )
    assert [line.split(": ")[1] for line in lines] == [
        "mailboxes.1.smtp.authentication",
        "mailboxes.1.imap4.authentication",
        "mailboxes.1.pop3.authentication",
    ]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "imap.localhost", "127.0.0.1", "127.8.9.10", "::1", "[::1]"]
)
def test_plaintext_on_loopback_is_allowed(tmp_path, host):
    read(tmp_path, IMAP.replace("server = ", f'security = "none"\nserver = "{host}" #'))


@pytest.mark.parametrize(
    "host", ["mail.example", "10.0.0.1", "localhost.example", "127.0.0.1.example", "::2"]
)
def test_plaintext_login_elsewhere_is_refused_unless_allowed(tmp_path, host):
    text = IMAP.replace("server = ", f'security = "none"\nserver = "{host}" #')
    (line,) = problems(tmp_path, text)
    assert line.startswith('syncengine.toml, line 9: mailboxes.101.imap4.security: found "none"')
    read(tmp_path, f"[system]\nallow_plaintext = true\n{text}")


def test_a_file_that_everybody_can_read_must_not_hold_a_password(tmp_path):
    text = IMAP.replace("password_env", "password")
    read(tmp_path, text, mode=0o640)
    (line,) = problems(tmp_path, text, mode=0o644)
    assert "mailboxes.101.imap4.password: the file holds a password and is readable by everybody" in line
    assert "PETERA" not in line
    (line,) = problems(tmp_path, "", mode=0o644, n7='[imap4]\npassword = "PETERA"')
    assert line.startswith("mailboxes.d/7.toml, line 2: mailboxes.7.imap4.password: ")


def test_a_password_file_that_everybody_can_read_is_refused(tmp_path):
    secret = tmp_path / "petera"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    text = IMAP.replace('password_env = "PETERA"', 'password_file = "petera"')
    (line,) = problems(tmp_path, text)
    assert line == "petera: mailboxes.101.imap4.password_file: readable by everybody: chmod 600 it"
    secret.chmod(0o600)
    password = read(tmp_path, text).mailboxes["101"].imap4.password
    assert password is not None
    assert password.read() == "hunter2"


def test_a_password_is_given_in_one_way_only(tmp_path):
    text = IMAP + 'password = "x"\npassword_file = ""\npassword_command = "cat y"\n'
    lines = problems(tmp_path, text)
    assert [line.split(": ")[1:] for line in lines] == [
        ["mailboxes.101.imap4.password", "password_env stands here too; only one of them may"],
        ["mailboxes.101.imap4.password_command", "password_env stands here too; only one of them may"],
    ]


def test_a_wrong_password_value_is_not_shown(tmp_path):
    for value in ("12345", '["hunter2"]', '"hun\\nter2"', "{a='hunter2'}"):
        (line,) = problems(
            tmp_path,
            IMAP.replace('password_env = "PETERA"', "").replace("email_integration = true", "")
            + f"password = {value}\n",
        )
        assert "12345" not in line
        assert "hun" not in line


@pytest.mark.parametrize("command", ["''", '" "', "'echo \"x'"])
def test_a_password_command_that_cannot_be_split_is_refused(tmp_path, command):
    lines = problems(tmp_path, IMAP.replace('password_env = "PETERA"', f"password_command = {command}"))
    assert any("password" in line for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        'email_name = "a@b\\nRCPT TO:<x@y>"',
        'email_name = "a b@c"',
        'email_name = "<a@b>"',
        'language = "../../etc"',
        'timezone = "../../etc/passwd"',
        'timezone = "Mars/Olympus"',
        'timezone = "Europe"',
        'smtp.server = "mail.example\\r\\nX"',
        'smtp.domain = "a b"',
        'smtp.account = "a\\u0000b"',
        'lamp_command = "rm -rf /"',
        'context = "a/b"',
        "copies = ['a@b.example\\n']",
    ],
)
def test_values_that_could_break_a_line_of_a_protocol_are_refused(tmp_path, line):
    assert len(problems(tmp_path, f"[mailboxes.1]\n{line.replace(chr(39), chr(34))}\n")) == 1


def test_ports_that_do_not_fit_their_security_are_warned_of(tmp_path):
    text = """
[mailboxes.1.smtp]
port = 25
[mailboxes.1.imap4]
port = 993
security = "starttls"
[mailboxes.2.smtp]
port = 2525
[mailboxes.2.imap4]
port = 143
security = "starttls"
"""
    warnings = port_warnings(read(tmp_path, text))
    assert warnings == (
        'mailboxes.1.smtp.port: 25 is no port for security = "tls"; try "starttls"',
        'mailboxes.1.imap4.port: 993 is a port for security = "tls", found "starttls"',
    )


def test_the_first_seats_in_file_order_work_and_later_mailboxes_are_off(tmp_path):
    body = IMAP.removeprefix("\n[mailboxes.101]\n").replace("mailboxes.101.", "")
    text = "[system]\nseats = 2\n" + IMAP.replace("101", "900") + "[mailboxes.5]\n"
    settings = read(tmp_path, text, n20=body, n3=body, n100=body)
    assert list(settings.mailboxes) == ["900", "5", "3", "20", "100"]
    assert list(seats_off(settings, ())) == ["20", "100"]
    assert "4 mailboxes have email_integration = true, seats = 2" in seats_off(settings, ())["20"]


def test_who_has_a_seat_keeps_it_before_earlier_mailboxes_and_though_there_are_fewer(tmp_path):
    body = IMAP.removeprefix("\n[mailboxes.101]\n").replace("mailboxes.101.", "")
    settings = read(tmp_path, "[system]\nseats = 2\n", n1=body, n2=body, n3=body, n4=body)
    assert list(seats_off(settings, {"3"})) == ["2", "4"]
    assert list(seats_off(settings, {"2", "3", "4"})) == ["1"]
    assert list(seats_off(settings, {"9"})) == ["3", "4"]


def test_relative_paths_start_at_the_configuration(tmp_path):
    settings = read(
        tmp_path,
        '[system]\nstate_dir = "here"\n[mailboxes.1.imap4]\nca_file = "ca.pem"\n[mailboxes.2]',
    )
    assert settings.system.state_dir == tmp_path / "here"
    assert settings.mailboxes["1"].imap4.ca_file == tmp_path / "ca.pem"
    assert settings.mailboxes["2"].imap4.ca_file is None
    assert settings.path == tmp_path / "syncengine.toml"


def test_a_misc_setup_row_counts_where_the_system_table_is_silent(tmp_path):
    settings = read(tmp_path, "[vmconfig]\ng_bUseTTS = {value = true, ignore = 0}\ng_bUseAmis = {value = 1}")
    assert settings.system.text_to_speech is True
    assert settings.vmconfig["g_bUseAmis"].value == 1
    settings = read(
        tmp_path, "[system]\ntext_to_speech = false\n[vmconfig]\ng_bUseTTS = {value = true, ignore = 0}"
    )
    assert settings.system.text_to_speech is False


def test_an_ignored_row_puts_the_built_in_default_in_force(tmp_path):
    text = """
[system]
sync_pending_timer = "7m"
protocol = "pop3"
[vmconfig]
g_bImap4SyncPendingTimer = {value = 7, ignore = 1}
g_szEmailDllPath = {value = "/usr/local/vm/lib/libsmtppop3.so", ignore = 1}
"""
    settings = read(tmp_path, text)
    assert settings.system.sync_pending_timer == 1200
    assert settings.system.protocol is Protocol.IMAP4
    assert settings.vmconfig["g_bImap4SyncPendingTimer"].value == 7


@pytest.mark.parametrize(
    "row",
    [
        "3",
        "{value = 1, ignore = 2}",
        "{ignore = 1}",
        "{value = 1, ignore = true}",
        "{value=1, other=1}",
        "{value=[]}",
    ],
)
def test_a_row_of_another_form_is_refused(tmp_path, row):
    (line,) = problems(tmp_path, f"[vmconfig]\ng_bUseAmis = {row}")
    assert line.startswith("syncengine.toml, line 2: vmconfig.g_bUseAmis: allowed is {value")


def test_a_row_whose_meaning_forbids_its_value_is_refused(tmp_path):
    (line,) = problems(tmp_path, "[vmconfig]\n\ng_nRepeatStartUpPeriod = {value = 0, ignore = 0}")
    assert line.startswith(
        "syncengine.toml, line 3: vmconfig.g_nRepeatStartUpPeriod: found 0, allowed is a duration"
    )


def test_the_configuration_is_looked_for_in_the_usual_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "site"))
    with pytest.raises(InvalidOptions, match="run syncengine init"):
        find_config(None, {})
    for place in ("site/syncengine", "user/syncengine", "."):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        file = tmp_path / place / "syncengine.toml"
        file.write_text("")
        assert find_config(None, {}) == file
    assert find_config(None, {"SYNCENGINE_CONFIG": "other.toml"}) == tmp_path / "other.toml"
    assert find_config(Path("named.toml"), {"SYNCENGINE_CONFIG": "other.toml"}) == tmp_path / "named.toml"


def test_one_mailbox_is_read_without_the_files_of_the_others(tmp_path):
    config = tmp_path / "syncengine.toml"
    config.write_text('[system]\ndomain = "pbx.example.com"\n[mailboxes.100]\nemail_name = "z@example.com"\n')
    folder = tmp_path / "mailboxes.d"
    folder.mkdir()
    for number in ("101", "102"):
        (folder / f"{number}.toml").write_text(f'email_name = "{number}@example.com"\n')
    (folder / "103.toml").write_text("this is [no TOML")
    whole = examine(config)[0]
    for number in ("100", "101", "102", "103", "104", "../101", ""):
        part = examine_part(config, number)
        assert part.mailboxes.get(number) == whole.mailboxes.get(number)
        assert (part.system, part.vmconfig) == (whole.system, whole.vmconfig)
        assert part.mailboxes.keys() <= {"100", number}


def test_a_file_that_was_read_before_is_read_anew_when_it_or_what_it_inherits_changed(tmp_path):
    config = tmp_path / "syncengine.toml"
    config.write_text("")
    drop_in = tmp_path / "mailboxes.d" / "101.toml"
    drop_in.parent.mkdir()
    drop_in.write_text('email_name = "a@example.com"\n')
    assert load(config).mailboxes["101"].protocol == "imap4"
    config.write_text('[system]\nprotocol = "pop3"\n[sync]\nundo_window = "1h"\n')
    mailbox = load(config).mailboxes["101"]
    assert (mailbox.protocol, mailbox.sync.undo_window, mailbox.email_name) == ("pop3", 3600, "a@example.com")
    drop_in.write_text('email_name = "b@example.com"\n')
    assert load(config).mailboxes["101"].email_name == "b@example.com"
    drop_in.write_text("nonsense = 1\n")
    for _ in range(2):
        assert [problem.key for problem in examine(config)[1]] == ["mailboxes.101.nonsense"]
