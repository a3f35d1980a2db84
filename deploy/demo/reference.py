"""The portal's dossiers of a period, as columns: one row per dossier, one per event. Pure, deterministic by seed.

The figures of the meeting hold for the *final* states: share filed online, share with an electronic
result, online procedures with a dossier. Early revisions show other channels, results and dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from deploy.demo.lifecycle import DAY, DELETE, Compiled, compiled
from deploy.demo.names import people
from deploy.demo.province import AT_THE_COUNTER_NEARBY, Ward, province
from deploy.demo.worktime import LOCAL_OFFSET_S, WorkTime, local_midnight

REFERENCE_DOSSIERS = 100_000
REFERENCE_START = local_midnight(date(2022, 1, 1))
REFERENCE_END = local_midnight(date(2022, 10, 1)) - 1
STOCK_DOSSIERS = 3_000
MERGER = local_midnight(date(2025, 7, 1))

ONLINE_SHARE = 0.22
ELECTRONIC_SHARE = 0.095
PROCEDURES_WITH_DOSSIER = 347
"""347 of 1,213 online procedures are 28.61%."""
STOCK_ONLINE_SHARE = 0.583
STOCK_ELECTRONIC_SHARE = 0.364
STOCK_PROCEDURES = 812
"""This year's figures, after some years of work on them."""
LATE_SHARE = 0.035
NO_DUE_DATE_SHARE = 0.008
OLD_CODE_SHARE = 0.3
FULL_SPEED_WORKDAYS = 40
"""Shorter periods compress the life cycles, so that early in the year some have ended too."""
PROMISES_DAYS = (1, 2, 3, 5, 7, 10, 15, 20)
FEES = (None, 8_000, 15_000, 50_000, 100_000, 150_000, 500_000)

COUNTER, ONLINE, POST = 1, 2, 3

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Period:
    """What to generate. `start` and `end` in seconds since 1970; `tag` begins the event ids."""

    tag: str
    start: int
    end: int
    dossiers: int
    seed: int
    online_share: float = ONLINE_SHARE
    electronic_share: float = ELECTRONIC_SHARE
    procedures: int = PROCEDURES_WITH_DOSSIER
    """Online procedures with a counted online dossier."""

    @property
    def codeset(self) -> str:
        return "2025" if self.start >= MERGER else "2022"


@dataclass(frozen=True)
class History:
    """`events.dossier` is a row of `dossiers`; events are in the order of the feed. Times in seconds since 1970."""

    dossiers: pl.DataFrame
    events: pl.DataFrame


@dataclass
class _Paths:
    """Each dossier's way through its template."""

    template: Numbers
    late: Numbers
    promise_s: Numbers
    speed: float
    owner: Numbers
    """Dossier of each event."""
    step: Numbers
    worked: Numbers
    """Working seconds at each event since the start of the period."""
    begin: Numbers
    """First event of each dossier."""
    kept: Numbers
    """How many of its events lie within the period."""


def reference_period(seed: int, scale: float) -> Period:
    """The nine months of 2022."""
    count = max(50, round(REFERENCE_DOSSIERS * scale))
    return Period("r", REFERENCE_START, REFERENCE_END, count, seed)


def stock_period(seed: int, scale: float, start: int, end: int) -> Period:
    """This year's dossiers up to `end`."""
    count = max(50, round(STOCK_DOSSIERS * min(1.0, scale)))
    return Period("s", start, end, count, seed + 1, STOCK_ONLINE_SHARE, STOCK_ELECTRONIC_SHARE, STOCK_PROCEDURES)


def _walk(rng: np.random.Generator, work: WorkTime, count: int, plan: Compiled) -> _Paths:
    template = rng.choice(len(plan.weights), count, p=plan.weights)
    late_chance = np.where(plan.correction[template] == "l", 0.75, LATE_SHARE)
    late = rng.random(count) < late_chance
    speed = min(1.0, work.total / (FULL_SPEED_WORKDAYS * DAY))
    promise_s = rng.choice(PROMISES_DAYS, count) * DAY * speed
    duration = promise_s * np.where(late, rng.uniform(1.9, 3.2, count), rng.uniform(0.15, 0.65, count))
    length = plan.length[template]
    begin = np.concatenate(([0], np.cumsum(length)[:-1]))
    owner = np.repeat(np.arange(count), length)
    step = np.arange(len(owner)) - begin[owner]
    flat = plan.first[template][owner] + step
    fixed = plan.least[flat] + rng.random(len(flat)) * plan.spread[flat]
    waits = fixed * speed + plan.share[flat] * duration[owner] * rng.uniform(0.6, 1.4, len(flat))
    waits = np.where(step == 0, 0, np.maximum(waits, 2))
    total = np.cumsum(waits)
    arrival = rng.random(count) * work.total
    worked = np.floor(total - total[begin][owner] + arrival[owner])
    kept = np.bincount(owner[(worked <= work.total) | (step == 0)], minlength=count)
    return _Paths(template, late, promise_s, speed, owner, step, worked, begin, kept)


