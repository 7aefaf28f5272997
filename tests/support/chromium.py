"""Debian's Chromium, driven by Playwright: pages as somebody sees them, wide or narrow, in light or dark.

What must never happen on a page of ours is noted while it is looked at: a word on the console, an error, a
request to anywhere else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

from tests.support.base import AbsentError, Found

WIDE, NARROW = (1280, 900), (360, 740)
Scheme = Literal["light", "dark"]
_QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
"""In tests it is root's, and it is to ask nobody for anything."""


_BAD = ("error", "warning", "assert")
"""Kinds of words on the console that a page of ours must not cause."""


@cache
def find() -> Found:
    """Find the machine's Chromium; raises ``AbsentError`` where there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise AbsentError("no chromium: apt-get install chromium, or name one in CHROMIUM")
    told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    return Found(told.removeprefix("Chromium ").split(" ")[0].strip(), path)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=30_000)  # the machine may be busy with other tests
        browser = playwright.chromium.launch(executable_path=find().way, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class View:
    """A page, and what went wrong on it."""

    page: Page
    host: str
    wrong: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Go to an address of the pages."""
        self.page.goto(f"http://{self.host}{path}")
        return self.page

    def violations(self) -> list[str]:
        """What axe finds: every rule of WCAG 2.2 A and AA and of good practice, each with its places."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            for node in one["nodes"]
        ]

    def overflow(self) -> int:
        """By how much the page is wider than the screen."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return wide

    def said(self, words: ConsoleMessage) -> None:
        """Note words on the console."""
        if words.type in _BAD:
            self.wrong.append(f"console: {words.text}")

    def stopped(self, dialog: Dialog) -> None:
        """Note a dialog, which only script can open."""
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def asked(self, request: Request) -> None:
        """Note a request to anywhere else."""
        if not request.url.startswith((f"http://{self.host}/", "data:", "blob:")):
            self.wrong.append(f"asked: {request.url}")


@contextmanager
def view(
    browser: Browser,
    host: str,
    *,
    size: tuple[int, int] = WIDE,
    scheme: Scheme = "light",
    script: bool = True,
    expected: tuple[str, ...] = (),
) -> Iterator[View]:
    """A window of its own, with no cookie; at its end nothing may have gone wrong but ``expected``."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=script
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    seen = View(page, host)
    page.on("console", seen.said)
    page.on("pageerror", lambda error: seen.wrong.append(f"error: {error}"))
    page.on("dialog", seen.stopped)
    context.on("request", seen.asked)
    try:
        yield seen
        wrong = [one for one in seen.wrong if not any(part in one for part in expected)]
        assert wrong == [], wrong
    finally:
        context.close()
