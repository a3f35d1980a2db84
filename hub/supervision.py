"""What a supervisor decides, as values: pure, so that it can be tested without a process or a clock.

A unit is started when all it needs are ready, started again with a growing pause when it dies – for ever – and
stopped in the reverse order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
"""A stack must come back within seconds of its cause going away."""

STEADY_AFTER_S = 30.0
"""A unit that was up this long is forgiven its earlier deaths."""


class Phase(StrEnum):
    """Where a unit is in its life; the values are shown by `ioc status`."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    PAUSING = "pausing"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Plan:
    """A unit as the decisions see it.

    `once`: it ends by itself, and its success is what others need. `eager`: it waits for its needs itself and may be
    started before they are ready; they still outlive it.
    """

    name: str
    needs: tuple[str, ...] = ()
    once: bool = False
    eager: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """`since` is when the phase began and `again_at` when a pause ends, both on the supervisor's monotonic clock, s."""

    phase: Phase = Phase.WAITING
    since: float = 0.0
    deaths: int = 0
    again_at: float = 0.0
    exit_code: int | None = None

    @property
    def satisfied(self) -> bool:
        return self.phase in (Phase.READY, Phase.DONE)


def pause_s(deaths: int) -> float:
    """Seconds to wait before the start after the `deaths`-th death in a row."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(max(0, deaths - 1), 10)))


def due(plan: Plan, states: Mapping[str, State], now: float) -> bool:
    """Whether the unit should be started now."""
    state = states[plan.name]
    if state.phase is Phase.PAUSING:
        return now >= state.again_at
    return state.phase is Phase.WAITING and (plan.eager or all(states[name].satisfied for name in plan.needs))


def started(state: State, now: float) -> State:
    return replace(state, phase=Phase.STARTING, since=now, exit_code=None)


def became_ready(state: State, now: float) -> State:
    return replace(state, phase=Phase.READY, since=now)


def died(plan: Plan, state: State, exit_code: int, now: float) -> State:
    """After the unit's end: done if that was its purpose, else a pause before the next start."""
    if plan.once and exit_code == 0:
        return State(Phase.DONE, now, exit_code=0)
    steady = state.phase is Phase.READY and now - state.since >= STEADY_AFTER_S
    deaths = 1 if steady else state.deaths + 1
    return State(Phase.PAUSING, now, deaths, now + pause_s(deaths), exit_code)


def stop_waves(plans: Iterable[Plan]) -> list[list[str]]:
    """Names in the order of stopping: each wave may stop at once, and nothing before those that need it."""
    left = {plan.name: plan for plan in plans}
    waves: list[list[str]] = []
    while left:
        needed = {name for plan in left.values() for name in plan.needs}
        wave = sorted(name for name in left if name not in needed)
        if not wave:
            raise ValueError(f"units need each other in a circle: {', '.join(sorted(left))}")
        waves.append(wave)
        for name in wave:
            del left[name]
    return waves


def all_ready(states: Mapping[str, State]) -> bool:
    return all(state.satisfied for state in states.values())
