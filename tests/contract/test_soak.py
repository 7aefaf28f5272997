"""A small cut of the soak: after many changes the service takes what it took before them."""

from __future__ import annotations

import random
from pathlib import Path

from tests.bench.service.fleet import Crowd, Installation
from tests.bench.service.soak import Soak, Stand, seats_of

_SPARE = 12
"""Threads of two workers that may linger, or wait for a server, at the moment of a look."""


def test_nothing_grows_with_the_changes(tmp_path: Path):
    stands: list[Stand] = []
    with Crowd(6, 2, None) as crowd:
        installation = Installation(tmp_path, seats_of(crowd, 6), None)
        Soak(installation, crowd, random.Random(1), "--workers", "2").run(100, 2, stands.append)
    before, warm, after = stands
    assert after.changes >= 100
    assert after.threads <= before.threads + _SPARE
    assert after.files <= before.files + 4 * _SPARE, "an index is open in each thread"
    assert after.memory <= warm.memory + 20
