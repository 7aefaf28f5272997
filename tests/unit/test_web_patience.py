"""Who says nothing, or not all of it, does not keep others out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from syncengine.web import patience
from tests.support.commands import installed
from tests.support.pages import Browser, pages
from tests.support.waiting import eventually


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setattr(patience, "HEAD", 0.5)
    monkeypatch.setattr(patience, "BODY", 0.5)
    installed(tmp_path / "here")
    with pages(tmp_path / "here" / "syncengine.toml") as (_, found):
        yield found


def connected(browser: Browser, said: bytes) -> socket.socket:
    host, _, port = browser.host.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=30)
    sock.sendall(said)
    return sock


HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("said", [b"", b"G", HEAD, HEAD + b"X: y"])
def test_a_request_that_does_not_come_ends_the_connection(browser, said):
    with connected(browser, said) as sock:
        assert sock.recv(100) == b""


def test_the_second_request_on_a_connection_has_its_time_too(browser):
    with connected(browser, HEAD + b"\r\n") as sock:
        answer = b""
        while b"</html>" not in answer:
            answer += sock.recv(65536)
        sock.sendall(HEAD)
        assert sock.recv(100) == b""


def test_a_body_that_does_not_come_is_no_form(browser):
    head = (
        f"POST /sign-in HTTP/1.1\r\nHost: {browser.host}\r\nOrigin: http://{browser.host}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ncsrf="
    )
    with connected(browser, head.encode()) as sock:
        assert sock.recv(100).startswith(b"HTTP/1.1 400")


def test_many_who_say_nothing_keep_nobody_out_for_long(browser):
    with ExitStack() as stack:
        for _ in range(80):
            stack.enter_context(connected(browser, HEAD))
        eventually(lambda: browser.get("/").status == 200)
