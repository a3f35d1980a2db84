"""How much a province's systems emit on a day, estimated, at the upper end; and how often that is a second."""

from __future__ import annotations

from deploy.demo.file_drop import LIVE_SHARE

DAY_S = 86_400
REPORTED_TOGETHER, PROJECTS_TOGETHER = 3, 3
"""Values of one report, projects of one workbook."""

PER_DAY = {
    "portal": 14_000,
    "feedback-1022": 200,
    "traffic-cameras": 10_000,  # half of them heartbeats; up to 1,000 violations, each some messages
    "paperless-meetings": 60,
    "online-questions": 300,
    "online-mentions": 20_000,
    "investment-support": 20 / PROJECTS_TOGETHER / LIVE_SHARE,
    "civil-servants": 0,  # closed at night
    "digital-archive": 5_000,
    "environment-stations": 57_000,  # files, each with some six values
    "culture-visits": 1_000 / LIVE_SHARE,
    "crop-lots": 5_000,
    "smart-accounts": 500,
    "indicators": 1_000 / REPORTED_TOGETHER / LIVE_SHARE,
}
"""Live events of a system on a day, as its pulse counts them (a folder's beats `1 / LIVE_SHARE` times a file)."""


def per_second(system: str, speed: float) -> float:
    """Live events a second, `speed` times as fast as a real day."""
    return PER_DAY[system] * speed / DAY_S
