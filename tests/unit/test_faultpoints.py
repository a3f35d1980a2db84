"""Fault points: armed by name, dead at the right passage, nothing otherwise."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.faultpoints import POINTS, VARIABLE, FaultPointError, half_sent, parse

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
from streams.faultpoints import arm, reach
arm()
for number in range(4):
    print(number, flush=True)
    reach("after_intent")
print("end", flush=True)
{then}
"""


def run(armed: str | None, then: str = "") -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != VARIABLE}
    variables |= {VARIABLE: armed} if armed is not None else {}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(then=then)], cwd=ROOT, env=variables, capture_output=True, text=True
    )


def test_a_process_dies_by_sigkill_at_the_passage_asked_for_and_has_said_so_at_its_start() -> None:
    done = run("after_intent:3")
    assert done.returncode == -signal.SIGKILL
    printed = done.stdout.splitlines()
    assert [line for line in printed if line.isdigit() or line == "end"] == ["0", "1", "2"]
    assert any("fault_point_armed" in line and "after_intent" in line for line in printed)


def test_a_delay_lets_the_process_go_on_so_long() -> None:
    begun = time.monotonic()
    done = run("after_intent:1:200", then="import time\nwhile True: time.sleep(1)")
    assert done.returncode == -signal.SIGKILL
    assert "end" in done.stdout.splitlines()
    assert time.monotonic() - begun >= 0.2


def test_without_the_variable_or_at_another_point_nothing_happens() -> None:
    assert run(None).returncode == 0
    assert run("before_insert").stdout.splitlines()[-1] == "end"


def test_a_name_that_there_is_not_stops_the_process_at_its_start_with_the_names_there_are() -> None:
    done = run("after_lunch")
    assert done.returncode == 1
    assert "0" not in done.stdout.splitlines()
    assert all(name in done.stderr for name in [*POINTS, "after_lunch", VARIABLE])


@pytest.mark.parametrize("text", ["after_intent:x", "after_intent:0", "after_intent:1:-1", "after_intent:1:2:3"])
def test_what_is_no_passage_or_delay_is_refused(text: str) -> None:
    with pytest.raises(FaultPointError, match=re.escape("name[:passage[:delay_ms]]")):
        parse(text)


def test_a_standing_batch_needs_the_file_that_holds_it() -> None:
    assert parse("batch_stands:/tmp/a:b").file == Path("/tmp/a:b")
    with pytest.raises(FaultPointError, match="batch_stands:FILE"):
        parse("batch_stands")


def test_an_insert_is_sent_whole_unless_it_is_to_be_broken_off() -> None:
    assert half_sent(b"block") == b"block"


def test_every_point_has_a_place_in_the_code_and_every_place_a_point() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "streams").rglob("*.py")]
    placed = {
        name
        for text in texts
        for call in re.findall(r"\b_?reach\(([^)]*)\)", text)
        for name in re.findall(r'"([a-z_]+)"', call)
        if name not in ("ok",)
    }
    assert placed == set(POINTS)


def test_a_role_that_is_started_with_an_unknown_name_ends_before_it_does_anything(tmp_path: Path) -> None:
    variables = {**os.environ, VARIABLE: "after_lunch", "IOC_STATE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", "warehouse"], cwd=ROOT, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert all(name in done.stderr for name in [*POINTS, "after_lunch", VARIABLE])
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "warehouse").exists()
