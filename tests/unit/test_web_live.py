"""Pages are told of changes: only of their own, a bounded number of them, and nothing is left over."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from syncengine.engine.engine import Engine
from syncengine.web import live
from tests.support.commands import installed, ran_apart
from tests.support.pages import Browser, pages
from tests.support.waiting import eventually
from tests.support.world import wav

PAGE = "/mailboxes/101"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(live, "LOOKS", 0.05)


class Stream:
    """A page's stream as a browser has it."""

    def __init__(self, browser: Browser, path: str) -> None:
        where = urlsplit(f"//{browser.host}")
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        self._connection.request("GET", path, headers={"Cookie": browser.cookie})
        self.response = self._connection.getresponse()
        self.status = self.response.status

    def event(self) -> str:
        """The name of the next event; blank at the end."""
        while line := self.response.readline():
            if line.startswith(b"event: "):
                return line[7:].decode().strip()
        return ""

    def close(self) -> None:
        self.response.close()
        self._connection.close()


@contextmanager
def told(browser: Browser, page: str = PAGE) -> Iterator[Stream]:
    """The stream that a page names."""
    path = browser.get(page).text.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
    stream = Stream(browser, path)
    try:
        yield stream
    finally:
        stream.close()


@contextmanager
def opened(config: Path) -> Iterator[tuple[Engine, Browser]]:
    with pages(config) as (engine, browser):
        browser.get("/")
        yield engine, browser


@pytest.mark.parametrize("page", [PAGE, "/"])
def test_an_open_page_is_told_of_what_another_process_changed(config, page):
    with opened(config) as (_, browser), told(browser, page) as stream:
        assert stream.status == 200
        assert stream.response.headers["Content-Type"].startswith("text/event-stream")
        recording = config.parent / "msg.wav"
        recording.write_bytes(wav())
        ran_apart("--config", config, "deliver", "101", recording, "--kind", "voice")
        assert stream.event() == "changed"


def test_a_page_from_before_a_change_is_told_at_once(config):
    with opened(config) as (engine, browser):
        old = browser.get(PAGE).text.partition('data-live="')[2].partition('"')[0]
        engine.mailbox("101").deliver(wav())
        stream = Stream(browser, old)
        assert stream.event() == "changed"
        stream.close()


def test_a_mailbox_is_not_told_of_anothers_changes(config):
    (config.parent / "mailboxes.d" / "102.toml").write_text('email_name = "b@example.com"\n')
    with opened(config) as (engine, browser), told(browser) as stream:
        engine.mailbox("102").deliver(wav())
        time.sleep(0.5)  # what must not come has no condition to wait for
        message = engine.mailbox("101").deliver(wav())
        assert stream.event() == "changed"
        path = browser.get(PAGE).text.partition('data-live="')[2].partition('"')[0]
        again = Stream(browser, path)
        engine.mailbox("102").deliver(wav())
        engine.mailbox("101").mark_heard(message.id)
        assert again.event() == "changed"
        again.close()


def test_the_page_names_the_state_it_shows(config):
    with opened(config) as (engine, browser):

        def mark() -> str:
            return browser.get(PAGE).text.partition("live?mark=")[2].partition('"')[0]

        engine.mailbox("101").deliver(wav())
        first = mark()
        assert mark() == first
        engine.mailbox("101").deliver(wav())
        assert mark() != first


def test_there_is_an_end_to_how_many_are_told(config, monkeypatch):
    monkeypatch.setattr(live, "MOST", 3)
    monkeypatch.setattr(live, "MOST_OF_ONE", 2)
    with opened(config) as (_, browser):
        other = Browser(browser.host)
        other.get("/")
        third = Browser(browser.host)
        third.get("/")
        streams = [Stream(one, f"{PAGE}/live") for one in (browser, browser, browser, other, third)]
        assert [stream.status for stream in streams] == [200, 200, 503, 200, 503]
        assert streams[-1].response.headers["Retry-After"] == "60"
        streams[0].close()
        assert browser.get("/").status == 200

        def taken() -> Stream | None:
            another = Stream(browser, f"{PAGE}/live")
            if another.status != 200:
                another.close()
                return None
            return another

        streams.append(eventually(taken, what="the place of who left"))
        for stream in streams:
            stream.close()


def test_streams_end_with_the_pages_and_leave_no_thread(config):
    before = set(threading.enumerate())
    with opened(config) as (_, browser):
        stream = Stream(browser, f"{PAGE}/live?mark=old")
        assert stream.event() == "changed"
        began = time.monotonic()
    assert time.monotonic() - began < 4, "an open stream does not hold up the end"
    assert stream.event() == "over"
    stream.close()
    eventually(lambda: set(threading.enumerate()) <= before)


def test_a_stream_ends_after_a_while_so_that_rights_are_looked_at_again(config, monkeypatch):
    monkeypatch.setattr(live, "LASTS", 0.2)
    with opened(config) as (_, browser), told(browser) as stream:
        assert stream.event() == "over"
        assert stream.event() == ""


def test_what_there_is_not_has_no_stream(config):
    with opened(config) as (_, browser):
        assert browser.get("/mailboxes/999/live").status == 404
        assert browser.ask("HEAD", f"{PAGE}/live").status == 200
