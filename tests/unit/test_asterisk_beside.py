"""A few seconds of everybody writing at once; ``tests/torture`` has the long run."""

from __future__ import annotations

import pytest

from syncengine.voicemail.asterisk import LockMode
from tests.support.asterisk import quick_folder
from tests.support.asterisk_campaign import Campaign


@pytest.mark.parametrize(
    ("mode", "freepbx"), [(LockMode.LOCKFILE, False), (LockMode.FLOCK, False), (LockMode.LOCKFILE, True)]
)
def test_nothing_is_lost_or_mixed_up_while_others_write(mode: LockMode, freepbx: bool):
    with quick_folder() as folder:
        campaign = Campaign(folder, seed=1, mode=mode, freepbx=freepbx, operations=300)
        tally = campaign.run()
    assert tally.wrong == []
    assert tally.changes > 20
    assert campaign.asterisk.longest_wait < 2
