"""The supervisor with real, tiny processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.processes import PidFile, cut, rss_bytes, started_at, tail
from hub.state_dir import StateDir, StateInUseError

ROOT = Path(__file__).parent.parent.parent

SCRIPT = """
import sys
from pathlib import Path
from hub.processes import spawn
from hub.state_dir import StateDir, StateInUseError
from hub.supervision import Plan
from hub.supervisor import Supervisor, Unit
import os

root = Path(sys.argv[1])
state = StateDir(root)

def unit(name, code, needs=(), grace=2.0):
    start = lambda: spawn([sys.executable, "-c", code, str(root)], os.environ, state.log(name))
    return Unit(Plan(name, needs), start, lambda: (root / name).exists(), grace)

STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); "
READY = "import sys, time, pathlib; pathlib.Path(sys.argv[1], {name!r}).write_text('up'); "
units = [
    unit("base", READY.format(name="base") + "time.sleep(600)"),
    unit("stubborn", STUBBORN + READY.format(name="stubborn") + "time.sleep(600)", ("base",), 0.5),
    unit("mortal", READY.format(name="mortal") + "time.sleep(0.05); sys.exit(3)", ("base",)),
]
with state.lock():
    Supervisor(units, state, lambda text: print(text, flush=True)).run()
"""


def eventually(condition: Callable[[], object], what: str, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def supervised(tmp_path: Path) -> object:
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(SCRIPT))
    state = tmp_path / "state"
    state.mkdir()
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(script), str(state)],
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        yield process, StateDir(state), tmp_path / "out"
        process.kill()
        process.wait()


def test_it_starts_restarts_and_stops_everything(supervised: tuple[subprocess.Popen[bytes], StateDir, Path]) -> None:
    process, state, out = supervised
    eventually(lambda: b"mortal: ended with 3, death 2" in out.read_bytes(), "mortal died twice")
    eventually(lambda: b"stubborn: ready" in out.read_bytes(), "stubborn up")
    units = state.read_snapshot()["units"]
    assert units["base"]["phase"] == "ready"
    assert units["mortal"]["deaths"] >= 1
    pids = [file.running() for file in (state.pid_file("base"), state.pid_file("stubborn"))]
    assert state.supervisor() == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert [started_at(pid) for pid in pids if pid] == [None, None]
    text = out.read_text()
    assert "stubborn: did not stop in 0.5 s; killing it" in text
    assert text.index("stubborn: stopped") < text.index("base: stopped")
    assert state.supervisor() is None


def test_no_child_outlives_a_killed_supervisor_and_the_next_one_starts_clean(
    supervised: tuple[subprocess.Popen[bytes], StateDir, Path],
) -> None:
    process, state, _ = supervised
    eventually(lambda: state.pid_file("base").running(), "base runs")
    pid = state.pid_file("base").running()
    assert pid is not None
    process.kill()
    process.wait()
    eventually(lambda: started_at(pid) is None, "base ended with its supervisor")
    with state.lock():
        assert state.supervisor() == os.getpid()


def test_two_supervisors_never_share_a_state_directory(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    with state.lock():
        holder = (
            "import sys, pathlib; from hub.state_dir import StateDir\n"
            "with StateDir(pathlib.Path(sys.argv[1])).lock(): pass"
        )
        second = subprocess.run(
            [sys.executable, "-c", holder, str(tmp_path)],
            capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert f"in use by another `ioc up` (process {os.getpid()})" in second.stderr
    with state.lock():
        pass
    assert StateInUseError(tmp_path, 7).pid == 7


def test_a_pid_file_is_not_fooled_by_a_reused_pid(tmp_path: Path) -> None:
    file = PidFile(tmp_path / "run" / "x.pid")
    assert file.running() is None
    file.write(os.getpid())
    assert file.running() == os.getpid()
    file.path.write_text(file.path.read_text().replace('"started_at": "', '"started_at": "other-'))
    assert file.running() is None


def test_logs_stay_bounded_and_their_end_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "x.log"
    assert tail(log, 3) == []
    log.write_text("\n".join(str(number) for number in range(100)))
    assert tail(log, 2) == ["98", "99"]
    monkeypatch.setattr("hub.processes.LOG_LIMIT_BYTES", 10)
    cut(log)
    assert log.read_text() == ""
    assert (tmp_path / "x.log.1").read_text().endswith("99")


def test_memory_of_a_process_is_told() -> None:
    assert (rss_bytes(os.getpid()) or 0) > 1_000_000
    assert rss_bytes(2**22 + 1) is None
