"""The registered systems of the province that share one process. A new one is its module and a line here."""

from __future__ import annotations

from deploy.demo.accounts import ACCOUNTS
from deploy.demo.archive import ARCHIVE
from deploy.demo.cameras import TRAFFIC
from deploy.demo.crops import CROPS_SYSTEM
from deploy.demo.culture import CULTURE
from deploy.demo.indicators import INDICATORS
from deploy.demo.investment import INVESTMENT
from deploy.demo.meetings import MEETINGS
from deploy.demo.mentions import MENTIONS
from deploy.demo.questions import QUESTIONS
from deploy.demo.simulation import System
from deploy.demo.staff import STAFF
from deploy.demo.stations import STATIONS

SYSTEMS: tuple[System, ...] = (
    *(TRAFFIC, MEETINGS, QUESTIONS, MENTIONS, INVESTMENT, STAFF, ARCHIVE, STATIONS, CULTURE, CROPS_SYSTEM, ACCOUNTS),
    INDICATORS,
)


def present() -> tuple[System, ...]:
    """Those that can run on this machine."""
    return tuple(system for system in SYSTEMS if system.absent() is None)
