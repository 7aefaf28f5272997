"""How much of an endless test is run: a spread of it in every run, more or all of it in a campaign.

``TORTURE=full`` runs all of it (``make torture``), ``TORTURE=20`` twenty times as much as every run does.
"""

from __future__ import annotations

import os

_ASKED = os.environ.get("TORTURE", "1")
FULL = _ASKED == "full"
CAMPAIGN = _ASKED != "1"
"""Whether this runs longer than every run does."""


def spread(total: int, most: int) -> list[int]:
    """Numbers below ``total``: all of them, or ``most`` times what is asked for, evenly, both ends too."""
    most *= 1 if FULL else int(_ASKED)
    if FULL or total <= most:
        return list(range(total))
    return sorted({round(i * (total - 1) / (most - 1)) for i in range(most)})
