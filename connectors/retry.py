"""What follows a connector's fault: how long it rests, and whether it counts as failed. Pure.

RETRIABLE    the source, Kafka or the registry is away: again and again, the rests doubling; never failed
CREDENTIALS  the source refuses the login: a few careful tries, then failed with rare looks, since most systems lock
             an account after five wrong logins
PERMANENT    asking again unchanged is useless: failed at once, with rare looks in case somebody mends it there
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MOST_DOUBLINGS = 16


class FaultKind(Enum):
    RETRIABLE = "retriable"
    CREDENTIALS = "credentials"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Rest:
    """`wait_s`: until the next try; `failed`: whether somebody has to act."""

    wait_s: float
    failed: bool


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Rests in seconds. A restart by a person looks at once, whatever the rest."""

    first_s: float = 0.5
    most_s: float = 30.0
    """Rests after retriable faults double from the first to the most."""
    login_tries: int = 3
    login_first_s: float = 5.0
    """Careful tries with a refused login before the connector counts as failed; their rests grow fourfold."""
    look_first_s: float = 60.0
    look_most_s: float = 900.0
    """Rare looks at a failed connector: four an hour in the end."""

    def after(self, kind: FaultKind, failures: int, jitter: float = 1.0) -> Rest:
        """After the `failures`-th fault of this kind in a row, counted from 1. `jitter` stretches the rest."""
        steps = min(max(failures, 1) - 1, MOST_DOUBLINGS)
        if kind is FaultKind.RETRIABLE:
            return Rest(min(self.most_s, self.first_s * 2.0**steps) * jitter, failed=False)
        if kind is FaultKind.CREDENTIALS:
            if failures < self.login_tries:
                return Rest(min(self.look_most_s, self.login_first_s * 4.0**steps) * jitter, failed=False)
            return Rest(self.look_most_s * jitter, failed=True)
        return Rest(min(self.look_most_s, self.look_first_s * 2.0**steps) * jitter, failed=True)
