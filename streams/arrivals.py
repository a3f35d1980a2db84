"""What the arrival of an entity's records says about the data: pure. Late corrections and clock skew as KPIs.

Every entity with KPIs gets two more flows, summed by the day on which records arrived (their Kafka timestamp, in
IOC_TIMEZONE), by department and source system, from columns of `<entity>_changes` alone:

late correction  a record that was applied or deleted, took back a state that counted (its reason is `took_back`),
                 and whose event_time lies more than the allowance before its Kafka timestamp
clock skew       a record that is no repeat and whose event_time lies more than `SKEW_AFTER` after its Kafka timestamp
                 (more than `streams.placement.FUTURE_TOLERANCE` is quarantined)

Rows of repairs (heal = 1) did not arrive and do not count. A figure about arrivals depends on when and in what order
records arrived, unlike all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from streams.errors import PlanError

TOOK_BACK = "took_back"
"""The reason of a primary row that replaced or deleted a state that counted: one row with sign −1 goes with it."""

TIME = "arrival"
"""The time of these KPIs in declarations, and the end of their table's name: `<entity>_by_arrival`."""

DIMENSIONS = ("org_code", "source_system")
"""Who sent it, and from which system: a wrong clock belongs to a system."""

LATE_AFTER_HOURS = 24
"""A record may be so old on arrival before a correction counts as late: nightly exports are no fault. A KPI file
sets another value by `arrivals: {late_after_hours: N}`."""

MOST_HOURS = 24 * 366

SKEW_AFTER = timedelta(seconds=120)
"""Clocks that are kept by NTP differ by less, with the time a record takes to Kafka on top."""

LATE, SKEW = "late_corrections", "clock_skew"
MEASURES = (LATE, SKEW)


def _hours(raw: Mapping[str, Any], where: str) -> float:
    settings = raw.get("arrivals") or {}
    if not isinstance(settings, dict) or set(settings) - {"late_after_hours"}:
        raise PlanError(f"{where}.arrivals: write {{late_after_hours: NUMBER}}, found {settings!r}")
    hours = settings.get("late_after_hours", LATE_AFTER_HOURS)
    if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not 0 < hours <= MOST_HOURS:
        raise PlanError(f"{where}.arrivals.late_after_hours: {hours!r} is no number of hours from 0 to {MOST_HOURS}")
    return hours


def declared(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The KPI file `raw` with the measures and KPIs of arrivals added; an id it declares itself stays as declared."""
    hours = _hours(raw, where)
    kpis = list(raw.get("kpis") or ())
    measures = dict(raw.get("measures") or {})
    for name in MEASURES:
        if name in measures:
            raise PlanError(f"{where}.measures.{name}: the name is taken by the arrivals' own measure; choose another")
    if kpis:
        measures |= _measures(hours)
        ids = {kpi.get("id") for kpi in kpis}
        owner = kpis[0].get("owner", "")
        kpis += [kpi for kpi in _kpis(raw.get("entity"), owner, hours) if kpi["id"] not in ids]
    return {**raw, "measures": measures, "kpis": kpis}


def _measures(hours: float) -> dict[str, Any]:
    """Each is a condition on one row; `select` says of which rows it is asked."""
    return {
        LATE: {
            "sql": f"event_time < kafka_time - toIntervalSecond({round(hours * 3600)})",
            "name": {"vi": "Đính chính muộn", "en": "Late corrections"},
        },
        SKEW: {
            "sql": f"event_time > kafka_time + toIntervalSecond({round(SKEW_AFTER.total_seconds())})",
            "name": {"vi": "Bản ghi lệch giờ", "en": "Records with a clock ahead"},
        },
    }


def _kpis(entity: Any, owner: str, hours: float) -> list[dict[str, Any]]:
    same = {
        "kind": "flow",
        "unit": {"vi": "bản ghi", "en": "records"},
        "direction": "down",
        "owner": owner,
        # Figures about the data, not of the province: listed, not among the tiles.
        "tile": False,
    }
    seconds = round(SKEW_AFTER.total_seconds())
    return [
        {
            "id": f"{entity}.{LATE}",
            "name": {"vi": "Đính chính muộn", "en": "Late corrections"},
            "explanation": {
                "vi": "Số bản ghi đến muộn làm thay đổi số liệu đã tính: có hiệu lực, rút lại trạng thái đã được tính "
                f"và có thời điểm sự kiện sớm hơn thời điểm đến quá {hours:g} giờ. Theo ngày đến.",
                "en": "Records that changed figures late: they took back a state that was counted, and their event "
                f"time lies more than {hours:g} hours before their arrival. By the day of arrival.",
            },
            "value": {"measure": LATE, "time": TIME},
            **same,
        },
        {
            "id": f"{entity}.{SKEW}",
            "name": {"vi": "Bản ghi lệch giờ", "en": "Records with a clock ahead"},
            "explanation": {
                "vi": f"Số bản ghi có thời điểm sự kiện muộn hơn thời điểm đến quá {seconds} giây (nhưng không quá 24 "
                "giờ, nếu quá thì bị cách ly): đồng hồ của hệ thống nguồn chạy trước. Theo ngày đến.",
                "en": f"Records whose event time lies more than {seconds} seconds after their arrival (and at most 24 "
                "hours, or they are quarantined): the source system's clock is ahead. By the day of arrival.",
            },
            "value": {"measure": SKEW, "time": TIME},
            **same,
        },
    ]


def select(changes_table: str, measures: Mapping[str, str], timezone: str) -> str:
    """The rows of `<entity>_by_arrival`; `measures` are SQL by name, `MEASURES` or some of them."""
    asked = {LATE: f"reason = '{TOOK_BACK}' AND ", SKEW: ""}
    conditions = {name: f"({asked[name]}{sql})" for name, sql in measures.items()}
    keys = ", ".join(f"`{name}`" for name in DIMENSIONS)
    # A record arrives once, also if its block was written twice.
    counts = ", ".join(
        f"toInt64(uniqExactIf((life, partition, `offset`), {condition})) AS `{name}`"
        for name, condition in conditions.items()
    )
    return (
        f"SELECT toDate(kafka_time, '{timezone}') AS day, {keys}, {counts} FROM {changes_table} "
        f"WHERE heal = 0 AND kind IN ('applied', 'deleted', 'superseded') AND ({' OR '.join(conditions.values())}) "
        f"GROUP BY day, {keys}"
    )
