"""A disk that is full, read-only or damaged, and no file descriptor left: said in one line, nothing lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.errors import EngineError
from syncengine.index.database import Database
from tests.crash.scenarios import SCENARIOS, Scenario, arrive, hand_in
from tests.support.budget import CAMPAIGN, spread
from tests.support.killserver import KillServer
from tests.support.picture import holdings
from tests.support.snapshot import Snapshot
from tests.support.world import World, world

pytestmark = pytest.mark.timeout(0 if CAMPAIGN else 120)

SOME = 5
"""How many limits the short run tries."""
PAGE = 4096


@pytest.fixture(scope="module")
def killer() -> Iterator[KillServer]:
    with KillServer() as server:
        yield server


@pytest.fixture
def there(dovecot, tmp_path) -> Iterator[World]:
    with world(tmp_path / "world", dovecot) as one:
        yield one


@pytest.fixture(params=["everything in one pass", "a first message at the phone"])
def begun(request, dovecot, dovecot_smtp, tmp_path) -> Iterator[Begun]:
    story = SCENARIOS[request.param]
    with story.begun(tmp_path / "origin", dovecot, dovecot_smtp) as snapshot:
        yield story, snapshot


Begun = tuple[Scenario, Snapshot]


def limited(begun: Begun, killer: KillServer, folder: Path, limits: list[dict[str, int]]) -> int:
    """Run the story under each limit and then without; how many were hindered before their end."""
    story, snapshot = begun
    script = f"{story.run.__module__}:{story.run.__name__}"
    wanted = str(story.finish(snapshot.fresh(folder)))
    hindered = 0
    for limit in limits:
        there = snapshot.fresh(folder)
        ended = killer.run(script, there.config, there.clock(), **limit)
        assert not ended.killed
        assert len(ended.refused.splitlines()) <= 1
        hindered += bool(ended.refused)
        assert str(story.finish(there)) == wanted, limit
    return hindered


def test_a_disk_that_is_full_at_any_write_loses_and_repeats_nothing(begun, killer, tmp_path, record_property):
    sizes = range(PAGE, 400 * 1024, PAGE)
    points = [{"octets": sizes[i]} for i in spread(len(sizes), SOME)]
    limited(begun, killer, tmp_path / "run", points)
    record_property("figure", ("full disks", len(points), len(sizes)))


def test_descriptors_that_run_out_at_any_moment_lose_and_repeat_nothing(
    begun, killer, tmp_path, record_property
):
    counts = range(5, 30)
    points = [{"descriptors": counts[i]} for i in spread(len(counts), SOME)]
    assert limited(begun, killer, tmp_path / "run", points)
    record_property("figure", ("exhausted descriptors", len(points), len(counts)))


# Disks of their own


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A small disk of its own at ``folder``; skips where this user may not mount one."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own takes the right to mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def on_disk(dovecot, tmp_path) -> Iterator[World]:
    with disk(tmp_path / "disk"), world(tmp_path / "world", dovecot) as one:
        one.engine.close()
        one.system["state_dir"] = str(tmp_path / "disk" / "state")
        one.open()
        yield one


def fill(folder: Path) -> Path:
    """Fill a disk to its last octet."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            for size in (PAGE, 1):
                while file.write(bytes(size)):
                    pass
        except OSError:
            pass
    return ballast


def test_on_a_full_disk_a_pass_fails_in_one_line_and_works_when_there_is_room(on_disk, tmp_path):
    ids = arrive(on_disk, 3)
    on_disk.flag(ids[0], "\\Seen")
    on_disk.box.mark_heard(ids[1])
    ballast = fill(tmp_path / "disk")
    report = on_disk.resync()
    assert not report.ok
    assert len(report.errors[0].what.splitlines()) == 1
    assert "full" in report.errors[0].what
    with pytest.raises(EngineError) as refused:
        hand_in(on_disk.box, 7)
    assert len(str(refused.value).splitlines()) == 1

    ballast.unlink()
    on_disk.sync_ok()
    assert [on_disk.message(m).heard for m in ids] == [True, True, False]
    on_disk.quiet()


