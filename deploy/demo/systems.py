"""The registered systems of the province that share one process. A new one is its module and a line here."""

from __future__ import annotations

from deploy.demo.cameras import TRAFFIC
from deploy.demo.meetings import MEETINGS
from deploy.demo.mentions import MENTIONS
from deploy.demo.questions import QUESTIONS
from deploy.demo.simulation import System
from deploy.demo.stations import STATIONS

SYSTEMS: tuple[System, ...] = (TRAFFIC, MEETINGS, QUESTIONS, MENTIONS, STATIONS)


def present() -> tuple[System, ...]:
    """Those that can run on this machine."""
    return tuple(system for system in SYSTEMS if system.absent() is None)
