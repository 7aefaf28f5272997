"""A played server in the shape of the real ones, so that their tests run on it too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from tests.support.base import Login, Server
from tests.support.simimap.fronts import TcpFront
from tests.support.simimap.profiles import Profile
from tests.support.simimap.server import SimServer


@contextmanager
def start(profile: Profile) -> Iterator[Server]:
    """Run a played server on loopback until the block ends."""
    sim = SimServer(profile)
    with TcpFront(sim) as front:
        yield Server(
            name=f"sim-{profile.name}",
            imap_port=front.port,
            users=users(sim),
            prefix=profile.prefix,
            delimiter=profile.delimiter,
        )


def users(sim: SimServer) -> Iterator[Login]:
    for number in count(1):
        login = Login(f"u{number:04}", f"pw-{number}", f"u{number:04}@localhost")
        sim.add_user(login.user, login.password)
        yield login
