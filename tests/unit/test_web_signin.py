"""Signing in: sessions begin, move to a new cookie, end; passwords cannot be tried without end."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.errors import UsageError
from syncengine.web.audit import Audit
from syncengine.web.door import Access, Door, Refused, Visit
from syncengine.web.server import WebServer
from syncengine.web.sessions import IDLE, WHOLE, Attempts, Sessions, network
from syncengine.web.users import Users
from syncengine.web.who import Role
from tests.support.commands import installed
from tests.support.pages import Answer, Browser, pages

PASSWORD = "correct horse"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture
def users(config: Path) -> Users:
    with Engine.open(config) as engine:
        users = Users(engine.state_dir)
    users.add("olga", Role.OPERATOR, PASSWORD, None)
    users.add("sam", Role.SUBSCRIBER, PASSWORD, "101")
    return users


@pytest.fixture
def browser(config: Path, users: Users) -> Iterator[Browser]:
    with pages(config) as (_, found):
        yield found


def sign_in(browser: Browser, name: str = "olga", password: str = PASSWORD, **more: str) -> Answer:
    browser.get("/sign-in")
    return browser.post("/sign-in", {"name": name, "password": password} | more)


def test_a_page_leads_to_the_sign_in_page_and_back(browser):
    asked = browser.get("/misc?said=applied")
    assert (asked.status, asked.headers["Location"]) == (303, "/sign-in?next=%2Fmisc%3Fsaid%3Dapplied")
    page = browser.get(asked.headers["Location"])
    assert 'name="next" value="/misc?said=applied"' in page.text
    assert "Mailbox Options" not in page.words
    signed_in = sign_in(browser, next="/misc?said=applied")
    assert (signed_in.status, signed_in.headers["Location"]) == (303, "/misc?said=applied")
    assert browser.get("/misc").status == 200
    assert "olga" in browser.get("/misc").words


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nSet-Cookie: a=b", "\t//x", ""],
)
def test_nobody_is_led_elsewhere(browser, wanted):
    assert sign_in(browser, next=wanted).headers["Location"] == "/"


def test_a_subscriber_begins_at_his_mailbox(browser):
    assert sign_in(browser, "sam").headers["Location"] == "/mailboxes/101"
    page = browser.get("/mailboxes/101").words
    assert "Misc Setup" not in page
    assert "Status" not in page


def test_signing_in_moves_to_a_cookie_that_nobody_had(browser):
    browser.get("/sign-in")
    before, token = browser.cookie, browser.token
    answer = sign_in(browser)
    kept = answer.headers["Set-Cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=Strict" in kept
    assert browser.cookie != before
    browser.get("/misc/g_bUseTTS")
    assert browser.token != token
    planted = Browser(browser.host, cookie=before)
    assert planted.get("/").status == 303
    assert browser.post("/misc/g_bUseTTS", {"csrf": token, "ignore": "0"}).status == 403


def test_a_wrong_password_is_told_in_the_same_words_whoever_it_is(browser):
    wrong, nobody = sign_in(browser, password="wrong horse"), sign_in(browser, "nobody")
    assert (wrong.status, nobody.status) == (403, 403)
    assert "Wrong name or password." in wrong.words
    assert wrong.words == nobody.words
    assert browser.get("/").status == 303


def test_a_wrong_password_is_a_line_in_the_log_without_the_password(browser, caplog):
    sign_in(browser, "eve\n\x1b[2J", "very secret")
    (line,) = [one.getMessage() for one in caplog.records if one.name == "syncengine.web.door"]
    assert line == r"127.0.0.1: wrong name or password for 'eve\n\x1b[2J'"


def test_a_form_of_another_site_signs_nobody_in(browser):
    browser.get("/sign-in")
    form = {"name": "olga", "password": PASSWORD}
    assert browser.post("/sign-in", form | {"csrf": "0" * 64}).status == 403
    assert browser.post("/sign-in", form, Origin="http://evil.example").status == 403


def test_a_users_password_cannot_be_tried_without_end(browser):
    statuses = [sign_in(browser, password=f"wrong {n}").status for n in range(12)]
    assert statuses == [403] * 10 + [429] * 2
    assert sign_in(browser).status == 429
    assert sign_in(browser, "sam").status == 303


def test_who_tries_a_name_from_elsewhere_does_not_keep_its_user_out(users):
    door = Door(Access(), users)
    door.sign_in(Visit("cookie"), "olga", PASSWORD, "192.0.2.1")
    for number in range(12):
        with pytest.raises(Refused):
            door.sign_in(Visit("cookie"), "olga", "wrong horse", f"198.51.100.{number}")
    with pytest.raises(Refused) as refused:
        door.sign_in(Visit("cookie"), "olga", PASSWORD, "203.0.113.1")
    assert refused.value.later
    assert door.sign_in(Visit("cookie"), "olga", PASSWORD, "192.0.2.1").name == "olga"
    for _ in range(10):
        with pytest.raises(Refused):
            door.sign_in(Visit("cookie"), "olga", "wrong horse", "192.0.2.1")
    with pytest.raises(Refused) as refused:
        door.sign_in(Visit("cookie"), "olga", PASSWORD, "192.0.2.1")
    assert refused.value.later


def test_an_address_cannot_try_names_without_end(browser):
    statuses = [sign_in(browser, f"name{n}").status for n in range(22)]
    assert statuses == [403] * 20 + [429] * 2
    basic = "Basic " + base64.b64encode(f"olga:{PASSWORD}".encode()).decode()
    assert browser.get("/api/me", Authorization=basic).status == 429


def test_right_passwords_are_not_counted(browser):
    assert {sign_in(browser).status for _ in range(25)} == {303}


def test_a_session_ends_with_its_users_password_and_with_him(browser, users):
    sign_in(browser)
    assert browser.get("/").status == 200
    users.passwd("olga", "another password")
    assert browser.get("/").status == 303
    sign_in(browser, password="another password")
    assert browser.get("/").status == 200
    users.remove("olga")
    assert browser.get("/").status == 303


def test_the_first_user_closes_what_was_open_and_the_last_one_does_not_open_it(config):
    with pages(config) as (engine, browser):
        assert browser.get("/").status == 200
        users = Users(engine.state_dir)
        users.add("olga", Role.OPERATOR, PASSWORD, None)
        assert browser.get("/").status == 303
        users.remove("olga")
        assert browser.get("/").status == 303


def test_a_file_of_users_that_is_damaged_lets_nobody_in(browser, users):
    users.file.write_text("{")
    answer = browser.get("/")
    assert answer.status == 503
    assert "no list of users" in answer.words


def test_off_this_host_users_are_enough(config, users):
    with Engine.open(config) as engine:
        server = WebServer(engine, config, Access(), host="0.0.0.0", port=0)
        server.stop()
        users.remove("olga")
        users.remove("sam")
        with pytest.raises(UsageError, match="web user add"):
            WebServer(engine, config, Access(), host="0.0.0.0", port=0)


def test_signing_in_is_written_down_without_the_password(browser, users):
    sign_in(browser, password="wrong secret")
    sign_in(browser)
    browser.get("/")
    browser.post("/sign-out")
    found = list(Audit(users.file.parent).newest())[::-1]
    assert [(line["user"], line["act"], line["outcome"]) for line in found] == [
        ("", "sign in", "refused"), ("olga", "sign in", "done"), ("olga", "sign out", "done"),
    ]  # fmt: skip
    assert found[0]["changes"] == {"name": "olga"}
    assert "secret" not in json.dumps(found)
    assert all(line["address"] == "127.0.0.1" for line in found)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_after_a_while_and_at_last():
    clock = Clock()
    sessions = Sessions(clock)
    cookie = sessions.begin("olga", "mark")
    begun = clock.now
    while clock.now + IDLE < begun + WHOLE:
        clock.now += IDLE - 1
        assert sessions.find(cookie) is not None
    clock.now = begun + WHOLE + 1
    assert sessions.find(cookie) is None
    cookie = sessions.begin("olga", "mark")
    clock.now += IDLE + 1
    assert sessions.find(cookie) is None
    assert re.fullmatch("[0-9a-f]{64}", cookie)


def test_sessions_and_tries_take_bounded_memory(monkeypatch):
    monkeypatch.setattr("syncengine.web.sessions._MOST_SESSIONS", 100)
    sessions = Sessions()
    cookies = [sessions.begin(f"user{n // 20}", "mark") for n in range(300)]
    assert len(sessions._sessions) == 100
    assert sessions.find(cookies[-1]) is not None
    assert sessions.find(cookies[0]) is None
    assert sum(session.name == "user14" for session in sessions._sessions.values()) == 16
    attempts = Attempts(3, 60.0, keys=100)
    for number in range(5000):
        attempts.begin(f"10.0.{number // 256}.{number % 256}")
    assert len(attempts._times) <= 100


def test_tries_are_forgotten_after_their_time():
    clock = Clock()
    attempts = Attempts(2, 60.0, keys=10, clock=clock)
    assert [attempts.begin("a") for _ in range(3)] == [True, True, False]
    assert attempts.begin("b")
    clock.now += 61
    assert attempts.begin("a")
    attempts.forgive("a")
    attempts.forgive("nobody")
    assert [attempts.begin("a") for _ in range(3)] == [True, True, False]


def test_an_ipv6_household_is_one_address():
    assert network("2001:db8::1") == network("2001:db8::ffff:2")
    assert network("2001:db8:0:1::1") != network("2001:db8::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1")
    assert network("") == network("unix")
