"""The record of who changed what: whole lines, bounded files, no secrets; and its page."""

from __future__ import annotations

import json
import multiprocessing
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.web import audit
from syncengine.web.audit import FILE, Audit
from tests.support.commands import installed
from tests.support.pages import Browser, pages
from tests.support.world import wav

HOSTILE = "<script>alert(1)</script>\u202e\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture
def opened(config: Path) -> Iterator[tuple[Engine, Browser]]:
    with pages(config) as found:
        yield found


def record(engine: Engine) -> list[dict[str, object]]:
    return [dict(line) for line in Audit(engine.state_dir).newest()][::-1]


def options(browser: Browser) -> dict[str, str]:
    text = browser.get("/options/101").text
    version = re.search(r'name="version" value="([0-9a-f]*)"', text)
    assert version
    return {"version": version[1]}


def test_what_was_changed_is_written_down_with_old_and_new_and_without_secrets(opened):
    engine, browser = opened
    message = engine.mailbox("101").deliver(wav()).id
    form = options(browser) | {"smtp.port": "2525", "smtp.account": "a", "smtp.password": "very secret"}
    assert browser.post("/options/101", form).status == 303
    browser.post("/options/101", options(browser) | {"smtp.password": "", "smtp.password.remove": "yes"})
    browser.post(f"/mailboxes/101/messages/{message}/heard")
    browser.post("/mailboxes/101/resync", {"how": "dry-run"})
    browser.post("/mailboxes/999/resync", {"how": "now"})
    found = record(engine)
    assert [(line["act"], line["outcome"]) for line in found[:4]] == [
        ("apply options", "done"), ("apply options", "done"), ("change message", "done"), ("resync", "done"),
    ]  # fmt: skip
    assert found[0]["changes"] == {
        "smtp.port": ["1", 2525], "smtp.account": ["", "a"], "smtp.password": "changed",
    }  # fmt: skip
    assert found[1]["changes"]["smtp.password"] == "taken out"
    assert (found[2]["number"], found[2]["message"], found[2]["changes"]) == ("101", message, {"to": "heard"})
    assert "there is none" in found[4]["outcome"]
    assert (found[0]["user"], found[0]["role"]) == ("local", "operator")
    page = browser.get("/record").words
    assert "mailbox 101; smtp.port 1 \N{RIGHTWARDS ARROW} 2525; smtp.account blank" in page
    assert "smtp.password changed" in page
    assert "very secret" not in (engine.state_dir / FILE).read_text()
    assert (engine.state_dir / FILE).stat().st_mode & 0o777 == 0o600


def test_looking_is_not_written_down(opened):
    engine, browser = opened
    for path in ("/", "/mailboxes/101", "/options/101", "/misc", "/record", "/api/status"):
        browser.get(path)
    assert record(engine) == []


def test_the_page_shows_the_newest_first_and_hostile_text_stays_text(opened):
    engine, browser = opened
    written = Audit(engine.state_dir)
    for number in range(250):
        written.write(f"user{number}", "apply options", number="101", changes={"x": HOSTILE})
    with (engine.state_dir / FILE).open("ab") as file:
        file.write(b'{"damaged\n[1]\n')
    page = browser.get("/record")
    assert page.words.index("user249") < page.words.index("user248")
    assert "user149" not in page.words
    assert "user50" in browser.get("/record?page=2").words
    assert "user0" in browser.get("/record?page=3").words
    assert "<script>alert" not in page.text
    assert "\u202e" not in unescape(page.text)
    assert browser.get("/record?page=99").status == 200
    assert len(json.loads(browser.get("/api/record?limit=3").text)) == 3


def test_the_files_stay_small_and_keep_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "_MOST_BYTES", 2000)
    written = Audit(tmp_path)
    for number in range(300):
        written.write("olga", "test", n=number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [FILE, *(f"{FILE}.{n}" for n in range(1, 5))]
    assert all(path.stat().st_size < 2200 for path in tmp_path.iterdir())
    numbers = [line["n"] for line in written.newest()]
    assert numbers == list(range(299, 299 - len(numbers), -1))
    assert len(numbers) > 50


def test_a_line_is_never_longer_than_it_may_be(tmp_path):
    written = Audit(tmp_path)
    written.write("olga", "apply options", number="101", name="z" * 100_000, changes={"x": "y" * 100_000})
    (line,) = written.newest()
    assert len(written.file.read_bytes()) < 8192
    assert line["changes"] == "too long to be written down"
    assert line["number"] == "101"


def _write(folder: Path, name: str) -> None:
    written = Audit(folder)
    for number in range(200):
        written.write(name, "test", n=number)


def test_several_processes_write_whole_lines_while_the_files_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "_MOST_BYTES", 20_000)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(tmp_path, f"user{n}")) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    found = [(line["user"], line["n"]) for line in Audit(tmp_path).newest()]
    assert sorted(found) == sorted((f"user{n}", m) for n in range(3) for m in range(200))


def test_a_record_that_cannot_be_written_stops_no_change(opened, caplog):
    engine, browser = opened
    (engine.state_dir / FILE).mkdir()
    message = engine.mailbox("101").deliver(wav()).id
    browser.get("/mailboxes/101")
    assert browser.post(f"/mailboxes/101/messages/{message}/heard").status == 303
    assert "cannot be written" in caplog.text
