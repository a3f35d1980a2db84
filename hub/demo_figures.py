"""The demonstration's figures: what the simulators' ledgers say against what the product shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from hub.client import Client
from hub.demo_forecast import in_time_at

REFERENCE = (date(2022, 1, 1), date(2022, 9, 30))
"""The nine months of the meeting whose figures are known."""

HALF = 0.5 + 1e-6
"""Rounded to whole dossiers, whichever way the sum of their chances was added up."""

HALF_A_HUNDREDTH = 0.005 + 1e-9
"""Two ways of rounding the same fraction to two decimals may differ by so much from the fraction."""

ORACLE_TIMEOUT_S = 180


class OracleError(Exception):
    """The ledgers could not be read."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The oracle's answer for one period. The rest counts all that was emitted so far: `events` by system, `records`
    by entity, `bad` (to be refused) by connector."""

    start: date
    end: date
    kpis: Mapping[str, Mapping[str, Any]]
    events: Mapping[str, int]
    records: Mapping[str, int]
    bad: Mapping[str, int]


def expected(root: Path, state: Path, start: date, end: date) -> Expected:
    """What the ledgers say of one period. Raises `OracleError`."""
    return expected_all(root, state, {"one": (start, end)})["one"]


def expected_all(root: Path, state: Path, periods: Mapping[str, tuple[date, date]]) -> dict[str, Expected]:
    """Ask the oracle, a process of its own; blocks for seconds. Raises `OracleError`."""
    command = [sys.executable, "-m", "deploy.demo.oracle", "--state", str(state)]
    for name, (start, end) in periods.items():
        command += ["--period", f"{name}={start.isoformat()}..{end.isoformat()}"]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=ORACLE_TIMEOUT_S, check=True,
            start_new_session=True,  # Ctrl-C at the terminal is for the demonstration, which ends it
        )  # fmt: skip
        answers = json.loads(done.stdout)
        return {
            name: Expected(*periods[name], *(answer[part] for part in ("kpis", "events", "records", "bad")))
            for name, answer in answers.items()
        }
    except subprocess.CalledProcessError as error:
        raise OracleError(error.stderr.strip()) from error
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        raise OracleError(f"the oracle gave no answer: {error}") from error


def shown(client: Client, start: date, end: date) -> dict[str, dict[str, Any]]:
    """The product's KPIs of a period by id. Blocks; raises `ClientError`."""
    answer = client.get("/v1/kpis", {"from": start.isoformat(), "to": end.isoformat()})
    return {item["id"]: item for item in answer["items"]}


def connectors(client: Client) -> list[dict[str, Any]]:
    """The product's connectors. Blocks; raises `ClientError`."""
    return list(client.get("/v1/connectors")["items"])


def arrived(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Records in the warehouse by entity, by the connectors' rows: two connectors of one source system count once."""
    there = {(row["entity"], row["source_system"]): row["in_warehouse"] or 0 for row in rows}
    totals = Counter[str]()
    for (entity, _), records in there.items():
        totals[entity] += records
    return dict(totals)


def all_arrived(found: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    """Whether of every entity at least as many records are there as were emitted."""
    return not missing(found, wanted)


def missing(found: Mapping[str, int], wanted: Mapping[str, int]) -> list[str]:
    """A line per entity of which records have not arrived: pure."""
    return [
        f"{entity}: {found.get(entity, 0)} of {count} records have arrived"
        for entity, count in wanted.items()
        if found.get(entity, 0) < count
    ]


def differences(expected_kpis: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line per KPI that is not as it should be: pure."""
    lines = []
    for name, wanted in expected_kpis.items():
        item = found.get(name)
        if item is None:
            lines.append(f"{name}: not served")
        elif not same(wanted, item):
            lines.append(f"{name}: {_text(item)} where the ledgers say {_expected_text(wanted, item)}")
    return lines


def same(wanted: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Whether two answers are the same: parts exactly, the value of a share or mean to its two decimals; what is due,
    at the moment at which the product read it."""
    if "due_minutes" in wanted:
        return bool(item["value"] == due_at(wanted, item["read_at"]))
    if "forecast" in wanted:
        exact = in_time_at(wanted["forecast"], item["read_at"])
        return bool(item["denominator"] == len(wanted["forecast"]["open"]) and abs(item["numerator"] - exact) <= HALF)
    if "at_most" in wanted:
        return item["value"] is not None and 0 <= item["value"] <= wanted["at_most"]
    if wanted["denominator"] is None:
        return bool(item["value"] == wanted["value"])
    if (item["numerator"], item["denominator"]) != (wanted["numerator"], wanted["denominator"]):
        return False
    if wanted["value"] is None or item["value"] is None:
        return bool(wanted["value"] == item["value"])
    exact = wanted.get("scale", 100) * wanted["numerator"] / wanted["denominator"]
    return bool(abs(item["value"] - exact) <= HALF_A_HUNDREDTH)


def due_at(wanted: Mapping[str, Any], read_at: str) -> int:
    """How many of the open items are overdue, or due within the hours asked for, at a time; by whole minutes."""
    now, within_h = int(datetime.fromisoformat(read_at).timestamp()) // 60, wanted["within_h"]
    if within_h is None:
        return sum(minute < now for minute in wanted["due_minutes"])
    return sum(now <= minute < now + 60 * within_h for minute in wanted["due_minutes"])


def _expected_text(wanted: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    if "due_minutes" in wanted:
        return str(due_at(wanted, item["read_at"]))
    if "forecast" in wanted:
        return f"{in_time_at(wanted['forecast'], item['read_at']):.1f}/{len(wanted['forecast']['open'])}"
    return f"0 to {wanted['at_most']}" if "at_most" in wanted else _text(wanted)


def _text(item: Mapping[str, Any]) -> str:
    if item["denominator"] is None:
        return str(item["value"])
    return f"{item['value']} ({item['numerator']}/{item['denominator']})"