def _due_moments(paths: _Paths, work: WorkTime, plan: Compiled) -> list[Numbers]:
    """The three due dates of each dossier: as promised, shifted by the supplement, promised anew."""
    template, begin, worked = paths.template, paths.begin, paths.worked
    last = len(worked) - 1
    promised = worked[np.minimum(begin + 1, last)] + paths.promise_s
    supplement = plan.supplement_at[template]
    at = begin + np.maximum(supplement, 0)
    shift = np.where(supplement >= 0, worked[np.minimum(at + 1, last)] - worked[at], 0)
    anew = worked[begin + np.maximum(plan.reopened_at[template], 0)] + paths.promise_s
    return [work.at(np.floor(due)) for due in (promised, promised + shift, anew)]


def _zipf(count: int, exponent: float) -> Numbers:
    weights = 1.0 / np.arange(1, count + 1) ** exponent
    return np.asarray(weights / weights.sum())


def _procedures(rng: np.random.Generator, online: Numbers, counted: Numbers, used: int) -> Numbers:
    """Row of the procedure table per dossier; counted online ones cover `used` online procedures exactly."""
    is_online = province().procedures["online"].to_numpy()
    online_rows = rng.permutation(np.flatnonzero(is_online))
    all_rows = rng.permutation(len(is_online))
    chosen = all_rows[rng.choice(len(all_rows), len(online), p=_zipf(len(all_rows), 0.8))]
    chosen = np.where(online, online_rows[rng.integers(0, len(online_rows), len(online))], chosen)
    counted_online = np.flatnonzero(online & counted)
    spread = rng.choice(used, len(counted_online), p=_zipf(used, 0.9))
    spread[:used] = np.arange(used)[: len(spread)]
    chosen[counted_online] = online_rows[rng.permutation(spread)]
    return np.asarray(chosen)


def _exactly(rng: np.random.Generator, among: Numbers, share: float) -> Numbers:
    """A mask with `share` of the members of `among` (a mask), and about as many of the others."""
    mask = rng.random(len(among)) < share
    members = np.flatnonzero(among)
    mask[members] = False
    mask[rng.choice(members, round(share * len(members)), replace=False)] = True
    return np.asarray(mask)


