"""The built-in store's own clean-up: what is half written or given up, and nothing else."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncengine.index import Index
from syncengine.model import Kind, LocalMessage, State
from syncengine.voicemail.builtin import BuiltinStore, Incoming
from tests.support.world import Hands, wav

DAY = 24 * 3600.0


@pytest.fixture
def index(tmp_path: Path):
    with closing(Index.open(tmp_path / "state")) as index:
        yield index


def opened(folder: Path, index: Index, clock: Hands) -> BuiltinStore:
    store = BuiltinStore(folder / "voice", index.messages, index.passes, clock)
    store.prepare()
    return store


def taken(store: BuiltinStore) -> LocalMessage:
    return store.take_in(Incoming("101", Kind.VOICE, "audio/wav", datetime.now(UTC), "wav"), wav())


def test_what_was_half_written_goes_after_a_day(tmp_path: Path, index: Index):
    clock = Hands()
    store = opened(tmp_path, index, clock)
    half = tmp_path / "voice" / "0123.wav.new"
    half.write_bytes(b"RIFF")
    os.utime(half, (clock.now, clock.now))
    assert store.sweep() == 0
    clock.forward(DAY + 1)
    assert (store.sweep(), half.exists()) == (1, False)


def test_what_was_given_up_goes_even_after_a_kill_in_between(tmp_path: Path, index: Index):
    store = opened(tmp_path, index, Hands())
    message = taken(store)
    assert store.change(message, State.DELETED)
    assert index.messages.purge(message.ref)  # the row is gone first, and then the process
    assert (store.sweep(), store.sweep()) == (3, 0)  # the recording, its description, the mark of its delete


def test_a_recording_that_a_restored_index_does_not_know_stays(tmp_path: Path, index: Index):
    clock = Hands()
    message = taken(opened(tmp_path, index, clock))
    with closing(Index.open(tmp_path / "older")) as older:
        older.passes.set_meta("voice store", index.passes.meta("voice store") or "")
        store = opened(tmp_path, older, clock)
        clock.forward(30 * DAY)
        assert store.sweep() == 0
    assert opened(tmp_path, index, clock).content(message).read_bytes() == wav()
