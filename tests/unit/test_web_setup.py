"""Options by the API as on the page: seats, two people at once, and what a subscriber may not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.options.edit import add_mailbox, set_mailbox, set_system
from syncengine.options.files import load
from syncengine.options.schema import Mailbox
from syncengine.web.users import Users
from syncengine.web.who import Role
from tests.support.commands import installed
from tests.support.pages import Answer, Browser, form_of, pages

PASSWORD = "correct horse"
OTHER = {
    "email_name": "b@example.com", "sync_mode": "none", "smtp.server": "127.0.0.1",
    "smtp.security": "none", "smtp.port": 1,
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture
def browser(config: Path) -> Iterator[Browser]:
    with pages(config) as (_, found):
        yield found


def mailbox(config: Path, number: str = "101") -> Mailbox:
    return load(config).mailboxes[number]


def call(browser: Browser, method: str, path: str, body: object) -> Answer:
    sent = {"Content_Type": "application/json", "X_CSRF_Token": browser.token}
    return browser.ask(method, path, json.dumps(body).encode(), **sent)


def options(browser: Browser, number: str = "101") -> dict[str, object]:
    found: dict[str, object] = json.loads(browser.get(f"/api/mailboxes/{number}/options").text)
    return found


def patch(
    browser: Browser, changes: dict[str, object], number: str = "101", version: object = None
) -> Answer:
    body = {"version": version or options(browser, number)["version"], "changes": changes}
    return call(browser, "PATCH", f"/api/mailboxes/{number}/options", body)


def test_values_and_labels_are_taken_and_given_back(browser, config):
    answer = patch(
        browser,
        {
            "smtp.port": 2525,
            "smtp.security": "STARTTLS",
            "send_mode": "Voice",
            "smtp.account": "a",
            "email_name": None,
        }
        | {"email_integration": False},
    )
    assert answer.status == 200, answer.text
    values = {field["name"]: field["value"] for field in json.loads(answer.text)["fields"]}
    assert (values["smtp.port"], values["smtp.security"], values["send_mode"]) == (2525, "starttls", "voice")
    assert (values["email_integration"], values["email_name"]) == (False, "")
    assert mailbox(config).smtp.port == 2525


def test_a_password_goes_in_and_never_comes_out(browser, config):
    answer = patch(browser, {"smtp.password": "very secret"})
    field = next(one for one in json.loads(answer.text)["fields"] if one["name"] == "smtp.password")
    assert (field["value"], field["set"]) == (None, True)
    assert "very secret" not in answer.text + json.dumps(options(browser))
    assert mailbox(config).smtp.password.read() == "very secret"
    refused = patch(browser, {"smtp.password": "another secret", "smtp.port": 99999})
    assert refused.status == 422
    assert "another secret" not in refused.text
    assert patch(browser, {"smtp.password": None}).status == 200
    assert mailbox(config).smtp.password is None


def test_what_does_not_hold_is_said_by_field_and_nothing_is_applied(browser, config):
    before = mailbox(config)
    answer = patch(browser, {"smtp.port": "no port", "email_name": "no address <", "send_mode": "fax"})
    assert answer.status == 422
    assert set(json.loads(answer.text)["fields"]) == {"smtp.port", "email_name"}
    for outside in (
        "smtp.password_command",
        "lamp_command",
        "protocol",
        "imap4",
        "pop3.server",
        "copies",
        "",
    ):
        assert patch(browser, {outside: "x"}).status == 422
    assert mailbox(config) == before


def test_who_comes_later_is_told_and_overwrites_nothing(browser, config):
    version = options(browser)["version"]
    assert patch(browser, {"smtp.port": 2525}, version=version).status == 200
    late = patch(browser, {"smtp.port": 2626, "email_name": "b@example.com"}, version=version)
    assert late.status == 409
    assert "meanwhile" in late.text
    assert mailbox(config).smtp.port == 2525
    assert mailbox(config).email_name == "a@example.com"
    old = json.loads(browser.get("/api/misc").text)["version"]
    set_system(config, "seats", 11)
    assert call(browser, "PATCH", "/api/misc/g_bUseTTS", {"version": old, "value": "True"}).status == 409
    assert load(config).system.text_to_speech is False


def test_page_and_api_tell_each_other_of_changes(browser, config):
    form, version = form_of(browser.get("/options/101")), options(browser)["version"]
    assert browser.post("/options/101", form | {"smtp.domain": "first.example"}).status == 303
    assert patch(browser, {"smtp.domain": "second.example"}, version=version).status == 409
    form = form_of(browser.get("/options/101"))
    assert patch(browser, {"smtp.domain": "third.example"}).status == 200
    assert browser.post("/options/101", form | {"smtp.domain": "fourth.example"}).status == 409
    assert mailbox(config).smtp.domain == "third.example"


def test_a_seat_more_than_there_are_is_refused_on_the_page_and_by_the_api(config):
    set_system(config, "seats", 1)
    add_mailbox(config, "102", OTHER)
    with pages(config) as (engine, browser):
        form = form_of(browser.get("/options/102")) | {"email_integration": "yes"}
        page = browser.post("/options/102", form)
        assert page.status == 422
        about = page.text.partition('id="email_integration-about"')[2].partition("</div>")[0]
        assert 'class="bad"' in about
        assert "seat" in about
        answer = patch(browser, {"email_integration": True}, "102")
        assert answer.status == 422
        assert "seat" in json.loads(answer.text)["fields"]["email_integration"]
        assert mailbox(config, "102").email_integration is False
        assert engine.off("102") is not None
        assert patch(browser, {"email_integration": False}).status == 200
        assert patch(browser, {"email_integration": "Yes"}, "102").status == 200
        assert (
            browser.post(
                "/options/101", form_of(browser.get("/options/101")) | {"email_integration": "yes"}
            ).status
            == 422
        )


def test_a_row_of_misc_setup_is_changed(browser, config):
    version = json.loads(browser.get("/api/misc").text)["version"]
    answer = call(browser, "PATCH", "/api/misc/g_bImap4SyncPendingTimer", {"version": version, "value": "30"})
    assert (answer.status, json.loads(answer.text)["value"]) == (200, "30")
    assert load(config).system.sync_pending_timer == 1800
    version = json.loads(browser.get("/api/misc").text)["version"]
    assert (
        call(browser, "PATCH", "/api/misc/g_bUseTTS", {"version": version, "value": "perhaps"}).status == 422
    )
    assert call(browser, "PATCH", "/api/misc/nothing", {"version": version, "value": "x"}).status == 404
    ignored = call(browser, "PATCH", "/api/misc/g_bImap4SyncPendingTimer", {"version": version, "ignore": 1})
    assert json.loads(ignored.text) == {
        "name": "g_bImap4SyncPendingTimer", "value": "30", "ignore": 1, "key": "sync_pending_timer",
    }  # fmt: skip


@pytest.fixture
def subscriber(config: Path) -> Iterator[Browser]:
    with Engine.open(config) as engine:
        Users(engine.state_dir).add("sam", Role.SUBSCRIBER, PASSWORD, "101")
    set_mailbox(config, "101", {"smtp.password": "the operator's", "smtp.account": "a@example.com"})
    with pages(config) as (_, browser):
        browser.get("/sign-in")
        browser.post("/sign-in", {"name": "sam", "password": PASSWORD})
        browser.token = json.loads(browser.get("/api/me").text)["csrf"]
        yield browser


def test_a_subscriber_sets_up_his_own_account_and_tries_it(subscriber, config):
    form = form_of(subscriber.get("/options/101"))
    answer = subscriber.post(
        "/options/101", form | {"smtp.domain": "voice.example", "smtp.password": "his own"}
    )
    assert answer.status == 303
    assert mailbox(config).smtp.password.read() == "his own"
    assert "smtp" in subscriber.post("/options/101/test").words
    assert json.loads(call(subscriber, "POST", "/api/mailboxes/101/test", {}).text)[0]["server"] == "smtp"
    assert patch(subscriber, {"email_name": "new@example.com"}).status == 200
    assert mailbox(config).email_name == "new@example.com"


@pytest.mark.parametrize(
    "moved", [{"smtp.server": "evil.example"}, {"smtp.port": 2525}, {"smtp.security": "tls"}]
)
def test_a_stored_password_goes_to_no_server_that_a_subscriber_names(subscriber, config, moved):
    before = mailbox(config)
    answer = patch(subscriber, moved)
    assert answer.status == 422
    assert "type its password" in json.loads(answer.text)["fields"]["smtp.password"]
    text = {name: str(value) for name, value in moved.items()}
    page = subscriber.post("/options/101", form_of(subscriber.get("/options/101")) | text)
    assert page.status == 422
    about = page.text.partition('id="smtp-password-about"')[2].partition("</div>")[0]
    assert "type its password in as well" in about
    assert mailbox(config) == before
    assert patch(subscriber, moved | {"smtp.password": "his own"}).status == 200
