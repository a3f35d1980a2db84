"""Live events go on after a restart as if there had been none."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import emitted
from deploy.demo.bad import feedback_records
from deploy.demo.delivery import sign
from deploy.demo.feedback1022 import Acknowledged, encode_batch, sending_order
from deploy.demo.ledger import FEEDBACK, PORTAL, LiveEvent, LiveLog, directory, open_origin, read_live
from deploy.demo.live import Performance
from deploy.demo.live_dossiers import dossier_cases
from deploy.demo.live_reports import report_cases
from deploy.demo.local_time import iso
from deploy.demo.reference import generate, stock_period
from deploy.demo.reports import reference_reports, stock_reports
from deploy.demo.worktime import WorkTime, local_midnight

NOW = 1_782_000_000
YEAR = 1_767_200_400


def _play(state: Path, system: str, stops: list[int], start: int = NOW) -> list[LiveEvent]:
    """Play to each of the stops in turn, by a new performance each; a second passes a turn."""
    open_origin(state, system, 1, 0.01, NOW)
    if system == PORTAL:
        cases: Any = dossier_cases(1, generate(stock_period(1, 0.1, YEAR, NOW)))
    else:
        cases = report_cases(1, stock_reports(1, 0.5, YEAR, NOW))
    for stop in stops:
        past = list(read_live(state, system))
        log = LiveLog(state, system)
        performance = Performance(log, 1, cases, past)
        while performance.turns < stop:
            performance.emit(start + performance.turns)
        log.close()
    return list(read_live(state, system))


@pytest.mark.parametrize("system", [PORTAL, FEEDBACK])
def test_a_restart_at_any_point_changes_nothing(tmp_path: Path, system: str) -> None:
    whole = _play(tmp_path / "whole", system, [400])
    parts = _play(tmp_path / "parts", system, [1, 2, 57, 58, 200, 399, 400])
    assert [event.raw for event in parts] == [event.raw for event in whole]


@pytest.mark.parametrize("system", [PORTAL, FEEDBACK])
def test_live_cases_begin_end_and_never_fall_back(tmp_path: Path, system: str) -> None:
    events = _play(tmp_path, system, [600])
    row = emitted.dossier_row if system == PORTAL else emitted.feedback_row
    rows = [row(event.raw) for event in events]
    ends = {9, 10} if system == PORTAL else {"CLOSED", "RESOLVED"}
    assert len({r["event_id"] for r in rows}) == 600
    assert sum(r["status"] in ends for r in rows) > 100
    assert {r["op"] for r in rows} == {"UPSERT", "CORRECT", "DELETE"}
    assert len({event.case for event in events}) > 60
    assert all(a.at <= b.at for a, b in itertools.pairwise(events))


def test_time_never_goes_back_even_if_the_clock_does(tmp_path: Path) -> None:
    _play(tmp_path, PORTAL, [50])
    events = _play(tmp_path, PORTAL, [60], start=NOW - 3600)
    assert events[-1].at >= events[49].at


def test_a_line_torn_by_a_crash_was_never_emitted(tmp_path: Path) -> None:
    whole = _play(tmp_path, FEEDBACK, [30])
    path = directory(tmp_path, FEEDBACK) / "live.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert list(read_live(tmp_path, FEEDBACK)) == whole[:29]
    assert _play(tmp_path, FEEDBACK, [30]) == whole


def test_each_event_is_sent_as_often_as_asked_some_twice_and_within_the_minutes() -> None:
    events = reference_reports(1, 1.0) + [record.raw for record in feedback_records()]
    order = sending_order(events, 3, 600, seed=1)
    counts = [order.count(number) for number in range(0, len(events), 50)]
    assert set(counts) <= {3, 4}
    assert len(order) > 3 * len(events)
    once = sending_order(events, 1, 600, seed=1)
    assert once == sending_order(events, 1, 600, seed=1)
    good = [events[number]["cap_nhat_luc"] for number in once if events[number]["cap_nhat_luc"][:2] == "20"]
    assert good != sorted(good)
    latest = ""
    for moment in good:
        latest = max(latest, moment)
        assert iso(int(_seconds(latest)) - 600) <= moment


def _seconds(text: str) -> float:
    moment = emitted._iso(text)
    assert moment is not None
    return moment.timestamp()


def test_a_restart_sends_again_from_the_first_event_not_known_to_be_accepted() -> None:
    acknowledged = Acknowledged(5)
    for number in (6, 7, 9):
        acknowledged.add(number)
    assert acknowledged.upto == 5
    acknowledged.add(5)
    assert acknowledged.upto == 8


def test_a_body_is_an_array_or_one_object_a_line() -> None:
    assert encode_batch([{"a": 1}, {"a": 2}], as_lines=False)[0] == b'[{"a":1},{"a":2}]'
    assert encode_batch([{"a": 1}, {"a": 2}], as_lines=True)[0] == b'{"a":1}\n{"a":2}\n'


def test_the_signature_is_over_time_nonce_and_body() -> None:
    headers = sign("key", b"{}", 1_700_000_000, "nonce")
    assert headers["X-IOC-Signature"] == "sha256=" + SIGNATURE
    assert sign("key", b"{} ", 1_700_000_000, "nonce")["X-IOC-Signature"] != headers["X-IOC-Signature"]


SIGNATURE = "c96eb0300a34925d167a0ffd4d30cf06a6adac2e0848dd1075e1e963e61a4752"


def test_working_time_leaves_out_nights_weekends_and_tet() -> None:
    from datetime import date

    import numpy as np

    start = local_midnight(date(2022, 1, 28))
    work = WorkTime(start, local_midnight(date(2022, 2, 12)))
    moments = work.at(np.array([0, 4 * 3600 + 1800, 8 * 3600]))
    assert [iso(int(moment)) for moment in moments] == [
        "2022-01-28T07:00:00+07:00",
        "2022-01-28T13:30:00+07:00",
        "2022-02-07T07:00:00+07:00",
    ]
    assert work.total == 6 * 8 * 3600
