"""The registered systems of the province that share one process. A new one is its module and a line here."""

from __future__ import annotations

from deploy.demo.meetings import MEETINGS
from deploy.demo.simulation import System

SYSTEMS: tuple[System, ...] = (MEETINGS,)


def present() -> tuple[System, ...]:
    """Those that can run on this machine."""
    return tuple(system for system in SYSTEMS if system.absent() is None)
