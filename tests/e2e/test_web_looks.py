"""Every page in a real browser: on wide and narrow screens, in light and dark, for everybody who uses it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.chromium import NARROW, WIDE, Scheme, View, view
from tests.support.dovecot import Dovecot
from tests.support.pages import pages
from tests.support.showcase import Showcase, showcase

PAGES = (
    "/", "/?q=example&sort=state", "/mailboxes/101", "/mailboxes/104", "/options", "/options?number=10",
    "/options/101", "/options/106", "/options/999", "/misc", "/misc/g_szEmailDllPath", "/record", "/api",
    "/sign-in",
)  # fmt: skip
NOT_THERE = "404 (Not Found)"
"""What Chromium says on its console of a page that says that there is no such thing."""


@pytest.fixture(scope="module")
def shown(dovecot: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Showcase]:
    with showcase(dovecot, tmp_path_factory.mktemp("pages") / "here") as show:
        yield show


@pytest.fixture(scope="module")
def host(shown: Showcase) -> Iterator[str]:
    with pages(shown.config) as (_, browser):
        yield browser.host


def pages_of(one: View) -> Iterator[str]:
    """Go through all pages, and those that only a button leads to."""
    for path in PAGES:
        one.go(path)
        yield path
    one.go("/mailboxes/101").get_by_role("button", name="Dry run").click()
    one.page.get_by_role("heading", name="Plan for mailbox 101").wait_for()
    yield "the plan"
    one.go("/options/101").get_by_role("button", name="Test").click()
    one.page.get_by_text("Every step went well.").wait_for()
    yield "the test"
    one.go("/options/101").get_by_label("Imap4 Port").fill("no number")
    one.page.get_by_role("button", name="Apply changes").click()
    one.page.get_by_text("Nothing was applied").wait_for()
    yield "what does not hold"


@pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide-light", "narrow-dark"]
)
def test_every_page_can_be_used_by_everybody(
    chrome: Browser, host: str, size: tuple[int, int], scheme: Scheme
):
    refused = "422 (Unprocessable"
    with view(chrome, host, size=size, scheme=scheme, expected=(NOT_THERE, refused)) as one:
        for path in pages_of(one):
            assert one.violations() == [], path
            assert one.overflow() <= 0, path
            assert one.page.title().endswith("syncengine"), path


@pytest.mark.parametrize(
    ("size", "scheme"), [(NARROW, "light"), (WIDE, "dark")], ids=["narrow-light", "wide-dark"]
)
def test_every_page_fits_and_asks_nobody_else(
    chrome: Browser, host: str, size: tuple[int, int], scheme: Scheme
):
    with view(chrome, host, size=size, scheme=scheme, expected=(NOT_THERE,)) as one:
        for path in PAGES:
            one.go(path)
            assert one.overflow() <= 0, path
            dark = one.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
            assert dark == (scheme == "dark"), path


def test_a_text_is_zoomed_without_being_cut_off(chrome: Browser, host: str):
    with view(chrome, host, size=(320, 600)) as one:
        for path in ("/", "/mailboxes/101", "/options/101", "/misc"):
            one.go(path)
            assert one.overflow() <= 0, path


def test_every_control_is_large_enough_to_be_touched(chrome: Browser, host: str):
    small = """[...document.querySelectorAll("main button, main select, main input:not([type=hidden])")]
        .filter((one) => one.type !== "checkbox" && one.getBoundingClientRect().height < 36)
        .map((one) => one.outerHTML)"""
    with view(chrome, host, size=NARROW) as one:
        for path in ("/", "/mailboxes/101", "/options", "/options/101", "/misc/g_bUseTTS"):
            assert one.go(path).evaluate(small) == [], path