def test_on_a_read_only_disk_nothing_begins_and_nothing_is_lost(on_disk, tmp_path):
    ids = arrive(on_disk, 2)
    on_disk.flag(ids[0], "\\Seen")
    on_disk.engine.close()
    remount = ["mount", "-o", "remount,{}", str(tmp_path / "disk")]
    subprocess.run([part.format("ro") for part in remount], check=True)
    with pytest.raises(EngineError, match="index cannot be opened") as refused:
        on_disk.open()
    assert len(str(refused.value).splitlines()) == 1

    subprocess.run([part.format("rw") for part in remount], check=True)
    on_disk.open()
    on_disk.sync_ok()
    assert [on_disk.message(m).heard for m in ids] == [True, False]
    on_disk.quiet()


# The index


def test_a_writer_that_is_killed_leaves_the_index_to_the_others(there: World):
    ids = arrive(there, 1)
    there.flag(ids[0], "\\Seen")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(there.engine.index.database.path)], stdout=subprocess.PIPE
    )
    assert writer.stdout
    with writer:
        assert writer.stdout.readline() == b"writing\n"
        passing = threading.Thread(target=there.sync_ok)
        passing.start()
        writer.kill()
        passing.join()
    assert there.engine.index.passes.meta("half written") is None
    assert there.message(ids[0]).heard


WRITER = """
import sqlite3, sys, time
index = sqlite3.connect(sys.argv[1], isolation_level=None)
index.execute("BEGIN IMMEDIATE")
index.execute("INSERT INTO meta (name, value) VALUES ('half written', '1')")
print("writing", flush=True)
time.sleep(60)
"""


def garbage(index: Path) -> None:
    index.write_bytes(os.urandom(index.stat().st_size))


def header(index: Path) -> None:
    with index.open("r+b") as file:
        file.write(b"SQLite format 9\0")


def half(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2 // PAGE * PAGE)


def empty(index: Path) -> None:
    os.truncate(index, 0)


def holes(index: Path) -> None:
    with index.open("r+b") as file:
        for page in range(2, index.stat().st_size // PAGE, 2):
            file.seek(page * PAGE)
            file.write(bytes(PAGE))


def scratches(index: Path) -> None:
    with index.open("r+b") as file:
        for page in range(1, index.stat().st_size // PAGE):
            file.seek(page * PAGE)
            file.write(b"\xff\x00\xff")


DAMAGES = [garbage, header, half, empty, holes, scratches]


@pytest.mark.parametrize("harm", DAMAGES)
def test_a_damaged_index_is_set_aside_and_rebuilt_from_the_mail(
    there: World, harm: Callable[[Path], None], caplog
):
    ids = arrive(there, 5)
    there.flag(ids[0], "\\Seen")
    there.sync_ok()
    ids.append(hand_in(there.box, 5))
    there.engine.close()
    index = there.folder / "state" / "index.sqlite3"
    harm(index)
    there.open()
    for _ in range(3):
        report = there.resync()
        if report.ok:
            break
        assert "damaged" in report.errors[0].what
        there.reopen()

    there.quiet()
    assert sorted(there.ids()) == sorted(ids)
    assert [there.message(m).heard for m in ids] == [True] + [False] * 5
    assert {len(copies) for copies in holdings(there.server, there.login).values()} == {1}
    aside = list(index.parent.glob("index.sqlite3.corrupt-*"))
    assert len([p for p in aside if not p.name.endswith(("-wal", "-shm"))]) == (harm is not empty)
    if harm is not empty:
        assert "set aside" in caplog.text


def test_a_damaged_index_is_not_taken_from_under_another_process(there: World):
    hand_in(there.box, 0)
    database = there.engine.index.database
    database.failure(_damage())
    with pytest.raises(EngineError, match="another process uses it"):
        _broken_beside(database.path)
    assert there.ids()


def test_a_suspicion_that_proves_wrong_changes_nothing(there: World):
    ids = arrive(there, 1)
    there.engine.index.database.failure(_damage())
    there.reopen()
    assert there.ids() == ids
    assert not list((there.folder / "state").glob("*corrupt*"))
    assert not list((there.folder / "state").glob("*suspect*"))


def _damage() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _broken_beside(index: Path) -> None:
    """Open the index as another process would that finds it damaged."""
    kept = index.read_bytes()
    header(index)
    try:
        Database(index.parent)
    finally:
        index.write_bytes(kept)


def test_an_engine_that_is_closed_lets_go_of_its_index(there: World):
    there.engine.close()
    header(there.folder / "state" / "index.sqlite3")
    assert isinstance(there.open(), Engine)
