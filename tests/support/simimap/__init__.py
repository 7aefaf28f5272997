"""An IMAP server in memory: many kinds of servers, their lies, and every fault between two octets.

Nothing in here reads a clock, opens a socket or draws a number by itself, but for the fronts.
"""

from __future__ import annotations

from tests.support.simimap.account import FolderShot, Shot, SimAccount
from tests.support.simimap.faults import Answer, Bye, Cut, Delay, Fault, Hook, Moment, Phase, Silence
from tests.support.simimap.fronts import SimSocket, TcpFront, reachable
from tests.support.simimap.profiles import PROFILES, Lie, Profile
from tests.support.simimap.server import SimServer, VirtualClock

__all__ = [
    "PROFILES",
    "Answer",
    "Bye",
    "Cut",
    "Delay",
    "Fault",
    "FolderShot",
    "Hook",
    "Lie",
    "Moment",
    "Phase",
    "Profile",
    "Shot",
    "Silence",
    "SimAccount",
    "SimServer",
    "SimSocket",
    "TcpFront",
    "VirtualClock",
    "reachable",
]
