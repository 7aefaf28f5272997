"""The commands on a real server: the main path, each a process of its own, and how things go wrong."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.base import free_ports
from tests.support.dovecot import Dovecot
from tests.support.shell import Shell, shell_on
from tests.support.world import NUMBER

MESSAGE_KEYS = [
    "id", "mailbox", "kind", "heard", "deleted", "delivery", "sender", "subject", "received", "duration",
    "pages", "urgent", "folder", "pending", "error",
]  # fmt: skip
REPORT_KEYS = [
    "mailbox", "ok", "held", "dry_run", "actions", "errors", "round_trips", "bytes_in", "bytes_out",
    "seconds",
]  # fmt: skip
STATUS_KEYS = ["mailbox", "state", "new", "heard", "pending", "last_pass", "last_error", "next_try"]


@pytest.fixture
def shell(dovecot: Dovecot, tmp_path: Path) -> Iterator[Shell]:
    with shell_on(dovecot, tmp_path) as one:
        yield one


def test_the_whole_story_is_told_by_commands(shell: Shell):
    shell.apart = True
    message = shell.sent("--caller-name", "Peter Adams", "--received", "2026-11-23T15:15:00+01:00")
    assert shell.first()["delivery"] == "queued"

    report = shell.did("resync", "--json").json[0]
    assert report["ok"]
    assert {"side": "remote", "action": "append", "message": message, "count": 1} in report["actions"]
    known = shell.first()
    assert list(known) == MESSAGE_KEYS
    assert (known["id"], known["delivery"], known["heard"]) == (message, "confirmed", False)
    assert known["received"] == "2026-11-23T15:15:00+01:00"
    assert shell.path(str(known["folder"])) == "Voice Mail Messages"

    assert shell.did("mark", NUMBER, message, "heard", "--json").json["heard"] is True
    shell.did("resync", NUMBER)
    assert shell.seen(message)

    assert [m["deleted"] for m in shell.did("delete", NUMBER, message, "--json").json] == [True]
    shell.did("resync")
    assert shell.path(shell.place(message)[0]) == "Trash"

    assert shell.did("restore", NUMBER, message, "--json").json["deleted"] is False
    shell.did("resync")
    assert shell.path(shell.place(message)[0]) == "Voice Mail Messages"

    status = shell.did("status", "--json").json
    assert [list(one) for one in status] == [STATUS_KEYS]
    assert (status[0]["state"], status[0]["heard"], status[0]["pending"]) == ("in-step", 1, [])
    report = shell.did("resync", "--json").json[0]
    assert list(report) == REPORT_KEYS
    assert report["actions"] == []
    assert shell.did("resync", NUMBER).out.startswith(f"{NUMBER}: nothing to do")


def test_a_dry_run_prints_the_plan_and_changes_nothing(shell: Shell):
    message = shell.sent()
    report = shell.did("resync", "--dry-run", "--json").json[0]
    assert report["dry_run"]
    assert "append" in [action["action"] for action in report["actions"]]
    assert shell.places(message) == []
    assert "would do" in shell.did("resync", "--dry-run").out


def test_a_wrong_password_ends_with_1_and_one_line_without_it(shell: Shell):
    shell.imap4 = {"password": "not-this-one"}
    shell.write()
    ran = shell.ran("resync")
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert "login refused" in ran.err
    assert "not-this-one" not in ran.err + ran.out
    assert shell.ran("resync", "--json").json[0]["ok"] is False
    assert shell.did("status", "--json").json[0]["state"] == "failing"


def test_a_refused_connection_ends_with_1_and_says_where(shell: Shell):
    (port,) = free_ports(1)
    shell.imap4 = {"port": port}
    shell.write()
    ran = shell.ran("resync")
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert str(port) in ran.err


def test_deletes_that_the_brake_holds_end_with_3_until_they_are_accepted(shell: Shell):
    ids = [shell.sent() for _ in range(6)]
    shell.did("resync")
    for message in ids:
        shell.expunge(message)

    ran = shell.ran("resync")
    assert ran.code == 3
    assert shell.ran("resync", "--dry-run", "-q").code == 3
    assert "--accept-deletes" in ran.err
    assert "nothing to do but what is held" in ran.out
    assert shell.did("status", "--json").json[0]["state"] == "held"
    assert all(message in shell.did("status", NUMBER).out for message in ids)
    assert shell.ran("resync", "--json").json[0]["held"] is True

    assert len(shell.did("resync", "--accept-deletes", "--json").json[0]["actions"]) == 6
    assert [m["deleted"] for m in shell.did("messages", NUMBER, "--json").json] == [True] * 6


def test_a_mailbox_that_another_process_holds_ends_with_4(shell: Shell):
    shell.did("resync")
    with (shell.folder / "state" / "locks" / f"{NUMBER}.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = shell.ran("resync", NUMBER)
        assert ran.code == 4
        assert len(ran.err.splitlines()) == 1
        # Taking in and marking need no pass.
        shell.did("mark", NUMBER, shell.sent(), "heard")


def test_a_failure_counts_before_a_busy_mailbox(shell: Shell):
    shell.did("resync")
    drop_in = shell.folder / "mailboxes.d" / "102.toml"
    drop_in.parent.mkdir()
    text = shell.config.read_text().partition(f"[mailboxes.{NUMBER}]")[2]
    drop_in.write_text(text.replace(f"[mailboxes.{NUMBER}.imap4]", "[imap4]"))
    drop_in.write_text(drop_in.read_text().replace(shell.login.password, "wrong"))
    drop_in.chmod(0o600)
    with (shell.folder / "state" / "locks" / f"{NUMBER}.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = shell.ran("resync", "--json")
    assert ran.code == 1
    assert [one["mailbox"] for one in ran.json] == [NUMBER, "102"]
    assert len(ran.err.splitlines()) == 2
