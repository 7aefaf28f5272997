"""Recordings on the page: said to be what their own bytes say, and nothing else is handed out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.web.sound import kind_of
from tests.support.commands import installed
from tests.support.pages import Browser, pages
from tests.support.world import wav


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Engine, Browser]]:
    installed(tmp_path / "here")
    with pages(tmp_path / "here" / "syncengine.toml") as found:
        yield found


def test_a_recording_is_played_from_the_page(opened):
    engine, browser = opened
    message = engine.mailbox("101").deliver(wav()).id
    at = f"/mailboxes/101/messages/{message}/sound"
    assert f'<audio controls preload="none" src="{at}"' in browser.get("/mailboxes/101").text
    answer = browser.get(at)
    assert (answer.status, answer.body) == (200, wav())
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == f'inline; filename="{message}.wav"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_anothers_message_and_what_is_none_are_not_there(opened):
    engine, browser = opened
    (Path(engine.settings.path).parent / "mailboxes.d" / "102.toml").write_text("")
    message = engine.mailbox("101").deliver(wav()).id
    for path in (
        f"102/messages/{message}",
        f"101/messages/{'0' * 32}",
        "101/messages/..%2f..%2fsyncengine.key",
    ):
        assert browser.get(f"/mailboxes/{path}/sound").status == 404


def test_a_recording_that_is_gone_is_said_to_be_so(opened):
    engine, browser = opened
    box = engine.mailbox("101")
    message = box.deliver(wav()).id
    box.content(message).unlink()
    assert browser.get(f"/mailboxes/101/messages/{message}/sound").status in {404, 503}


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\n\n\n\nWAVEfmt ", "audio/wav"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"II*\0", "image/tiff"),
        (b"%PDF-1.4", "application/pdf"),
        (b"<html><script>", "application/octet-stream"),
        (b"<svg onload=", "application/octet-stream"),
        (b"\n%PDF-", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
    ids=repr,
)
def test_the_first_bytes_say_what_it_is(tmp_path, head, kind):
    file = tmp_path / "x.html"
    file.write_bytes(head)
    assert kind_of(file)[0] == kind
