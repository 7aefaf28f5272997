"""Who may use which address: one table over every one of them, so that a new one cannot be forgotten."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.options.edit import add_mailbox
from syncengine.web import live
from syncengine.web.app import build, site_of, ways
from syncengine.web.users import Users
from syncengine.web.who import Need, Role, Who
from tests.support.commands import installed
from tests.support.pages import Answer, Browser, pages
from tests.support.world import wav

PASSWORD = "correct horse"
USERS = {"olga": Role.OPERATOR, "rita": Role.READ_ONLY, "sam": Role.SUBSCRIBER}

# Of each address: who may come. "own": the subscriber, about his own number and no other.
EVERYBODY, SIGNED_IN = "nobody olga rita own other", "olga rita own other"
TABLE = {
    "GET /": "olga rita",
    "GET /live": "olga rita",
    "GET /mailboxes/{number}": "olga rita own",
    "GET /mailboxes/{number}/live": "olga rita own",
    "POST /mailboxes/{number}/resync": "olga",
    "POST /mailboxes/{number}/messages/{message}/retry": "olga",
    "POST /mailboxes/{number}/messages/{message}/{act}": "olga own",
    "GET /mailboxes/{number}/messages/{message}/sound": "olga rita own",
    "GET /options": "olga rita",
    "GET /options/{number}": "olga rita own",
    "POST /options/{number}": "olga own",
    "POST /options/{number}/add": "olga",
    "POST /options/{number}/test": "olga own",
    "GET /misc": "olga rita",
    "GET /misc/{name}": "olga rita",
    "POST /misc/{name}": "olga",
    "GET /record": "olga",
    "GET /sign-in": EVERYBODY,
    "POST /sign-in": EVERYBODY,
    "POST /sign-out": SIGNED_IN,
    "GET /static/{name}": EVERYBODY,
    "GET /api": SIGNED_IN,
    "GET /api/openapi.json": SIGNED_IN,
    "GET /api/me": SIGNED_IN,
    "GET /api/status": "olga rita",
    "GET /api/mailboxes/{number}": "olga rita own",
    "POST /api/mailboxes/{number}": "olga",
    "GET /api/mailboxes/{number}/messages": "olga rita own",
    "GET /api/mailboxes/{number}/messages/{message}": "olga rita own",
    "GET /api/mailboxes/{number}/messages/{message}/sound": "olga rita own",
    "POST /api/mailboxes/{number}/messages/{message}/retry": "olga",
    "POST /api/mailboxes/{number}/messages/{message}": "olga own",
    "GET /api/mailboxes/{number}/queue": "olga rita own",
    "GET /api/mailboxes/{number}/held": "olga rita own",
    "POST /api/mailboxes/{number}/resync": "olga",
    "POST /api/mailboxes/{number}/test": "olga own",
    "GET /api/mailboxes/{number}/options": "olga rita own",
    "PATCH /api/mailboxes/{number}/options": "olga own",
    "GET /api/misc": "olga rita",
    "PATCH /api/misc/{name}": "olga",
    "GET /api/record": "olga",
}
BODIES = {
    "POST /api/mailboxes/{number}/messages/{message}": {"to": "heard"},
    "POST /api/mailboxes/{number}/resync": {"how": "dry-run"},
    "PATCH /api/mailboxes/{number}/options": {"version": "", "changes": {}},
    "PATCH /api/misc/{name}": {"version": ""},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roles")
    installed(folder)
    config = folder / "syncengine.toml"
    add_mailbox(config, "102", {})
    with Engine.open(config) as engine:
        users = Users(engine.state_dir)
    for name, role in USERS.items():
        users.add(name, role, PASSWORD, "101" if role is Role.SUBSCRIBER else None)
    return config


@pytest.fixture(scope="module")
def opened(config: Path) -> Iterator[tuple[Browser, str]]:
    """The pages, and a message of each mailbox under one id."""
    with pages(config) as (engine, browser):
        yield browser, engine.mailbox("101").deliver(wav()).id


def basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()


def signed_in(host: str, name: str) -> Browser:
    browser = Browser(host)
    browser.get("/sign-in")
    answer = browser.post("/sign-in", {"name": name, "password": PASSWORD})
    assert answer.status == 303, answer.words
    browser.token = json.loads(browser.get("/api/me").text)["csrf"]
    return browser


@pytest.fixture(scope="module")
def visitors(opened: tuple[Browser, str]) -> dict[str, tuple[Browser, str]]:
    """Each visitor with the number that he asks about."""
    host = opened[0].host
    stranger = Browser(host)
    stranger.get("/sign-in")
    found = {"nobody": (stranger, "101")}
    found |= {name: (signed_in(host, name), "101") for name in ("olga", "rita")}
    return found | {"own": (signed_in(host, "sam"), "101"), "other": (signed_in(host, "sam"), "102")}


def test_the_table_names_every_address(config):
    with Engine.open(config) as engine:
        site = site_of(engine, config)
        every = [f"{way.method} {way.path}" for way in ways(site)]
        routed = [
            f"{method} {route.path}"
            for route in build(site)._app.routes  # type: ignore[attr-defined]
            for method in route.methods - {"HEAD"}
        ]
        acts = [way.path for way in ways(site) if (way.method == "GET") != (not way.act)]
        site.close()
    assert sorted(every) == sorted(TABLE)
    assert sorted(routed) == sorted(every)
    assert acts == []


@pytest.fixture(autouse=True)
def brief_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LASTS", 0.0)


def asked(browser: Browser, line: str, number: str, message: str, **headers: str) -> Answer:
    method, path = line.split()
    for name, value in {"number": number, "message": message, "name": "g_bUseTTS", "act": "heard"}.items():
        path = path.replace(f"{{{name}}}", value)
    if method == "GET":
        return browser.get(path, **headers)
    if not path.startswith("/api"):
        return browser.post(path, {"how": "dry-run", "name": "x"}, **headers)
    body = json.dumps(BODIES.get(line, {})).encode()
    sent = {"Content_Type": "application/json", "X_CSRF_Token": browser.token} | headers
    return browser.ask(method, path, body, **sent)


def turned_away(answer: Answer) -> bool:
    return answer.status == 403 and "not for you" in answer.words


def is_right(answer: Answer, line: str, visitor: str) -> None:
    to_sign_in = answer.status == 303 and answer.headers["Location"].startswith("/sign-in")
    if visitor in TABLE[line].split():
        assert not turned_away(answer), answer.words
        assert not to_sign_in
        assert answer.status not in {401, 500}, answer.words
    elif visitor == "nobody":
        assert answer.status == 401 if " /api/" in line else to_sign_in
    else:
        assert turned_away(answer), (answer.status, answer.words)


@pytest.mark.parametrize("visitor", ["nobody", "olga", "rita", "own", "other"])
@pytest.mark.parametrize("line", [line for line in TABLE if line != "POST /sign-out"])
def test_an_address_is_for_those_of_the_table_and_nobody_else(opened, visitors, line, visitor):
    browser, number = visitors[visitor]
    is_right(asked(browser, line, number, opened[1]), line, visitor)


@pytest.mark.parametrize("visitor", ["olga", "rita", "own", "other"])
def test_with_a_password_each_time_the_same_holds(opened, visitor):
    name = "sam" if visitor in {"own", "other"} else visitor
    number = "102" if visitor == "other" else "101"
    browser = Browser(opened[0].host)
    for line in TABLE:
        if " /api" in line:
            is_right(asked(browser, line, number, opened[1], Authorization=basic(name)), line, visitor)


def test_a_change_under_api_takes_the_sessions_token(opened, visitors):
    browser, _ = visitors["olga"]
    line = "POST /api/mailboxes/{number}/messages/{message}"
    for wrong in ("", "0" * 64, browser.token[:-1]):
        answer = asked(browser, line, "101", opened[1], X_CSRF_Token=wrong)
        assert answer.status == 403
        assert "X-CSRF-Token" in answer.text
    assert asked(browser, line, "101", opened[1]).status == 200
    for foreign in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert asked(browser, line, "101", opened[1], **foreign).status == 403
        stranger = Browser(browser.host)
        assert asked(stranger, line, "101", opened[1], Authorization=basic("olga"), **foreign).status == 403
    assert asked(browser, line, "101", opened[1], Content_Type="text/plain").status == 415


def test_a_subscriber_is_told_nothing_of_what_other_numbers_there_are(visitors):
    browser, _ = visitors["own"]
    there, not_there = browser.get("/mailboxes/102"), browser.get("/mailboxes/999")
    assert (there.status, not_there.status) == (403, 403)
    assert there.words == not_there.words
    assert browser.get("/mailboxes/101%2f..%2f102").status in {403, 404}
    assert browser.get("/mailboxes/%31%30%31").status == 200


def test_a_subscriber_sees_and_plays_his_own_messages(opened, visitors):
    browser, _ = visitors["own"]
    page = browser.get("/mailboxes/101").text
    found = re.search(r'<audio[^>]* src="([^"]+)"', page)
    assert found
    sound = browser.get(found[1])
    assert (sound.status, sound.headers["Content-Type"]) == (200, "audio/wav")
    assert browser.get(found[1].replace("/101/", "/102/")).status == 403


@pytest.mark.parametrize("need", list(Need))
def test_a_subscriber_without_a_number_may_nothing_of_any_number(need):
    who = Who("x", Role.SUBSCRIBER, None)
    assert who.may(need, "101") is (need in {Need.NOBODY, Need.ANYBODY})
    assert who.may(need, None) is (need in {Need.NOBODY, Need.ANYBODY})


def test_signing_out_ends_the_session(opened):
    browser = signed_in(opened[0].host, "olga")
    assert browser.get("/").status == 200
    old = browser.cookie
    assert browser.post("/sign-out").status == 303
    browser.cookie = old
    assert browser.get("/").headers["Location"] == "/sign-in?next=%2F"
