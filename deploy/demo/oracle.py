"""Every KPI out of the ledgers, the slow and plain way: final state of each key, then count.

`python -m deploy.demo.oracle --state DIR [--from 2022-01-01 --to 2022-09-30] --json`. Shares nothing with the
product but the code table of procedures. The default period is this year to today. Of several periods, each given as
`--period NAME=2022-01-01..2022-09-30`, the answers come by name, from ledgers that are read once.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from deploy.demo import emitted
from deploy.demo.ledger import FEEDBACK, PORTAL, DemoError, directory, require_ledger
from deploy.demo.simulation import Answer, Totals
from deploy.demo.systems import SYSTEMS
from deploy.demo.tally import at_most, count, due, forecast, share
from deploy.demo.worktime import LOCAL

ZONE = "Asia/Ho_Chi_Minh"
RANK = {"UPSERT": 0, "CORRECT": 1, "DELETE": 2}
CODES = Path(__file__).parents[2] / "schemas" / "codes" / "procedure.csv"


def final_states(events: pl.DataFrame) -> pl.DataFrame:
    """The state of each key after its highest assertion by (revision, op, content hash), deleted ones left out."""
    rank = pl.col("op").replace_strict(RANK, return_dtype=pl.Int64)
    placed = events.with_columns(place=pl.col("revision") * len(RANK) + rank)
    highest = placed.filter(pl.col("place") == pl.col("place").max().over("entity_key"))
    highest = highest.with_columns(emitted.content_hash(highest.drop("place")))
    last = highest.sort("entity_key", "hash").unique("entity_key", keep="last", maintain_order=True)
    return last.filter(pl.col("op") != "DELETE").drop("place", "hash")


def _within(column: str, start: date | None, end: date) -> pl.Expr:
    """Whether a moment's local day lies in the period (no start: any day up to the end)."""
    day = pl.col(column).dt.convert_time_zone(ZONE).dt.date()
    return (day <= end) & (pl.lit(True) if start is None else day >= start)


