"""A few seconds of everybody writing at once; ``tests/torture`` has the long run."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.voicemail.asterisk import LockMode
from tests.support.asterisk_campaign import Campaign


@pytest.mark.parametrize(
    ("mode", "freepbx"), [(LockMode.LOCKFILE, False), (LockMode.FLOCK, False), (LockMode.LOCKFILE, True)]
)
def test_nothing_is_lost_or_mixed_up_while_others_write(tmp_path: Path, mode: LockMode, freepbx: bool):
    campaign = Campaign(tmp_path, seed=1, mode=mode, freepbx=freepbx, operations=300)
    tally = campaign.run()
    assert tally.wrong == []
    assert tally.changes > 20
    assert campaign.asterisk.longest_wait < 2
