"""How much of an endless test is run: a spread of it in every run, all of it with ``TORTURE=full``."""

from __future__ import annotations

import os

FULL = os.environ.get("TORTURE") == "full"
"""Whether this is a campaign (``make torture``)."""


def spread(total: int, most: int, *, full: bool = FULL) -> list[int]:
    """Numbers below ``total``: all in a campaign, else at most ``most``, spread evenly, with both ends."""
    if full or total <= most:
        return list(range(total))
    return sorted({round(i * (total - 1) / (most - 1)) for i in range(most)})
