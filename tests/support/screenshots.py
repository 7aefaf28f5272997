"""Makes the pictures of the pages in ``docs/images``: ``make screenshots``."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from tests.support import dovecot
from tests.support.base import ROOT
from tests.support.chromium import Scheme, chromium, view
from tests.support.pages import pages
from tests.support.showcase import showcase
from tests.support.tls import Authority

_FOLDER = ROOT / "docs" / "images"
_COLOURS = 256
"""Enough for letters on plain grounds, and half of the octets."""
_SHOTS: tuple[tuple[str, str, tuple[int, int], Scheme], ...] = (
    ("status", "/", (1100, 640), "light"),
    ("mailbox", "/mailboxes/101", (1100, 900), "light"),
    ("mailbox-narrow", "/mailboxes/101", (360, 900), "dark"),
    ("options", "/options/101", (1100, 900), "light"),
    ("misc-setup", "/misc", (1100, 640), "light"),
)


def main() -> None:
    """Make them all."""
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        with (
            dovecot.start(authority) as server,
            showcase(server, Path(folder) / "here") as show,
            pages(show.config) as (_, there),
            chromium() as browser,
        ):
            for name, path, size, scheme in _SHOTS:
                (_FOLDER / f"{name}.png").write_bytes(_shot(browser, there.host, path, size, scheme))


def _shot(browser: Browser, host: str, path: str, size: tuple[int, int], scheme: Scheme) -> bytes:
    with view(browser, host, size=size, scheme=scheme) as one:
        taken = Image.open(io.BytesIO(one.go(path).screenshot()))
        small = io.BytesIO()
        taken.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        return small.getvalue()


if __name__ == "__main__":
    main()
