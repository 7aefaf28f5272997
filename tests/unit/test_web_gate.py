"""Who comes in to the pages, and what every answer carries."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.errors import UsageError
from syncengine.web.app import site_of, ways
from syncengine.web.door import Access
from syncengine.web.gate import API, MOST_BYTES
from syncengine.web.server import WebServer, access_of, address_of, plain_host
from tests.support.commands import installed
from tests.support.pages import Browser, pages


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture
def browser(config: Path) -> Iterator[Browser]:
    with pages(config) as (_, found):
        yield found


def basic(password: str, user: str = "operator") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[", "[" * 9]
)
def test_a_name_that_is_not_ours_gets_no_answer(browser, host):
    answer = browser.get("/", Host=host)
    assert answer.status in {400, 421}
    assert "Mailbox" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST", "127.0.0.1", "[::1]:8080", "192.0.2.7:8080"])
def test_addresses_and_localhost_are_ours(browser, host):
    assert browser.get("/", Host=host).status == 200


def test_a_further_name_is_ours_once_it_is_given(config):
    with pages(config, access_of(["Voice.Example."], None)) as (_, browser):
        assert browser.get("/", Host="voice.example").status == 200
        assert browser.get("/", Host="other.example").status == 421


@pytest.mark.parametrize("path", ["/", "/mailboxes/101", "/nothing", "/static/style.css", "/mailboxes/999"])
def test_every_answer_keeps_foreign_script_out(browser, path):
    headers = browser.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] in {"no-store", "no-cache"}


def test_no_page_holds_script_or_style_of_its_own(browser):
    for path in ("/", "/mailboxes/101", "/nothing"):
        text = browser.get(path).text
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=|javascript:", text)


def test_the_cookie_is_for_these_pages_alone(browser):
    kept = browser.get("/").headers["Set-Cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=Strict" in kept
    assert browser.get("/").headers["Set-Cookie"] is None


def posts(config: Path) -> list[str]:
    """Every address that takes a form, with something in the place of its parts."""
    with Engine.open(config) as engine:
        site = site_of(engine, config)
        found = ways(site)
        site.close()
    return [
        re.sub(r"\{.*?\}", "101", way.path)
        for way in found
        if way.method == "POST" and not way.path.startswith(API)
    ]


def test_no_form_is_taken_without_the_visitors_token(browser, config):
    browser.get("/mailboxes/101")
    assert browser.token
    for path in posts(config):
        for wrong in ("", "0" * 64, browser.token[:-1], "\udcff".encode("utf-8", "replace").decode()):
            assert browser.post(path, {"csrf": wrong}).status == 403, path
    assert browser.post("/mailboxes/101/resync", {"how": "dry-run"}).status == 200


def test_anothers_token_is_not_taken(browser):
    browser.get("/mailboxes/101")
    other = Browser(browser.host)
    other.get("/mailboxes/101")
    assert other.token != browser.token
    assert browser.post("/mailboxes/101/resync", {"how": "dry-run", "csrf": other.token}).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_not_taken(browser, headers):
    browser.get("/mailboxes/101")
    assert browser.post("/mailboxes/101/resync", {"how": "dry-run"}, **headers).status == 403


def test_what_is_no_form_or_too_much_is_not_taken(browser):
    browser.get("/mailboxes/101")
    path = "/mailboxes/101/resync"
    assert browser.post(path, Content_Type="text/plain").status == 415
    assert browser.post(path, Content_Type="multipart/form-data; boundary=x").status == 415
    assert browser.post(path, {"x": "y" * MOST_BYTES}).status == 413
    assert browser.post(path, {f"x{n}": "" for n in range(500)}).status == 400
    assert browser.post(path, Content_Length="0").status in {400, 403}
    origin = f"http://{browser.host}"
    kind = "application/x-www-form-urlencoded"
    assert browser.ask("POST", path, b"\xff%ff=1", Origin=origin, Content_Type=kind).status == 400
    assert browser.ask("POST", path, iter([b"csrf=x"]), Origin=origin, Content_Type=kind).status == 411  # type: ignore[arg-type]
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        assert browser.ask(method, "/").status == 405


def test_no_path_leads_outside(browser):
    for path in (
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd",
        "/mailboxes/..%2f..", "/mailboxes/%00", "/mailboxes/101/messages/..%2fx/heard", "/static/app.py",
    ):  # fmt: skip
        assert browser.get(path).status in {404, 405}, path


def test_the_password_is_asked_for_and_a_wrong_one_let_nobody_in(config):
    with pages(config, Access(password="geheim-ö-99")) as (_, browser):
        asked = browser.get("/")
        assert asked.status == 401
        assert asked.headers["WWW-Authenticate"].startswith("Basic ")
        assert browser.get("/", Authorization=basic("geheim-ö-99")).status == 200
        for wrong in (
            basic("geheim"),
            "Basic !",
            "Basic",
            "Bearer geheim-ö-99",
            basic("").replace("Basic", "basic"),
        ):
            assert browser.get("/", Authorization=wrong).status == 401
        assert browser.get("/static/style.css").status == 401


def test_passwords_cannot_be_tried_without_end(config):
    with pages(config, Access(password="the right one")) as (_, browser):
        answers = [browser.get("/", Authorization=basic(str(n))).status for n in range(25)]
        assert answers == [401] * 20 + [429] * 5
        assert browser.get("/", Authorization=basic("the right one")).status == 429


def test_off_this_host_they_are_not_shown_without_a_password(config):
    with Engine.open(config) as engine:
        for host in ("0.0.0.0", "::", "192.0.2.1"):
            with pytest.raises(UsageError, match="--password-file"):
                WebServer(engine, config, Access(), host=host, port=0)


def test_the_password_file_must_not_be_everybodys(tmp_path):
    file = tmp_path / "password"
    file.write_text("correct horse\nmore\n")
    file.chmod(0o600)
    assert access_of([], str(file)).password == "correct horse"
    assert "horse" not in repr(access_of([], str(file)))
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        access_of([], str(file))
    file.chmod(0o600)
    file.write_text("short\n")
    with pytest.raises(UsageError, match="less than 8"):
        access_of([], str(file))
    with pytest.raises(UsageError, match="cannot be read"):
        access_of([], str(tmp_path))


def test_addresses_are_told_from_what_is_none():
    assert address_of("127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert address_of("[::1]:0") == ("::1", 0)
    assert plain_host("localhost") == "127.0.0.1"
    for wrong in ("8080", "127.0.0.1:x", ":8080", "127.0.0.1:70000", "example.com:80"):
        with pytest.raises(UsageError):
            address_of(wrong)
