"""The 1022 system's reports of a period as raw events with whole life cycles. Pure, deterministic by seed.

Of the nine months of 2022: 493 received, 380 of them processed, 275 of those on time; on top of them
duplicates, rejected and deleted ones.
"""

from __future__ import annotations

import random
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploy.demo.local_time import iso
from deploy.demo.names import REPORTS, person
from deploy.demo.province import Ward, province
from deploy.demo.reference import MERGER, REFERENCE_END, REFERENCE_START
from deploy.demo.worktime import LOCAL

Raw = dict[str, Any]

RECEIVED, PROCESSED, ON_TIME = 493, 380, 275
DUPLICATES, REJECTED, DELETED = 31, 24, 12
NO_DUE_DATE = 6
"""Processed without a due date: they count as on time."""

MINUTE, HOUR, DAY = 60, 3600, 86_400
ALLOWED_S = {"khan": DAY, "thuong": 5 * DAY, "phuc_tap": 15 * DAY}
FULL_SPEED_S = 120 * DAY
"""Shorter periods compress the life cycles."""
LONGEST_S = 34 * DAY
"""A processed report is received at least so long before the end of the period."""
URGENCIES = ("thuong", "thuong", "thuong", "thuong", "khan", "phuc_tap")
CHANNELS = ("app", "app", "app", "1022", "1022", "zalo", "web")
ACTIONS = ("capnhat", "dinhchinh", "xoa")


@dataclass(frozen=True, slots=True)
class Mix:
    """How many reports of each outcome."""

    on_time: int
    late: int
    open: int
    duplicates: int
    rejected: int
    deleted: int

    def scaled(self, scale: float) -> Mix:
        return Mix(*(max(1, round(count * scale)) for count in astuple(self)))


REFERENCE_MIX = Mix(ON_TIME, PROCESSED - ON_TIME, RECEIVED - PROCESSED, DUPLICATES, REJECTED, DELETED)
STOCK_MIX = Mix(on_time=231, late=32, open=34, duplicates=18, rejected=11, deleted=6)
"""This year's, after some years of work on them."""


@dataclass
class Report:
    """A report being lived through; each change appends its whole state to `events`."""

    state: Raw
    revision: int = 0
    events: list[Raw] = field(default_factory=list)

    def change(self, second: int, action: str = "capnhat", in_place: bool = False, **fields: Any) -> None:
        self.revision += 0 if in_place else 1
        self.state |= fields
        number = len(self.events)
        self.events.append(
            {
                "id": f"{self.state['id']}-{number:02d}",
                **{key: value for key, value in self.state.items() if key != "id"},
                "phien_ban": self.revision,
                "hanh_dong": action,
                "cap_nhat_luc": iso(second),
            }
        )


def new_report(rng: random.Random, tag: str, number: int, received: int) -> Report:
    """A report as it arrives, before its first event."""
    ward: Ward = rng.choice(province().wards["2025" if received >= MERGER else "2022"])
    name, _cccd, phone = person(rng)
    topic = rng.choice(list(REPORTS))
    day = datetime.fromtimestamp(received, tz=UTC).astimezone(LOCAL)
    return Report(
        {
            "id": f"evt-{tag}{number:05d}",
            "ma": f"PA-{day:%y%m%d}-{number:04d}",
            "kenh": rng.choice(CHANNELS),
            "linh_vuc": topic,
            "muc_do": rng.choice(URGENCIES),
            "trang_thai": "moi",
            "don_vi": "H53.15",
            "nhan_luc": iso(received),
            "han_xu_ly": None,
            "xu_ly_luc": None,
            "gia_han": 0,
            "vi_do": round(ward.latitude + rng.uniform(-0.01, 0.01), 6),
            "kinh_do": round(ward.longitude + rng.uniform(-0.01, 0.01), 6),
            "danh_gia": None,
            "ma_xa": ward.code,
            "noi_dung": f"{rng.choice(REPORTS[topic])}. Liên hệ {name}, {phone}.",
            "nguoi_phan_anh": {"ho_ten": name, "dien_thoai": phone},
        }
    )


def unit_of(report: Report) -> str:
    """Who has to act: the district or commune of the place."""
    wards = [ward for table in province().wards.values() for ward in table if ward.code == report.state["ma_xa"]]
    received = datetime.fromisoformat(report.state["nhan_luc"]).timestamp()
    return wards[-1 if received >= MERGER else 0].org