def _day(column: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone(ZONE).dt.date()


def online_procedures(at: date, table: Path = CODES) -> set[str]:
    """Codes of the online procedures in force on a day."""
    with table.open(encoding="utf-8", newline="") as handle:
        return {
            row["code"]
            for row in csv.DictReader(handle)
            if row["online"] == "1"
            and row["valid_from"] <= at.isoformat()
            and (not row["valid_to"] or row["valid_to"] >= at.isoformat())
        }


def dossier_kpis(events: pl.DataFrame, online: set[str], start: date, end: date) -> dict[str, Answer]:
    """`events`: emitted.DOSSIER_SCHEMA; `online`: codes of the online procedures in force at the end."""
    states = final_states(events)
    accepted = ~pl.col("status").is_in([1, 3])
    received = states.filter(accepted & _within("received_at", start, end))
    received_online = received.filter(pl.col("channel") == "ONLINE")
    finished = states.filter(pl.col("status").is_in([9, 10]) & _within("ended_at", start, end))
    late = finished.filter(_day("ended_at") > _day("due_at")).height
    used = set(received_online["procedure_code"]) & online
    in_progress = states.filter(pl.col("status").is_in([2, 4, 6]))
    parts = _parts_of_766(states, received, finished, start, end)
    parts["dossier.on_time_share"] = share(finished.height - late, finished.height)
    return {
        "dossier.received": count(received.height),
        "dossier.finished": count(finished.height),
        "dossier.late": count(late),
        "dossier.open": count(in_progress.filter(_within("received_at", None, end)).height),
        "dossier.online_share": share(received_online.height, received.height),
        "dossier.result_electronic_share": share(int(finished["result_electronic"].sum()), finished.height),
        "procedure.online_with_dossier_share": share(len(used), len(online)),
        "dossier.score_766": _score(parts),
        **parts,
        **_due(in_progress, "dossier"),
        "dossier.on_time_forecast": _forecast(states, in_progress),
    }


WEIGHTS_OF_766 = {
    "dossier.transparent_share": 18,
    "dossier.on_time_share": 20,
    "dossier.online_766_share": 12,
    "dossier.online_payment_share": 10,
    "dossier.satisfaction_share": 18,
    "dossier.digitised_share": 22,
}


def _parts_of_766(
    states: pl.DataFrame, received: pl.DataFrame, finished: pl.DataFrame, start: date, end: date
) -> dict[str, Answer]:
    """The groups of Decision 766 but the progress; post is in none of the online share."""
    level = received.filter(pl.col("level").is_in([3, 4]) & pl.col("channel").is_in(["COUNTER", "ONLINE"]))
    with_fee = received.filter(pl.col("fee") > 0)
    rated = finished.filter(pl.col("rating").is_not_null())
    ended = states.filter(pl.col("status").is_in([7, 9, 10]) & _within("ended_at", start, end))
    return {
        "dossier.transparent_share": share(received.height - received["due_at"].null_count(), received.height),
        "dossier.online_766_share": share(level.filter(pl.col("channel") == "ONLINE").height, level.height),
        "dossier.online_payment_share": share(with_fee.filter(pl.col("paid_online")).height, with_fee.height),
        "dossier.satisfaction_share": share(rated.filter(pl.col("rating") >= 4).height, rated.height),
        "dossier.digitised_share": share(ended.filter(pl.col("components_digitised")).height, ended.height),
    }


def _score(parts: Mapping[str, Answer]) -> Answer:
    """Weighted points of the groups that have data; nothing without any."""
    values = {name: parts[name]["value"] for name in WEIGHTS_OF_766}
    points = [round(WEIGHTS_OF_766[name] * value / 100, 2) for name, value in values.items() if value is not None]
    return count(round(sum(points), 2)) if points else count(None)


def _due(in_progress: pl.DataFrame, entity: str) -> dict[str, Answer]:
    """What is due depends on when it is asked: the due minutes of what is in progress, to be held against that."""
    moments = in_progress["due_at"].drop_nulls().dt.epoch("s") // 60
    minutes = sorted(moments.to_list())
    return {f"{entity}.overdue": due(minutes, None), f"{entity}.due_in_24h": due(minutes, 24)}


FORECAST_BACK_DAYS = 100
"""More than the forecast looks back, for whoever asks it some days later."""


def _forecast(states: pl.DataFrame, in_progress: pl.DataFrame) -> Answer:
    """Open dossiers by due minute, and those done lately with whether on time and the full days they had left."""
    of = ["procedure_code", "org_code"]
    waiting = in_progress.filter(pl.col("due_at").is_not_null())
    since = datetime.now(tz=UTC) - timedelta(days=FORECAST_BACK_DAYS)
    done = states.filter(
        pl.col("status").is_in([9, 10]) & pl.col("due_at").is_not_null() & (pl.col("ended_at") > since)
    )
    # Just so many days left are not more than so many.
    left = ((pl.col("due_at") - pl.col("ended_at")).dt.total_milliseconds() - 1) // 86_400_000
    due_minute = pl.col("due_at").dt.epoch("s") // 60
    on_time = (_day("ended_at") <= _day("due_at")).alias("on_time")
    told = done.select(_day("ended_at").cast(pl.Int32).alias("day"), on_time, left.alias("left"), *of)
    return forecast([list(row) for row in waiting.select(due_minute, *of).rows()], [list(row) for row in told.rows()])


def feedback_kpis(events: pl.DataFrame, start: date, end: date) -> dict[str, Answer]:
    """`events`: emitted.FEEDBACK_SCHEMA."""
    states = final_states(events)
    counts = ~pl.col("status").is_in(["DUPLICATE", "REJECTED"])
    processed = pl.col("status").is_in(["RESOLVED", "CLOSED"])
    received = states.filter(counts & _within("received_at", start, end))
    done = states.filter(processed & _within("received_at", start, end))
    no_date = pl.col("due_at").is_null() | pl.col("resolved_at").is_null()
    on_time = done.filter(no_date | (pl.col("resolved_at") <= pl.col("due_at"))).height
    ever_received = states.filter(counts & _within("received_at", None, end)).height
    ever_processed = states.filter(processed & _within("resolved_at", None, end)).height
    rated = done.filter(pl.col("rating").is_not_null())
    return {
        "feedback.received": count(received.height),
        "feedback.open": count(ever_received - ever_processed),
        "feedback.processed_share": share(done.height, received.height),
        "feedback.on_time_of_processed": share(on_time, done.height),
        "feedback.on_time_of_received": share(on_time, received.height),
        "feedback.satisfaction_share": share(rated.filter(pl.col("rating") >= 4).height, rated.height),
        **_due(states.filter(counts & ~processed), "feedback"),
    }


def _entities(events: pl.DataFrame) -> dict[str, int]:
    keys = events["entity_key"].n_unique()
    lives = final_states(events).height
    return {"keys": keys, "current": lives, "deleted": keys - lives}


def evaluate(state: Path, start: date, end: date) -> dict[str, Any]:
    """KPIs of a period, and the totals of everything emitted so far."""
    return evaluate_all(state, {"": (start, end)})[""]


def evaluate_all(state: Path, periods: Mapping[str, tuple[date, date]]) -> dict[str, dict[str, Any]]:
    """The same of several periods, by name."""
    require_ledger(state)
    dossiers, feedback = emitted.dossiers(state), emitted.feedback(state)
    entities = {"dossier": _entities(dossiers), "feedback": _entities(feedback)}
    return {
        name: _evaluated(state, dossiers, feedback, start, end) | {"entities": entities}
        for name, (start, end) in periods.items()
    }


def _evaluated(state: Path, dossiers: pl.DataFrame, feedback: pl.DataFrame, start: date, end: date) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "from": start.isoformat(),
        "to": end.isoformat(),
        "kpis": dossier_kpis(dossiers, online_procedures(end), start, end) | feedback_kpis(feedback, start, end),
        "events": {PORTAL: dossiers.height, FEEDBACK: feedback.height},
        "records": {"dossier": dossiers.height, "feedback": feedback.height},
        "bad": {system: len(emitted.refused(system)) for system in (PORTAL, FEEDBACK)},
    }
    for system in SYSTEMS:
        if (directory(state, system.id) / "origin.json").exists():
            _add(answer, system.id, system.expected(state, start, end))
    for entity, sent in answer["records"].items():
        answer["kpis"] |= _of_arrival(entity, sent)
    return answer


