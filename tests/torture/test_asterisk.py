"""Tens of thousands of operations of everybody in one mailbox at once; minutes, so only when asked for.

``SYNCENGINE_TORTURE=20000 pytest tests/torture`` runs that many operations in each of the four cases.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from syncengine.voicemail.asterisk import LockMode
from tests.support.asterisk import quick_folder
from tests.support.asterisk_campaign import Campaign

OPERATIONS = int(os.environ.get("SYNCENGINE_TORTURE", "0"))


@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    not OPERATIONS, reason="runs for minutes; set SYNCENGINE_TORTURE to a number of operations"
)
@pytest.mark.parametrize("freepbx", [False, True])
@pytest.mark.parametrize("mode", list(LockMode))
def test_nothing_is_lost_or_mixed_up_in_the_long_run(
    mode: LockMode, freepbx: bool, record_property: Callable[[str, object], None]
):
    seed = int(os.environ.get("SYNCENGINE_SEED", "7"))
    with quick_folder() as folder:
        campaign = Campaign(folder, seed=seed, mode=mode, freepbx=freepbx, operations=OPERATIONS)
        tally = campaign.run()
    record_property("figure", ("operations in Asterisk's spool", tally.operations, OPERATIONS))
    assert tally.wrong == []
    assert tally.changes > OPERATIONS // 20
    assert campaign.asterisk.longest_wait < 2
