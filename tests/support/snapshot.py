"""A world that can be had again and again: its state and its account's mail, copied for each run.

The account is copied on Dovecot's disk, under another user's name, and the index is told of that name; so a
run begins with the same UIDs, UIDVALIDITYs and cursors as every other.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.base import Login, Server
from tests.support.world import Hands, World

_USERS = 8
"""Users that runs take in turn: what still serves a killed process is long done when its turn comes."""


@dataclass
class Snapshot:
    """A world at rest, as files."""

    origin: World
    _users: Iterator[Login] = field(init=False)

    def __post_init__(self) -> None:
        self.origin.engine.close()
        self._users = itertools.cycle([self.origin.server.new_user() for _ in range(_USERS)])

    def fresh(self, folder: Path) -> World:
        """The same world under another user, its engine not opened yet."""
        login = next(self._users)
        _copy(self.origin.folder, folder)
        _copy(_home(self.origin.server, self.origin.login), _home(self.origin.server, login))
        _rename(folder / "state" / "index.sqlite3", self.origin.login.user, login.user)
        clock = Hands()
        clock.now = self.origin.clock.now
        options = self.origin.options | {"email_name": login.address}
        world = replace(
            self.origin, folder=folder, login=login, options=options, clock=clock, sync=dict(self.origin.sync)
        )
        world.write()
        return world


def _home(server: Server, login: Login) -> Path:
    assert server.state
    return server.state / "mail" / login.user


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with owners and times, or have none where there is none yet."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        subprocess.run(["cp", "-a", source, target], check=True)


def _rename(index: Path, old: str, new: str) -> None:
    if not index.exists():
        return
    database = sqlite3.connect(index)
    with database:
        database.execute("UPDATE accounts SET login = ? WHERE login = ?", [new, old])
    database.close()
