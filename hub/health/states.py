"""The one vocabulary of states: of datasets on the command line, on pages, as label `status` and in alerts.

In the order of precedence: a dataset shows the first that holds. The words are in the catalogues, `state.<code>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Severity = Literal["calm", "muted", "warn", "alarm"]

AT_ONCE = timedelta(0)
NEVER = None


@dataclass(frozen=True, slots=True)
class State:
    """`icon` and `severity`: how it is shown. `evaluations`: in how many judgements in a row it must be found before
    it is an incident, and `after`: for how long besides; None: it is never one."""

    code: str
    icon: str
    severity: Severity
    evaluations: int = 1
    after: timedelta | None = NEVER


VOCABULARY = (
    State("unknown", "question", "muted", after=timedelta(minutes=5)),
    State("paused", "pause", "muted"),
    State("credentials", "key", "alarm", after=AT_ONCE),
    State("source_down", "plug", "alarm", evaluations=2, after=AT_ONCE),
    State("rejected", "shield", "alarm", evaluations=2, after=AT_ONCE),
    State("clock_skew", "clock", "warn", evaluations=2, after=AT_ONCE),
    State("stuck_connector", "dam", "alarm", after=AT_ONCE),
    State("stuck_stream", "dam", "alarm", after=timedelta(seconds=8)),
    State("stuck_warehouse", "dam", "alarm", after=AT_ONCE),
    State("late", "hourglass", "alarm", after=AT_ONCE),
    State("due_soon", "hourglass", "warn"),
    State("quiet", "ring", "calm"),
    State("on_time", "tick", "calm"),
)
STATES = tuple(state.code for state in VOCABULARY)
BY_CODE = {state.code: state for state in VOCABULARY}

ABNORMAL = frozenset(state.code for state in VOCABULARY if state.after is not NEVER)
"""States in which figures fed by a connector must not look current; each becomes an incident."""

STAGE_OF = {
    "credentials": "source",
    "source_down": "source",
    "late": "source",
    "clock_skew": "source",
    "rejected": "contract",
    "stuck_connector": "connector",
    "stuck_stream": "stream",
    "stuck_warehouse": "warehouse",
}
"""The stage of the chain in which an abnormal state lies; of `unknown` none is known."""

CHAIN = ("source", "connector", "contract", "kafka", "stream", "warehouse", "api")
"""The stages that a record passes, in order."""


def worse(one: str, other: str) -> str:
    """The state of the two that has precedence."""
    return min(one, other, key=STATES.index)
