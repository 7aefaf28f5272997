"""The status page and a mailbox's page: they show what commands show, and hostile text stays text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.engine.overview import lines
from syncengine.index import QueueState
from syncengine.model import token_of
from tests.support.commands import installed
from tests.support.pages import Browser, pages
from tests.support.world import wav

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}\u202egnp.exe"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture
def opened(config: Path) -> Iterator[tuple[Engine, Browser]]:
    with pages(config) as found:
        yield found


@pytest.fixture
def engine(opened: tuple[Engine, Browser]) -> Engine:
    return opened[0]


@pytest.fixture
def browser(opened: tuple[Engine, Browser]) -> Browser:
    return opened[1]


def many(config: Path, count: int) -> None:
    """Write mailboxes that are off."""
    folder = config.parent / "mailboxes.d"
    for number in range(2000, 2000 + count):
        (folder / f"{number}.toml").write_text(f'email_name = "user{number}@example.com"\n')


def test_every_mailbox_is_on_the_page_with_its_state(engine, browser):
    engine.mailbox("101").deliver(wav(), caller_name="Peter Adams")
    words = browser.get("/").words
    assert "1 of 1 mailboxes" in words
    assert "101 a@example.com pending 1 0 1 0 never" in words


def test_the_list_says_what_the_command_says(engine):
    def states() -> tuple[str, str]:
        (line,) = lines(engine)
        return line.state, engine.status("101").state

    assert states() == ("in-step", "in-step")
    message = engine.mailbox("101").deliver(wav())
    assert states() == ("pending", "pending")
    move = engine.index.queue.move
    move("101", [QueueState.DUE], QueueState.BLOCKED, 0.0, token_of(message.id))
    assert states() == ("failing", "failing")
    engine.resync("101")
    assert states()[0] == states()[1]


def test_mailboxes_are_searched_sorted_and_paged(config):
    many(config, 130)
    with pages(config) as (_, browser):
        assert "131 of 131 mailboxes, page 1 of 3" in browser.get("/").words
        assert "page 3 of 3" in browser.get("/?page=999").words
        last = browser.get("/?page=3").text
        assert "/mailboxes/2129" in last
        assert "/mailboxes/101" not in last
        assert "1 of 131" in browser.get("/?q=USER2007").words
        assert "130 of 131" in browser.get("/?state=off").words
        assert browser.get("/?state=off&sort=name&page=2").text.count('scope="row"') == 50
        found = browser.get("/?sort=state").text
        assert found.index("/mailboxes/101") < found.index("/mailboxes/2000")
        for odd in ("/?page=-1", "/?page=x&sort=nothing&state=<b>", "/?q=%00%ff", "/?q=" + "x" * 500):
            assert browser.get(odd).status == 200


def test_what_is_searched_for_stays_text(browser):
    text = browser.get("/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("path", ["/mailboxes/101", "/"])
def test_a_callers_name_stays_text(engine, browser, path):
    engine.mailbox("101").deliver(wav(), caller_name=HOSTILE)
    answer = browser.get(path)
    assert "<script>" not in answer.text
    assert "\u202e" not in answer.text
    assert "49" not in answer.words or "{{7*7}}" in answer.words
    if path != "/":
        assert "<script>alert(1)</script>" in answer.words


def test_a_message_is_marked_deleted_and_restored(engine, browser):
    box = engine.mailbox("101")
    message = box.deliver(wav(), caller_name="Peter Adams").id
    at = f"/mailboxes/101/messages/{message}"
    browser.get("/mailboxes/101")
    for act, heard, deleted in (
        ("heard", True, False), ("new", False, False), ("delete", False, True), ("restore", False, False),
    ):  # fmt: skip
        answer = browser.post(f"{at}/{act}")
        assert (answer.status, answer.headers["Location"]) == (303, f"/mailboxes/101?said={act}")
        now = box.message(message)
        assert (now.heard, now.deleted) == (heard, deleted)
    assert "The message is restored." in browser.get("/mailboxes/101?said=restore").words
    assert browser.post(f"{at}/restore").status == 404
    assert "it is not deleted" in browser.post(f"{at}/restore").words


def test_what_there_is_not_is_said_so(browser):
    browser.get("/mailboxes/101")
    for path in ("/mailboxes/999", "/mailboxes/%3Cb%3E", "/nothing", "/mailboxes/101/messages"):
        answer = browser.get(path)
        assert answer.status == 404
        assert "<b>" not in answer.text.replace("<bdi>", "")
    assert browser.post(f"/mailboxes/101/messages/{'0' * 32}/delete").status == 404
    assert browser.post("/mailboxes/101/messages/short/delete").status == 404
    assert browser.post(f"/mailboxes/101/messages/{'0' * 32}/burn").status == 404


def test_a_message_that_was_given_up_is_sent_again(engine, browser):
    message = engine.mailbox("101").deliver(wav()).id
    token = token_of(message)
    engine.index.queue.move("101", [QueueState.DUE], QueueState.CANCELLED, 0.0, token)
    page = browser.get("/mailboxes/101")
    assert "Send again" in page.words
    assert browser.post(f"/mailboxes/101/messages/{message}/retry").status == 303
    assert engine.index.queue.get("101", token).state is QueueState.DUE


def test_a_pass_and_a_dry_run_show_what_they_did(engine, browser):
    message = engine.mailbox("101").deliver(wav()).id
    browser.get("/mailboxes/101")
    plan = browser.post("/mailboxes/101/resync", {"how": "dry-run"}).words
    assert "Nothing was changed anywhere" in plan
    assert f"remote send {message} 1" in plan
    assert engine.index.queue.get("101", token_of(message)).attempts == 0
    report = browser.post("/mailboxes/101/resync", {"how": "now"})
    assert report.status == 200
    assert "Report of mailbox 101" in report.words
    assert engine.index.queue.get("101", token_of(message)).attempts == 1
    assert browser.post("/mailboxes/101/resync", {"how": "burn"}).status == 400


def test_only_the_deletes_that_were_shown_are_let_through(engine, browser):
    engine.resync("101")
    host, login = engine.binding("101").account_key
    account = engine.index.views.account("101", host, login).id
    passes = engine.index.passes
    passes.set_held(account, [token_of("a" * 32)], time.time())
    page = browser.get("/mailboxes/101")
    assert "Accept exactly this delete" in page.words
    seen = page.text.partition('name="seen" value="')[2][:64]
    passes.set_held(account, [token_of("a" * 32), token_of("b" * 32)], time.time())
    form = {"how": "accept-deletes", "seen": seen}
    assert browser.post("/mailboxes/101/resync", form).status == 409
    assert len(passes.held(account)) == 2
    passes.set_held(account, [token_of("a" * 32)], time.time())
    assert browser.post("/mailboxes/101/resync", form).status == 200


def test_a_fault_shows_nothing_of_the_inside(engine, browser):
    engine.index.database.execute("ALTER TABLE passes RENAME TO elsewhere")
    answer = browser.get("/")
    assert answer.status in {500, 503}
    assert "Traceback" not in answer.text
    engine.index.database.execute("ALTER TABLE elsewhere RENAME TO passes")
