"""A whole engine against a played server, driven by seeds."""

from __future__ import annotations

from tests.support.simulation.engine import Simulation
from tests.support.simulation.fates import Fate
from tests.support.simulation.seeds import run, shrunk

__all__ = ["Fate", "Simulation", "run", "shrunk"]
