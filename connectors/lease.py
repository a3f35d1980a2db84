"""How long a worker may take itself for the owner of its shards without hearing from the broker.

The broker lets a member go when it has not heard from it for the session's time-out, and only then gives its shards
to another. A commit confirms the membership: from the moment it was sent, the session lasts at least its time-out. So
a worker that was frozen or cut off finds its lease over, by a clock that goes on, before it touches anything again.
"""

from __future__ import annotations

from collections.abc import Callable


class Lease:
    """For one worker and all its shards. `monotonic`: seconds, going on while the process is frozen."""

    def __init__(self, length_s: float, monotonic: Callable[[], float]) -> None:
        self._length_s = length_s
        self._monotonic = monotonic
        self._until = float("-inf")
        self._suspended = True

    def confirm(self, sent_at: float) -> None:
        """The broker confirmed the membership by an answer to what was sent at `sent_at`."""
        self._until = max(self._until, sent_at + self._length_s)

    def suspend(self) -> None:
        """Shards are being distributed anew: whose is what is open."""
        self._suspended = True

    def resume(self) -> None:
        """The distribution is known and claimed."""
        self._suspended = False

    @property
    def suspended(self) -> bool:
        return self._suspended

    @property
    def held(self) -> bool:
        return not self._suspended and self._monotonic() < self._until