def _of_arrival(entity: str, sent: int) -> dict[str, Answer]:
    """What depends on the way to the hub and no ledger knows: no clock here runs ahead, and what corrected something
    late is one of the records that were sent."""
    return {f"{entity}.clock_skew": count(0), f"{entity}.late_corrections": at_most(sent)}


def _add(answer: dict[str, Any], system: str, totals: Totals) -> None:
    answer["kpis"] |= totals.kpis
    answer["events"][system] = sum(totals.records.values())
    answer["records"] |= totals.records
    answer["bad"] |= totals.bad


def kpis(ledger_dir: Path, from_: date, to: date) -> dict[str, Answer]:
    """id → value, numerator, denominator. Percentages are rounded to two decimals; None: no data."""
    return dict(evaluate(ledger_dir, from_, to)["kpis"])


def _named_period(text: str) -> tuple[str, tuple[date, date]]:
    name, _, days = text.partition("=")
    start, _, end = days.partition("..")
    return name, (date.fromisoformat(start), date.fromisoformat(end))


def main(arguments: list[str] | None = None) -> int:
    today = datetime.now(tz=UTC).astimezone(LOCAL).date()
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.oracle", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the simulators' state directory")
    parser.add_argument("--from", dest="start", type=date.fromisoformat, default=date(today.year, 1, 1))
    parser.add_argument("--to", dest="end", type=date.fromisoformat, default=today)
    parser.add_argument("--period", type=_named_period, action="append", help="NAME=FROM..TO; may be repeated")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args(arguments)
    try:
        if options.period:
            print(json.dumps(evaluate_all(options.state, dict(options.period)), ensure_ascii=False))
            return 0
        result = evaluate(options.state, options.start, options.end)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        for name, answer in result["kpis"].items():
            parts = "" if answer["denominator"] is None else f"{answer['numerator']}/{answer['denominator']}"
            print(f"{name:40} {answer['value']!s:>10}  {parts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
