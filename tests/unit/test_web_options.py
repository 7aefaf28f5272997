"""Mailbox Options and Misc Setup on the page: the manual's fields, and what becomes of each change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.model import Security
from syncengine.options.edit import set_mailbox, set_system
from syncengine.options.files import load
from syncengine.options.schema import Mailbox, Protocol
from syncengine.options.vmconfig import MANUAL_ROWS
from tests.support.commands import installed
from tests.support.pages import Answer, Browser, form_of, pages

AT = "/options/101"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture
def opened(config: Path) -> Iterator[tuple[Engine, Browser]]:
    with pages(config) as found:
        yield found


@pytest.fixture
def browser(opened: tuple[Engine, Browser]) -> Browser:
    return opened[1]


def mailbox(config: Path) -> Mailbox:
    return load(config).mailboxes["101"]


def apply(browser: Browser, **changes: str) -> Answer:
    """Open the tab, change fields (a double underscore is a dot), apply."""
    form = form_of(browser.get(AT)) | {name.replace("__", "."): v for name, v in changes.items()}
    return browser.post(AT, form)


HEAD = ("Email Integration", "Email Integration Send Mode")
NAME = ("Email Name",)
# The manual's two tables (pages 3 and 5), label by label.
MANUAL = {
    "pop3": (
        *HEAD, *NAME, "Smtp Server", "Domain Name", "Smtp Port", "Smtp SSL", "Smtp Authentication",
        "Smtp Account", "Smtp Password", "Pop3 Server", "Pop3 Port", "Pop3 SSL", "Pop3 Account",
        "Pop3 Password",
    ),
    "imap4": (
        *HEAD, "Email Integration Sync Mode", *NAME, "Smtp Server", "Domain Name", "Smtp Port", "Smtp SSL",
        "Smtp Authentication", "Smtp Account", "Smtp Password", "Imap4 Server", "Imap4 Port", "Imap4 SSL",
        "Imap4 Account", "Imap4 Password", "Imap4 Authentication", "Imap4 Search Mode",
    ),
}  # fmt: skip


@pytest.mark.parametrize("protocol", list(Protocol))
def test_the_tab_has_the_manuals_labels_in_their_order(config, protocol):
    set_mailbox(config, "101", {"protocol": protocol.value})
    with pages(config) as (_, browser):
        page = browser.get(AT)
        labels = re.findall(r'<label for="[\w-]+">([^<]*)</label>', page.text)
        assert tuple(name for name in labels if not name.startswith("Take")) == MANUAL[protocol]
        assert ">Email</h2>" in page.text
        assert ">Apply changes</button>" in page.text
        fields = json.loads(browser.get("/api/mailboxes/101/options").text)["fields"]
        assert tuple(field["label"] for field in fields) == MANUAL[protocol]


def test_the_choices_are_the_manuals_words(browser):
    text = browser.get(AT).text

    def choices(name: str) -> list[str]:
        inside = re.search(rf'<select id="{name}".*?</select>', text, re.DOTALL)
        assert inside
        return re.findall(r"<option[^>]*>([^<]*)", inside[0])

    assert choices("email_integration") == ["No", "Yes"]
    assert choices("send_mode") == ["Voice", "Fax", "Voice/Fax"]
    assert choices("sync_mode") == ["All Folders", "Inbox Only", "VM Folder Only", "None"]
    assert choices("imap4-search_mode")[:2] == ["Header", "Text"]
    assert {"No", "Yes"} <= set(choices("smtp-security")) & set(choices("imap4-security"))
    assert choices("smtp-authentication")[0] == "None"
    assert choices("imap4-authentication")[0] == "Plain"


def test_every_field_has_its_label_and_its_explanation(browser):
    text = browser.get(AT).text
    for name in re.findall(r'<(?:select|input) id="([\w-]+)"', text):
        assert f'<label for="{name}">' in text
    for name in re.findall(r'aria-describedby="([\w-]+)"', text):
        assert f'id="{name}"' in text


def test_what_was_not_touched_is_not_written(browser, config):
    before = (config.parent / "mailboxes.d" / "101.toml").read_text()
    answer = apply(browser)
    assert answer.status == 200
    assert "Nothing was changed." in answer.words
    assert (config.parent / "mailboxes.d" / "101.toml").read_text() == before


def test_changes_are_applied_and_in_force(opened, config):
    engine, browser = opened
    answer = apply(
        browser, send_mode="voice", email_name="b@example.com", smtp__server="mail.example.com",
        smtp__security="tls", smtp__port="465", smtp__domain="example.com",
    )  # fmt: skip
    assert (answer.status, answer.headers["Location"]) == (303, f"{AT}?said=applied")
    now = engine.settings.mailboxes["101"]
    assert now == mailbox(config)
    assert (now.send_mode, now.email_name, now.smtp.server) == ("voice", "b@example.com", "mail.example.com")
    assert (now.smtp.security, now.smtp.port, now.smtp.domain) == (Security.TLS, 465, "example.com")
    assert "The changes are applied." in browser.get(f"{AT}?said=applied").words


def test_a_usual_port_follows_the_security_without_script(browser, config):
    apply(browser, imap4__security="starttls")
    assert mailbox(config).imap4.port == 143
    apply(browser, imap4__port="1143")
    apply(browser, imap4__security="tls")
    assert mailbox(config).imap4.port == 1143
    assert 'data-ports="none:143 starttls:143 tls:993"' in browser.get(AT).text


def test_a_password_goes_in_and_never_comes_back(browser, config):
    secret = 'pass"word-<x>-ö'
    assert apply(browser, smtp__password=secret, smtp__account="a@example.com").status == 303
    password = mailbox(config).smtp.password
    assert password is not None
    assert password.read() == secret
    for path in (AT, "/mailboxes/101", "/"):
        text = browser.get(path).text
        assert secret not in unescape(text)
    assert "It is set." in browser.get(AT).words
    apply(browser, smtp__account="b@example.com")
    assert mailbox(config).smtp.password == password
    refused = apply(browser, smtp__password="another-secret", smtp__port="99999")
    assert refused.status == 422
    assert "another-secret" not in refused.text
    assert apply(browser, **{"smtp__password__remove": "yes"}).status == 303
    assert mailbox(config).smtp.password is None


def test_what_does_not_hold_is_said_beside_its_field_and_nothing_is_applied(browser, config):
    before = mailbox(config)
    answer = apply(browser, smtp__port="no port", email_name="<b>not an address", send_mode="fax")
    assert answer.status == 422
    for name in ("smtp-port", "email_name"):
        about = answer.text.partition(f'id="{name}-about"')[2].partition("</div>")[0]
        assert 'class="bad"' in about, name
    about = answer.text.partition('id="send_mode-about"')[2].partition("</div>")[0]
    assert 'class="bad"' not in about
    assert 'value="no port"' in answer.text
    assert "<b>not" not in answer.text
    assert mailbox(config) == before


def test_what_a_switch_needs_is_said_beside_the_field_that_is_missing(browser):
    answer = apply(browser, email_name="")
    assert answer.status == 422
    about = answer.text.partition('id="email_name-about"')[2].partition("</div>")[0]
    assert "needs an e-mail name" in about


def test_who_comes_later_is_told_and_overwrites_nothing(browser, config):
    form = form_of(browser.get(AT))
    set_mailbox(config, "101", {"email_name": "first@example.com"})
    answer = browser.post(AT, form | {"email_name": "second@example.com"})
    assert answer.status == 409
    assert "changed this mailbox meanwhile" in answer.words
    assert 'value="second@example.com"' in answer.text
    assert "At present: first@example.com." in answer.words
    assert mailbox(config).email_name == "first@example.com"
    assert browser.post(AT, form_of(answer)).status == 303
    assert mailbox(config).email_name == "second@example.com"


def test_no_form_changes_what_is_not_on_the_tab(browser, config):
    before = mailbox(config)
    form = form_of(browser.get(AT))
    answer = browser.post(
        AT, form | {"smtp.password_command": "touch /tmp/x", "lamp_command": "x", "copies": "x"}
    )
    assert "Nothing was changed." in answer.words
    assert mailbox(config) == before


def test_a_mailbox_is_picked_by_buttons_field_or_list(browser):
    assert 'value="1"' in browser.get("/options?number=&digit=1").text
    there = '<a href="/options/101">Mailbox 101</a>'
    for found in ("number=1&digit=0", "q=A@EXAMPLE", "q=01", ""):
        assert there in browser.get(f"/options?{found}").text
    assert there not in browser.get("/options?q=elsewhere").text
    assert browser.get("/options?number=101").headers["Location"] == "/options/101"
    for odd in (
        "/options?number=../x",
        "/options?number=%0d%0aX:1",
        "/options?digit=12",
        "/options?number=<b>",
    ):
        answer = browser.get(odd.replace("<", "%3C"))
        assert answer.status == 200
        assert "<b>" not in answer.text


def test_a_mailbox_is_added(browser, config):
    missing = browser.get("/options/205")
    assert missing.status == 404
    assert "There is no mailbox 205 yet." in missing.words
    assert browser.post("/options/205/add").status == 303
    assert "205" in load(config).mailboxes
    assert browser.get("/options/205").status == 200
    assert browser.post("/options/205/add").status == 409
    assert browser.post("/options/..%2fx/add").status in {404, 409}
    assert browser.post("/options/%2e%2e/add").status in {404, 409}
    assert sorted(p.name for p in (config.parent / "mailboxes.d").iterdir() if p.suffix) == [
        "101.toml",
        "205.toml",
    ]


def test_the_test_shows_each_step(browser):
    browser.get(AT)
    words = browser.post(f"{AT}/test").words
    assert "smtp" in words
    assert "failed" in words


def test_misc_setup_is_the_manuals_table(browser):
    text = browser.get("/misc").text
    assert re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', text) == list(MANUAL_ROWS)
    assert "g_bImap4SyncPendingTimer 20 0 sync_pending_timer" in browser.get("/misc").words
    assert "g_bUseAmis True 0 means nothing" in browser.get("/misc").words


def change_row(browser: Browser, name: str, **changes: str) -> Answer:
    return browser.post(f"/misc/{name}", form_of(browser.get(f"/misc/{name}")) | changes)


def test_the_protocol_is_changed_as_the_manual_says(opened):
    engine, browser = opened
    value = "/usr/local/vm/lib/libsmtppop3.so"
    assert change_row(browser, "g_szEmailDllPath", value=value).status == 303
    assert engine.settings.system.protocol is Protocol.POP3
    assert f"g_szEmailDllPath {value} 0" in browser.get("/misc").words
    assert change_row(browser, "g_szEmailDllPath", ignore="1").status == 303
    assert engine.settings.system.protocol is Protocol.IMAP4
    assert f"g_szEmailDllPath {value} 1" in browser.get("/misc").words


def test_a_row_that_was_not_touched_keeps_what_minutes_cannot_say(browser, config):
    set_system(config, "sync_pending_timer", "90s")
    assert change_row(browser, "g_bImap4SyncPendingTimer").status == 303
    assert load(config).system.sync_pending_timer == 90


def test_a_row_that_does_not_hold_or_came_late_is_not_applied(browser, config):
    refused = change_row(browser, "g_bUseTTS", value="<b>perhaps")
    assert refused.status == 422
    assert "allowed is" in refused.words
    assert "<b>" not in refused.text
    form = form_of(browser.get("/misc/g_bUseTTS"))
    set_system(config, "seats", 11)
    late = browser.post("/misc/g_bUseTTS", form | {"value": "True"})
    assert late.status == 409
    assert load(config).system.text_to_speech is False
    assert browser.post("/misc/g_bUseTTS", form_of(late)).status == 303
    assert load(config).system.text_to_speech is True
    assert browser.get("/misc/nothing").status == 404
    assert change_row(browser, "g_bUseTTS", ignore="2").status == 400