class _Author:
    """Writes the reports of one period; times are seconds since 1970, waits shrink with the period."""

    def __init__(self, rng: random.Random, tag: str, start: int, end: int) -> None:
        self._rng = rng
        self._tag = tag
        self._start, self._end = start, end
        self._speed = min(1.0, (end - start) / FULL_SPEED_S)
        self._number = 0
        self.events: list[Raw] = []

    def _wait(self, least: float, most: float) -> int:
        return max(1, int(self._rng.uniform(least, most) * self._speed))

    def _begin(self, spare_s: float) -> tuple[Report, int]:
        """A new report and the moment of its last change; it leaves `spare_s` to the end of the period."""
        self._number += 1
        last = max(self._start, self._end - int(spare_s * self._speed) - 1)
        received = self._rng.randint(self._start, last)
        report = new_report(self._rng, self._tag, self._number, received)
        report.change(received)
        return report, received

    def _accept(self, report: Report, now: int) -> tuple[int, int]:
        """Received, forwarded and begun within minutes; returns the moment and the due moment."""
        now += self._wait(2 * MINUTE, 9 * MINUTE)
        due = now + int(ALLOWED_S[report.state["muc_do"]] * self._speed)
        report.change(now, trang_thai="tiep_nhan", han_xu_ly=iso(due))
        now += self._wait(2 * MINUTE, 9 * MINUTE)
        report.change(now, trang_thai="chuyen_xu_ly", don_vi=unit_of(report))
        now += self._wait(2 * MINUTE, 3 * HOUR)
        report.change(now, trang_thai="dang_xu_ly")
        return now, due

    def _extend(self, report: Report, now: int, due: int) -> tuple[int, int]:
        now += self._wait(MINUTE, HOUR)
        due += int(2 * DAY * self._speed)
        report.change(now, gia_han=report.state["gia_han"] + 1, han_xu_ly=iso(due))
        return now, due

    def processed(self, on_time: bool, no_due: bool) -> None:
        rng = self._rng
        report, now = self._begin(LONGEST_S)
        now, due = self._accept(report, now)
        if rng.random() < 0.1:
            now, due = self._extend(report, now, due)
        if no_due:
            now += 1
            report.change(now, "dinhchinh", han_xu_ly=None)
        if rng.random() < 0.05:
            now = self._resolve_in_vain(report, now, due)
        resolved = rng.randint(now + 1, max(now + 1, due)) if on_time else due + self._wait(HOUR, 12 * DAY)
        resolved = max(resolved, now + 1)
        if not on_time and rng.random() < 0.1:
            # Reported as on time at first; the correction takes that back.
            early = min(due, resolved)
            report.change(resolved, trang_thai="da_xu_ly", xu_ly_luc=iso(early))
            resolved_at = resolved
            resolved += 1
            report.change(resolved, "dinhchinh", in_place=rng.random() < 0.5, xu_ly_luc=iso(resolved_at))
        else:
            report.change(resolved, trang_thai="da_xu_ly", xu_ly_luc=iso(resolved))
        self._close(report, resolved)

    def _resolve_in_vain(self, report: Report, now: int, due: int) -> int:
        """Resolved, and re-opened because the citizen objected."""
        now = min(now + self._wait(MINUTE, 2 * HOUR), max(now + 1, due - 3))
        report.change(now, trang_thai="da_xu_ly", xu_ly_luc=iso(now))
        now += 1
        report.change(now, trang_thai="dang_xu_ly", xu_ly_luc=None)
        return now

    def _close(self, report: Report, now: int) -> None:
        rng = self._rng
        if rng.random() < 0.75:
            now += self._wait(5 * MINUTE, DAY)
            report.change(now, trang_thai="dong", danh_gia=rng.choice((5, 5, 4, 4, 3, 2, 1, None)))
        if rng.random() < 0.03:
            now += self._wait(5 * MINUTE, HOUR)
            report.change(now, "xoa", in_place=rng.random() < 0.5)
            now += self._wait(5 * MINUTE, DAY)
            report.change(now)
        self.events += report.events

    def open(self) -> None:
        report, now = self._begin(LONGEST_S if self._rng.random() < 0.2 else DAY)
        if self._rng.random() < 0.9:
            now, due = self._accept(report, now)
            for _ in range(self._rng.choice((0, 0, 1, 2))):
                now, due = self._extend(report, now, due)
        self.events += report.events

    def dismissed(self, status: str) -> None:
        report, now = self._begin(3 * DAY)
        now += self._wait(2 * MINUTE, 9 * MINUTE)
        report.change(now, trang_thai="tiep_nhan")
        now += self._wait(5 * MINUTE, DAY)
        report.change(now, trang_thai=status)
        self.events += report.events

    def deleted(self) -> None:
        report, now = self._begin(LONGEST_S)
        now, due = self._accept(report, now)
        if self._rng.random() < 0.5:
            now = self._rng.randint(now + 1, max(now + 1, due))
            report.change(now, trang_thai="da_xu_ly", xu_ly_luc=iso(now))
        now += self._wait(5 * MINUTE, DAY)
        report.change(now, "xoa", in_place=self._rng.random() < 0.5)
        self.events += report.events


def write_reports(seed: int, tag: str, start: int, end: int, mix: Mix) -> list[Raw]:
    """All events of a period in the order of their time."""
    author = _Author(random.Random(f"{seed}:{tag}:reports"), tag, start, end)
    for number in range(mix.on_time):
        author.processed(on_time=True, no_due=number < min(NO_DUE_DATE, mix.on_time // 10))
    for _ in range(mix.late):
        author.processed(on_time=False, no_due=False)
    for _ in range(mix.open):
        author.open()
    for _ in range(mix.duplicates):
        author.dismissed("trung")
    for _ in range(mix.rejected):
        author.dismissed("tu_choi")
    for _ in range(mix.deleted):
        author.deleted()
    return sorted(author.events, key=lambda event: (event["cap_nhat_luc"], event["id"]))


def reference_reports(seed: int, scale: float) -> list[Raw]:
    """The nine months of 2022."""
    return write_reports(seed, "r", REFERENCE_START, REFERENCE_END, REFERENCE_MIX.scaled(scale))


def stock_reports(seed: int, scale: float, start: int, end: int) -> list[Raw]:
    """This year's reports up to `end`."""
    return write_reports(seed, "s", start, end, STOCK_MIX.scaled(min(1.0, scale)))
