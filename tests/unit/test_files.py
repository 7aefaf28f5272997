"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from syncengine.voicemail.files import write_durably


def test_a_full_disk_is_said_with_the_files_name_and_leaves_nothing(tmp_path: Path):
    (tmp_path / "store-id.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as full:
        write_durably(tmp_path / "store-id", b"x")
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(tmp_path / "store-id"))
    assert list(tmp_path.iterdir()) == []
