"""What must be on no page and in no answer: secrets, and text from outside that a browser would run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.options.edit import set_mailbox
from syncengine.web.app import site_of, ways
from syncengine.web.users import Users
from syncengine.web.who import Role
from tests.support.commands import installed
from tests.support.pages import Browser, form_of, pages
from tests.support.world import wav

SECRETS = ("planted-smtp-secret", "planted-imap-secret", "planted-pop-secret", "planted-users-secret")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x07"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    config = tmp_path / "here" / "syncengine.toml"
    set_mailbox(
        config,
        "101",
        {"smtp.password": SECRETS[0], "imap4.password": SECRETS[1], "pop3.password": SECRETS[2]}
        | {"smtp.account": "a", "imap4.account": "a", "pop3.account": "a"},
    )
    return config


@pytest.fixture
def opened(config: Path) -> Iterator[tuple[Engine, Browser]]:
    with Engine.open(config) as engine:
        Users(engine.state_dir).add("olga", Role.OPERATOR, SECRETS[3], None)
    with pages(config) as (engine, browser):
        browser.get("/sign-in")
        browser.post("/sign-in", {"name": "olga", "password": SECRETS[3]})
        browser.get("/misc/g_bUseTTS")
        yield engine, browser


def looked_at(engine: Engine, config: Path, message: str) -> list[str]:
    """Every address that can be looked at, but for streams, which carry no contents."""
    site = site_of(engine, config)
    paths = [way.path for way in ways(site) if way.method == "GET" and not way.path.endswith("/live")]
    site.close()
    parts = {"number": "101", "message": message, "name": "g_bUseTTS"}
    return [re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], path) for path in paths]


def test_no_secret_is_on_any_page_or_in_any_file_beside_the_options(opened, config):
    engine, browser = opened
    message = engine.mailbox("101").deliver(wav()).id
    browser.post("/sign-in", {"name": "olga", "password": SECRETS[3] + "x"})
    browser.post("/options/101", form_of(browser.get("/options/101")) | {"smtp.password": SECRETS[0] + "2"})
    browser.post(
        "/options/101", form_of(browser.get("/options/101")) | {"smtp.password": "x", "smtp.port": "x"}
    )
    browser.post("/options/101/test")
    browser.post("/mailboxes/101/resync", {"how": "now"})
    for path in looked_at(engine, config, message):
        answer = browser.get(path)
        assert answer.status in {200, 303, 404}, path
        for secret in SECRETS:
            assert secret.encode() not in answer.body + str(answer.headers).encode(), path
    for file in engine.state_dir.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not [secret for secret in SECRETS if secret.encode() in content], file


def test_text_from_outside_stays_text_on_every_page(opened, config):
    engine, browser = opened
    message = engine.mailbox("101").deliver(wav(), caller_name=HOSTILE, caller_number=HOSTILE).id
    browser.post("/options/101", form_of(browser.get("/options/101")) | {"smtp.account": HOSTILE[:60]})
    browser.post("/sign-in", {"name": HOSTILE, "password": HOSTILE})
    seen = 0
    for path in looked_at(engine, config, message):
        answer = browser.get(path)
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if kind != "text/html":
            assert kind in {"application/json", "audio/wav", "text/css", "text/javascript", "text/plain"}, (
                path
            )
            continue
        assert "<script>" not in answer.text, path
        assert "<img" not in answer.text, path
        assert "\u202e" not in answer.text, path
        assert "\x07" not in answer.text, path
        seen += "alert(1)" in answer.text
    assert seen >= 2
