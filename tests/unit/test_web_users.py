"""The users of the pages: what their file holds, and how ``web user`` changes it."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path

import pytest

from syncengine.errors import OptionsError, UsageError
from syncengine.web.users import FILE, Users
from syncengine.web.who import Role
from tests.support.commands import Run, installed, one_line

PASSWORD = "correct horse ö"


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path)


def test_a_user_is_known_by_his_password_alone(users):
    users.add("olga", Role.OPERATOR, PASSWORD, None)
    users.add("sam", Role.SUBSCRIBER, PASSWORD + "!", "101")
    assert users.knows("olga", PASSWORD).role is Role.OPERATOR
    assert users.knows("olga", PASSWORD).role is Role.OPERATOR
    assert users.knows("sam", PASSWORD + "!").mailbox == "101"
    for name, wrong in (
        ("olga", ""), ("olga", PASSWORD + "!"), ("olga", PASSWORD[:-1]), ("Olga", PASSWORD), ("", PASSWORD),
        ("nobody", PASSWORD), ("olga", "x" * 100_000), ("olga", "\udcff" * 9), ("olga\0", PASSWORD),
    ):  # fmt: skip
        assert users.knows(name, wrong) is None, (name, wrong[:20])


def test_the_file_holds_hashes_and_is_its_owners_alone(users, tmp_path):
    users.add("olga", Role.OPERATOR, PASSWORD, None)
    users.add("rita", Role.READ_ONLY, PASSWORD, None)
    file = tmp_path / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    content = json.loads(file.read_text())
    assert all(user["hash"].startswith("$argon2id$") for user in content.values())
    assert content["olga"]["hash"] != content["rita"]["hash"]
    assert PASSWORD not in file.read_text()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_new_password_or_a_removal_is_in_force_at_once_in_another_process(users, tmp_path):
    users.add("olga", Role.OPERATOR, PASSWORD, None)
    running = Users(tmp_path)
    assert running.knows("olga", PASSWORD) is not None
    mark = running.who("olga")[1]
    users.passwd("olga", "another password")
    assert running.knows("olga", PASSWORD) is None
    assert running.knows("olga", "another password") is not None
    assert running.who("olga")[1] != mark
    users.remove("olga")
    assert running.knows("olga", "another password") is None
    assert running.who("olga") is None


def test_a_name_that_nobody_has_takes_as_long_as_a_wrong_password(users):
    users.add("olga", Role.OPERATOR, PASSWORD, None)
    users.knows("nobody", PASSWORD)

    def least(name: str) -> float:
        times = []
        for _ in range(5):
            begun = time.thread_time()
            users.knows(name, "a wrong one")
            times.append(time.thread_time() - begun)
        return min(times)

    assert least("nobody") > least("olga") / 3


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"olga": {"role": "god", "hash": "x"}}', '{"a": 1}', "[" * 9999]
)
def test_a_file_that_cannot_be_used_lets_nobody_in(users, tmp_path, content):
    file = tmp_path / FILE
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(OptionsError, match="no list of users"):
        users.knows("olga", PASSWORD)


def test_a_file_that_others_may_read_lets_nobody_in(users, tmp_path):
    users.add("olga", Role.OPERATOR, PASSWORD, None)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(OptionsError, match="chmod 600"):
        users.knows("olga", PASSWORD)
    (tmp_path / FILE).chmod(0o600)
    assert users.knows("olga", PASSWORD) is not None


def test_a_damaged_hash_lets_nobody_in(users, tmp_path):
    (tmp_path / FILE).write_text('{"olga": {"role": "operator", "hash": ""}}')
    (tmp_path / FILE).chmod(0o600)
    assert users.knows("olga", "") is None


def test_what_cannot_be_done_is_refused(users):
    users.add("olga", Role.OPERATOR, PASSWORD, None)
    for act in (
        lambda: users.add("olga", Role.OPERATOR, PASSWORD, None),
        lambda: users.add("../x", Role.OPERATOR, PASSWORD, None),
        lambda: users.add("a\nb", Role.OPERATOR, PASSWORD, None),
        lambda: users.add("rita", Role.READ_ONLY, "short", None),
        lambda: users.add("rita", Role.READ_ONLY, "x" * 2000, None),
        lambda: users.add("sam", Role.SUBSCRIBER, PASSWORD, None),
        lambda: users.add("rita", Role.READ_ONLY, PASSWORD, "101"),
        lambda: users.remove("nobody"),
        lambda: users.passwd("nobody", PASSWORD),
    ):
        with pytest.raises(UsageError):
            act()
    assert list(users.all()) == ["olga"]


def test_users_that_are_added_at_once_are_all_there(tmp_path):
    def add(number: int) -> None:
        Users(tmp_path).add(f"user{number}", Role.OPERATOR, PASSWORD, None)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Users(tmp_path).all()) == 8


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return installed(tmp_path / "here")


def test_the_command_adds_lists_changes_and_removes(run, tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    assert (
        run("web", "user", "list").out
        == "there is no user: the pages are open on this host, and only there\n"
    )
    assert run("web", "user", "add", "olga", "--password-file", file).out == "added olga, operator\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("from standard input\nnot this\n"))
    added = run("web", "user", "add", "petera", "--mailbox", "101")
    assert added.out == "added petera, subscriber of mailbox 101\n", added.err
    assert (
        run("web", "user").out
        == "NAME    ROLE        MAILBOX\nolga    operator    -\npetera  subscriber  101\n"
    )
    assert run("--json", "web", "user", "list").json == [
        {"name": "olga", "role": "operator", "mailbox": None},
        {"name": "petera", "role": "subscriber", "mailbox": "101"},
    ]
    (found,) = (tmp_path / "here").rglob(FILE)
    assert Users(found.parent).knows("petera", "from standard input") is not None
    assert run("web", "user", "passwd", "petera", "--password-file", file).code == 0
    assert Users(found.parent).knows("petera", PASSWORD) is not None
    assert run("web", "user", "remove", "olga").out == "removed olga; his sessions are over\n"
    record = [json.loads(line) for line in (found.parent / "web-audit.jsonl").read_text().splitlines()]
    assert [line["act"] for line in record] == [
        "web user add", "web user add", "web user passwd", "web user remove",
    ]  # fmt: skip
    assert PASSWORD not in (found.parent / "web-audit.jsonl").read_text()


def test_wrong_usage_is_one_line(run, tmp_path):
    file = tmp_path / "password"
    file.write_text("correct horse\n")
    for words in (
        ("add",), ("list", "x"), ("burn", "x"), ("add", "x", "--role", "god", "--password-file", file),
        ("add", "x", "--mailbox", "999", "--password-file", file), ("remove", "nobody"),
        ("add", "x", "--password-file", tmp_path / "none"),
    ):  # fmt: skip
        ran = run("web", "user", *words)
        assert ran.code == 2, words
        assert one_line(ran.err), ran.err
    assert run("web", "burn").code == 2
