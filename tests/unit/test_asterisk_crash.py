"""Killed at every step of every change: the next look finds each message once, whole, and no lock is left."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from syncengine.errors import SyncError
from syncengine.model import LocalMessage, State
from syncengine.voicemail.asterisk import AsteriskStore, How, LockMode
from syncengine.voicemail.wave import pcm_wav
from tests.support.asterisk import FakeAsterisk, quick_folder, serial_in, write_message
from tests.support.asterisk_world import SECRET, sent

CALLS = ("link", "unlink", "rename", "replace", "open", "fsync", "mkdir", "rmdir", "write", "utime")
FORMATS = ("WAV", "wav", "gsm")


class Killed(BaseException):
    """The process is gone: nothing of it reaches the disk any more, not even from ``finally``."""


@contextmanager
def killed_at(step: int) -> Iterator[list[int]]:
    """Let ``step`` calls reach the file system, and none after that."""
    count = [0]
    real = {name: getattr(os, name) for name in CALLS}

    def limited(name: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            count[0] += 1
            if count[0] > step:
                raise Killed
            return real[name](*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, limited(name))
    try:
        yield count
    finally:
        for name in CALLS:
            setattr(os, name, real[name])


@contextmanager
def failing_at(step: int) -> Iterator[list[int]]:
    """Let the disk be full for one call, the one after ``step`` others."""
    count = [0]
    real = {name: getattr(os, name) for name in CALLS}

    def limited(name: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            count[0] += 1
            if count[0] == step + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real[name](*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, limited(name))
    try:
        yield count
    finally:
        for name in CALLS:
            setattr(os, name, real[name])


def store_at(folder: Path, mode: LockMode) -> AsteriskStore:
    how = How(lock_mode=mode, settle=0.0, lock_timeout=0.2, patience=0.5)
    store = AsteriskStore(folder / "spool", folder / "state", SECRET, how=how)
    store.prepare()
    return store


def message(store: AsteriskStore, serial: int) -> LocalMessage:
    return next(m for m in store.listing("101").messages if m.caller_number == str(2035550000 + serial))


def heard(store: AsteriskStore) -> None:
    assert store.change(message(store, 1), State.HEARD)


def new(store: AsteriskStore) -> None:
    assert store.change(message(store, 2), State.NEW)


def delete(store: AsteriskStore) -> None:
    assert store.change(message(store, 1), State.DELETED)


def restore(store: AsteriskStore) -> None:
    assert store.change(message(store, 3), State.HEARD)


def adopt(store: AsteriskStore) -> None:
    store.adopt(sent(), pcm_wav(bytes(1600)))


def content(store: AsteriskStore) -> None:
    assert serial_in(store.content(message(store, 1)).read_bytes()) == 1


def purge(store: AsteriskStore) -> None:
    assert store.purge(message(store, 3))


def whole(box: Path) -> list[int]:
    """The serials in Asterisk's folders; every message has all its recordings, and they are its own."""
    serials = []
    for text in sorted(box.glob("[A-Z]*/msg*.txt")):
        sounds = [p for p in text.parent.glob(text.stem + ".*") if p != text]
        if b"syncengine_token" in text.read_bytes():
            assert [p.suffix for p in sounds] == [".wav"]
            serials.append(0)
            continue
        assert {p.suffix[1:] for p in sounds} == set(FORMATS)
        assert {serial_in(p.read_bytes()) for p in [text, *sounds]} == {serial_in(text.read_bytes())}
        serials.append(serial_in(text.read_bytes()))
    orphans = [p for p in box.glob("[A-Z]*/msg*.*") if not p.with_suffix(".txt").exists()]
    assert orphans == []
    return serials


@pytest.mark.parametrize(
    ("trouble", "mode"),
    [(killed_at, LockMode.LOCKFILE), (killed_at, LockMode.FLOCK), (failing_at, LockMode.LOCKFILE)],
)
@pytest.mark.parametrize("effect", [heard, new, delete, restore, adopt, content, purge])
def test_a_kill_or_a_full_disk_at_any_step_loses_and_doubles_nothing(
    effect: Callable[[AsteriskStore], None],
    mode: LockMode,
    trouble: Callable[[int], AbstractContextManager[list[int]]],
):
    step, finished = 0, False
    while not finished:
        with quick_folder() as folder:
            finished = at_step(folder, step, effect, mode, trouble)
        step += 1
    assert step > 5


def at_step(
    folder: Path,
    step: int,
    effect: Callable[[AsteriskStore], None],
    mode: LockMode,
    trouble: Callable[[int], AbstractContextManager[list[int]]],
) -> bool:
    """Let the trouble come after ``step`` calls and look at what is left; True if it came too late."""
    box = folder / "spool" / "default" / "101"
    write_message(box / "INBOX", 0, 1, FORMATS)
    write_message(box / "INBOX", 1, 3, FORMATS)
    write_message(box / "Old", 0, 2, FORMATS)
    store = store_at(folder, mode)
    assert store.change(message(store, 3), State.DELETED)
    store.listing("101")
    try:
        with trouble(step) as count:
            effect(store)
    except (Killed, SyncError):
        pass
    done = count[0] <= step
    again = store_at(folder, mode)
    listing = again.listing("101")
    assert listing.proven, (effect, step)
    expected = {1, 2, 3}
    found = [int(m.caller_number[-3:]) for m in listing.messages if m.token != sent().token]
    if effect is purge and 3 not in found:
        expected.discard(3)
    assert sorted(found) == sorted(expected), (effect, step)
    assert len({m.token for m in listing.messages}) == len(listing.messages)
    held = [m for m in listing.messages if m.state is State.DELETED]
    assert len(whole(box)) == len(listing.messages) - len(held)
    assert not list(box.glob("*/.lock"))
    assert len(list((box / ".syncengine" / "held").iterdir())) == len(held)
    assert FakeAsterisk(box, mode=mode).leave(9, formats=FORMATS)
    for one in held:
        assert again.change(one, State.NEW)
    assert len(whole(box)) == len(listing.messages) + 1
    return done
