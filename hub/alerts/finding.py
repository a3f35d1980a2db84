"""What a rule finds at one evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FACTS = (
    *("state", "error", "last_poll_ok", "last_event", "datasets"),
    *("period", "count", "day", "days", "since", "sigmas", "percent"),
)
"""What a finding may tell besides its figures; each has words in both languages."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject`: what it is about (a KPI, a KPI of one unit, a data set, a state of the platform). `holds` None: it
    cannot be told, and nothing changes by it. `value` against `limit`, in the KPI's unit; `facts`: counts, codes and
    times, never a record's content. `org`: the unit that may see it besides the province, `owner` and `contact`: who
    answers where it is not the rule's owner."""

    rule: str
    subject: str
    holds: bool | None
    value: float | None = None
    limit: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    org: str | None = None
    owner: str | None = None
    contact: str | None = None
    dataset: str | None = None
    kpi: str | None = None