def _keys(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `key`: unit, day and the day's number; two formats. Expects org, filed, old_code."""
    day = pl.from_epoch(pl.col("filed") + LOCAL_OFFSET_S, time_unit="s").dt.strftime("%y%m%d")
    number = (pl.int_range(pl.len()).over("org", "day", "old_code") + 1).cast(pl.String).str.zfill(4)
    old = pl.concat_str(pl.lit("000."), pl.col("org").str.slice(4), pl.lit(".22.H53"))
    unit = pl.when("old_code").then(old).otherwise("org")
    return frame.with_columns(day=day).with_columns(key=pl.concat_str(unit, "day", number, separator="-"))


def _dossiers(
    rng: np.random.Generator, period: Period, channel: Numbers, procedure: Numbers, filed: Numbers
) -> pl.DataFrame:
    """One row per dossier with everything that does not change along its life."""
    count = len(channel)
    wards: tuple[Ward, ...] = province().wards[period.codeset]
    ward = rng.integers(0, len(wards), count)
    folk = people(rng, max(1, count * 7 // 10))
    applicant = folk[rng.integers(0, len(folk), count)]
    table = province().procedures[procedure]
    nearby = table["field"].is_in(AT_THE_COUNTER_NEARBY) & pl.Series(rng.random(count) < 0.7)
    frame = table.select("code", "field", "level", "org_code").with_columns(
        applicant["name"],
        applicant["cccd"],
        applicant["phone"],
        ward=pl.Series([item.code for item in wards]).gather(ward),
        local_org=pl.Series([item.org for item in wards]).gather(ward),
        nearby=nearby,
        channel=pl.Series(channel, dtype=pl.UInt8),
        filed=pl.Series(filed, dtype=pl.Int64),
        fee=pl.Series(FEES, dtype=pl.Int64).gather(rng.integers(0, len(FEES), count)),
        digitised=pl.Series(rng.random(count) < 0.85),
        rating=pl.Series(rng.choice((5, 5, 5, 4, 4, 3, 2, 1), count), dtype=pl.UInt8),
        old=pl.Series(rng.random(count) < OLD_CODE_SHARE),
        long_form=pl.Series(rng.random(count) < 0.5),
    )
    frame = frame.with_columns(org=pl.when("nearby").then("local_org").otherwise("org_code"))
    frame = frame.with_columns(old_code=pl.col("old") & (pl.col("org").str.len_chars() == 6))
    suffix = pl.when("long_form").then(pl.lit(".000.00.00.H53")).otherwise(pl.lit(".H53"))
    frame = _keys(frame).with_columns(portal_code=pl.concat_str("code", suffix))
    return frame.drop("old", "long_form", "nearby", "local_org", "org_code", "day", "old_code")


def generate(period: Period) -> History:
    """All dossiers and events of a period."""
    rng = np.random.default_rng([period.seed, 2022])
    plan, work = compiled(), WorkTime(period.start, period.end)
    paths = _walk(rng, work, period.dossiers, plan)
    template, begin, owner = paths.template, paths.begin, paths.owner
    moment = work.at(np.minimum(paths.worked, work.total + 300 * DAY))
    final = plan.first[template] + plan.winner[plan.first[template] + paths.kept - 1]
    lives = plan.op[final] != DELETE
    counted = lives & (plan.received[final] >= 0) & ~np.isin(plan.status[final], (1, 3))
    finished = lives & plan.finished[final]
    online = _exactly(rng, counted, period.online_share)
    channel = np.where(online, ONLINE, np.where(rng.random(len(online)) < 0.05, POST, COUNTER))
    electronic = _exactly(rng, finished, period.electronic_share)
    procedure = _procedures(rng, online, counted, period.procedures)
    evening = np.where(online, rng.integers(0, 36_000, len(online)), 0)
    moment[begin] = np.maximum(moment[begin] - evening, np.minimum(period.start, moment[begin]))
    dossiers = _dossiers(rng, period, channel, procedure, moment[begin])
    extras = {
        "electronic": electronic,
        "paid": online & (rng.random(len(online)) < 0.4),
        "rates": rng.random(len(online)) < 0.25,
        "no_due": rng.random(len(online)) < NO_DUE_DATE_SHARE,
    }
    chosen = paths.step < paths.kept[owner]
    events = _events(paths, plan, moment, _due_moments(paths, work, plan), channel, extras, chosen)
    return History(dossiers, events.sort("at", "dossier", "step"))


def _events(
    paths: _Paths,
    plan: Compiled,
    moment: Numbers,
    dues: list[Numbers],
    channel: Numbers,
    extras: dict[str, Numbers],
    chosen: Numbers,
) -> pl.DataFrame:
    """The rows of all chosen events: what the dossier shows at each."""
    owner, step = paths.owner[chosen], paths.step[chosen]
    template, begin = paths.template[owner], paths.begin[owner]
    flat = plan.first[template] + step
    at = moment[chosen]
    corrected_at = plan.corrected_at[template]
    wrong = plan.wrong[flat] & (corrected_at >= 0) & (paths.kept[owner] > corrected_at)
    kind = plan.correction[template]

    def moment_of(number: Numbers) -> Numbers:
        return np.where(number >= 0, moment[begin + np.maximum(number, 0)], -1)

    shown_due = np.choose(plan.due[flat], [np.full(len(at), -1), *(due[owner] for due in dues)])
    due = np.where(extras["no_due"][owner], -1, shown_due)
    ended = moment_of(plan.ended[flat])
    in_time = np.minimum(ended, dues[0][owner] - 3600)
    ended = np.where(wrong & (kind == "l") & plan.finished[flat], in_time, ended)
    shown = channel[owner]
    shown = np.where(wrong & (kind == "c"), np.where(shown == ONLINE, COUNTER, ONLINE), shown)
    electronic = (extras["electronic"][owner] ^ (wrong & (kind == "e"))) & plan.finished[flat]
    returned = moment_of(plan.returned[flat])
    status = plan.status[flat]
    frame = pl.DataFrame(
        {
            "dossier": owner.astype(np.uint32),
            "step": step.astype(np.uint8),
            "revision": plan.revision[flat],
            "op": plan.op[flat],
            "at": at,
            "status": status,
            "channel": shown.astype(np.uint8),
            "received": moment_of(plan.received[flat]),
            "due": due,
            "ended": ended,
            "returned": returned,
            "electronic": electronic,
            "paid": extras["paid"][owner] & np.isin(status, (6, 9, 10)),
            "rated": plan.rated[flat] | (extras["rates"][owner] & (returned >= 0)),
        }
    )
    moments = ("received", "due", "ended", "returned")
    return frame.with_columns(pl.when(pl.col(name) >= 0).then(pl.col(name)).alias(name) for name in moments)
