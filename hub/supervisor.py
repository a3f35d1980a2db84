"""The supervisor: keeps a stack's units running until it is told to stop.

One thread, one loop: look at the children, ask the pure rules of `hub.supervision` what is due, do it. It never
gives up on a unit; it says each death and each pause.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hub import supervision
from hub.processes import Child, cut
from hub.state_dir import StateDir
from hub.supervision import Phase, Plan, State

TICK_S = 0.1
LOG_CHECK_S = 30.0
LEFTOVER_GRACE_S = 10.0
"""Children of a supervisor that was killed are ended by the kernel; this long they may take to close their files."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Something to keep running. `start` and `ready` are quick (well under a second) and may raise OSError."""

    plan: Plan
    start: Callable[[], Child]
    ready: Callable[[], bool]
    grace_s: float = 15.0


class StartFailedError(Exception):
    """A unit could not be prepared; it counts as a death and is tried again."""


class Supervisor:
    """Runs `units` in `state`, which it must hold the lock of. `say` gets a line of news at a time."""

    def __init__(self, units: Iterable[Unit], state: StateDir, say: Callable[[str], None]) -> None:
        self._units = {unit.plan.name: unit for unit in units}
        self._state_dir = state
        self._say = say
        self._states: dict[str, State] = {name: State() for name in self._units}
        self._children: dict[str, Child] = {}
        self._stopping = threading.Event()
        self._began = time.monotonic()
        self._logs_checked = self._began
        self._was_ready = False

    def stop(self) -> None:
        """Ask `run` to stop everything and return; safe from a signal handler and from other threads."""
        self._stopping.set()

    def run(self) -> None:
        """Block until `stop`; everything started is stopped before it returns. Must run in the main thread."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._clear_leftovers()
            while not self._stopping.is_set():
                if self._step():
                    self._publish()
                self._stopping.wait(TICK_S)
        finally:
            try:
                self._stop_all()
            finally:
                for number, handler in previous.items():
                    signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        self._stopping.set()

    def _step(self) -> bool:
        now = time.monotonic()
        before = dict(self._states)
        for name, unit in self._units.items():
            self._observe(name, unit, now)
            if not self._stopping.is_set() and supervision.due(unit.plan, self._states, now):
                self._start(name, unit, now)
        if now - self._logs_checked > LOG_CHECK_S:
            self._logs_checked = now
            for name in self._units:
                cut(self._state_dir.log(name))
        ready = supervision.all_ready(self._states)
        if ready and not self._was_ready:
            self._say(f"all ready after {now - self._began:.1f} s")
        self._was_ready = ready
        return before != self._states

    def _observe(self, name: str, unit: Unit, now: float) -> None:
        child = self._children.get(name)
        if child is None:
            return
        exit_code = child.poll()
        if exit_code is not None:
            self._bury(name, unit, exit_code, now)
        elif self._states[name].phase is Phase.STARTING and self._is_ready(unit):
            self._states[name] = supervision.became_ready(self._states[name], now)
            self._say(f"{name}: ready after {now - self._began:.1f} s")

    def _is_ready(self, unit: Unit) -> bool:
        try:
            return unit.ready()
        except OSError:
            return False

    def _bury(self, name: str, unit: Unit, exit_code: int, now: float) -> None:
        del self._children[name]
        self._state_dir.pid_file(name).remove()
        state = supervision.died(unit.plan, self._states[name], exit_code, now)
        self._states[name] = state
        if state.phase is Phase.DONE:
            self._say(f"{name}: done after {now - self._began:.1f} s")
        else:
            self._say(
                f"{name}: ended with {exit_code}, death {state.deaths} in a row; starting it again in "
                f"{state.again_at - now:.1f} s (log: {self._state_dir.log(name)})"
            )

    def _start(self, name: str, unit: Unit, now: float) -> None:
        self._states[name] = supervision.started(self._states[name], now)
        try:
            child = unit.start()
        except (OSError, StartFailedError) as error:
            self._say(f"{name}: could not be started: {error}")
            self._states[name] = supervision.died(unit.plan, self._states[name], -1, now)
            return
        self._children[name] = child
        if child.pid != os.getpid():
            self._state_dir.pid_file(name).write(child.pid)

    def _clear_leftovers(self) -> None:
        """End what a killed supervisor left: two writers on one directory would be worse than a slow start."""
        files = self._state_dir.pid_files()
        left = {name: pid for name, file in files.items() if (pid := file.running()) is not None}
        for name, pid in left.items():
            self._say(f"{name}: process {pid} was left over by an earlier run; ending it")
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + LEFTOVER_GRACE_S
        while any(files[name].running() for name in left) and time.monotonic() < deadline:
            time.sleep(TICK_S)
        for name in left:
            pid = files[name].running()
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        for file in files.values():
            file.remove()

    def _stop_all(self) -> None:
        for wave in supervision.stop_waves(unit.plan for unit in self._units.values()):
            self._stop_wave([name for name in wave if name in self._children])
        self._publish()

    def _stop_wave(self, names: list[str]) -> None:
        for name in names:
            self._children[name].terminate()
        began = time.monotonic()
        waiting, killed = set(names), set[str]()
        while waiting:
            for name in sorted(waiting):
                if self._children[name].poll() is not None:
                    self._say(f"{name}: stopped")
                    waiting.discard(name)
                elif name not in killed and time.monotonic() - began > self._units[name].grace_s:
                    self._say(f"{name}: did not stop in {self._units[name].grace_s:g} s; killing it")
                    self._children[name].kill()
                    killed.add(name)
            time.sleep(TICK_S / 4)
        for name in names:
            del self._children[name]
            self._states[name] = State(Phase.STOPPED, time.monotonic())
            self._state_dir.pid_file(name).remove()

    def _publish(self) -> None:
        now = time.monotonic()
        units: dict[str, dict[str, Any]] = {
            name: {
                "phase": state.phase.value,
                "pid": self._children[name].pid if name in self._children else None,
                "for_s": round(now - state.since, 1),
                "deaths": state.deaths,
                "exit_code": state.exit_code,
            }
            for name, state in self._states.items()
        }
        self._state_dir.write_snapshot(
            {"pid": os.getpid(), "ready": supervision.all_ready(self._states), "units": units}
        )
