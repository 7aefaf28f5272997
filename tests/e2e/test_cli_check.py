"""``check`` on real servers: every step as it happens, the first that fails is the last, nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.base import free_ports
from tests.support.commands import ran_here
from tests.support.dovecot import Dovecot
from tests.support.shell import Shell, shell_on
from tests.support.smtp import Front
from tests.support.world import NUMBER


@pytest.fixture
def shell(dovecot: Dovecot, tmp_path: Path) -> Iterator[Shell]:
    with shell_on(dovecot, tmp_path) as one:
        yield one


def steps(shell: Shell, code: int) -> list[dict[str, Any]]:
    ran = ran_here("--config", shell.config, "check", NUMBER, "--json")
    assert ran.code == code, ran
    return ran.json


def names(found: list[dict[str, Any]]) -> list[str]:
    return [f"{step['server']} {step['step']}" for step in found]


def test_a_good_account_passes_every_step_and_nothing_is_changed(shell: Shell, dovecot_smtp: Front):
    shell.options = {"delivery": "smtp"}
    shell.smtp = {"server": dovecot_smtp.host, "port": dovecot_smtp.port, "security": "none"}
    shell.write()
    before = shell.mail.folders()
    found = steps(shell, 0)
    assert names(found) == [
        "imap4 name", "imap4 tcp", "imap4 login", "imap4 capabilities", "imap4 folders",
        "imap4 header-search", "smtp name", "smtp tcp", "smtp ehlo", "smtp offers",
    ]  # fmt: skip
    assert all(list(step) == ["mailbox", "server", "step", "ok", "detail"] for step in found)
    told = {step["step"]: step["detail"] for step in found if step["server"] == "imap4"}
    assert "QRESYNC" in told["capabilities"]
    assert "no Voice Mail Messages yet" in told["folders"]
    assert shell.mail.folders() == before
    assert dovecot_smtp.delivered == []


def test_after_a_pass_the_folder_is_named_and_the_search_finds_a_message(shell: Shell):
    shell.sent()
    shell.did("resync")
    told = {step["step"]: step["detail"] for step in steps(shell, 0)}
    assert '"Voice Mail Messages" for voice mail' in told["folders"]
    assert told["header-search"] == "finds a message of ours"
    shell.imap4 = {"search_mode": "text"}
    shell.write()
    assert steps(shell, 0)[-1]["step"] == "text-search"


def test_a_wrong_password_ends_at_the_login(shell: Shell):
    shell.imap4 = {"password": "not-this-one"}
    shell.write()
    found = steps(shell, 1)
    assert names(found)[-1] == "imap4 login"
    assert not found[-1]["ok"]
    assert "not-this-one" not in str(found)


def test_a_password_that_cannot_be_read_ends_at_the_login(shell: Shell):
    shell.imap4 = {"password": "", "password_file": str(shell.folder / "nothing")}
    shell.write()
    found = steps(shell, 1)
    assert names(found)[-1] == "imap4 login"
    assert "password_file" in found[-1]["detail"]


def test_a_refused_connection_ends_at_tcp_and_a_name_that_is_none_at_the_name(shell: Shell):
    shell.imap4 = {"port": free_ports(1)[0]}
    shell.write()
    assert names(steps(shell, 1)) == ["imap4 name", "imap4 tcp"]
    shell.imap4 = {"server": "nowhere.invalid", "security": "tls"}
    shell.write()
    assert names(steps(shell, 1)) == ["imap4 name"]


def test_a_certificate_that_is_not_trusted_ends_at_tls(shell: Shell, dovecot: Dovecot):
    shell.imap4 = {"port": dovecot.imaps_port, "security": "tls"}
    shell.write()
    found = steps(shell, 1)
    assert names(found) == ["imap4 name", "imap4 tcp", "imap4 tls"]
    assert "not trusted" in found[-1]["detail"]
    shell.imap4 |= {"ca_file": str(dovecot.ca_file), "server": "localhost"}
    shell.write()
    assert names(steps(shell, 0))[-1] == "imap4 header-search"


def test_a_pop3_account_is_tried_instead_and_the_steps_are_lines(shell: Shell, dovecot: Dovecot):
    shell.options = {"protocol": "pop3", "delivery": "smtp"}
    shell.smtp = {"server": dovecot.host, "port": free_ports(1)[0], "security": "none"}
    shell.write()
    with shell.config.open("a") as config:
        config.write(
            f'[mailboxes.{NUMBER}.pop3]\nserver = "{dovecot.host}"\nport = {dovecot.pop3_port}\n'
            f'security = "none"\naccount = "{shell.login.user}"\npassword = "{shell.login.password}"\n'
        )
    ran = ran_here("--config", shell.config, "check")
    assert ran.code == 1
    assert ran.err.startswith(f"syncengine: {NUMBER} smtp tcp: ")
    assert f"{NUMBER} pop3 login: ok: {shell.login.user}" in ran.out.splitlines()
    assert "imap4" not in ran.out
