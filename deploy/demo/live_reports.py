"""Live cases of the 1022 system: new reports, and open ones of this year's stock being processed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from deploy.demo.ledger import Raw
from deploy.demo.live import Case
from deploy.demo.local_time import iso
from deploy.demo.reports import ALLOWED_S, Report, new_report, unit_of

LIVES = (
    ("new", "received", "forwarded", "begun", "resolved", "closed"),
    ("new", "received", "forwarded", "begun", "resolved", "closed"),
    ("new", "received", "forwarded", "begun", "resolved", "closed"),
    ("new", "received", "forwarded", "begun", "extended", "resolved", "closed"),
    ("new", "received", "forwarded", "begun", "resolved", "reopened", "resolved", "closed"),
    ("new", "received", "forwarded", "begun", "resolved", "postdated"),
    ("new", "received", "duplicate"),
    ("new", "received", "rejected"),
    ("new", "received", "forwarded", "begun", "resolved", "deleted", "restored", "closed"),
)
OPEN_LIFE = ("resolved", "closed")
FINISH_EVERY = 3
"""Each so-manieth case processes a report of the stock."""
FIRST_NUMBER = 5000
"""Numbers of live reports begin here, above those of the stock."""
SHORT_NOTICE_S = 20
SHORT_NOTICE_SHARE = 0.15
"""So many live reports are due within seconds, so that some are late."""
FINAL = ("da_xu_ly", "dong", "tu_choi", "trung")


class LiveReport:
    """A report's remaining steps."""

    def __init__(self, seed: int, number: int, report: Report | None, life: tuple[str, ...]) -> None:
        self._rng = random.Random(f"{seed}:{number}:report")
        self._number = number
        self._report = report
        self._life = life
        self._short_notice = self._rng.random() < SHORT_NOTICE_SHARE

    @property
    def length(self) -> int:
        return len(self._life)

    def _begin(self, received: int) -> Report:
        return new_report(self._rng, "l", FIRST_NUMBER + self._number, received)

    def restore(self, step: int, at: int, raw: Raw) -> None:
        if self._report is None:
            self._report = self._begin(at)
        self._report.state = {**raw, "id": self._report.state["id"]}
        self._report.revision = raw["phien_ban"]
        self._report.events.append(raw)

    def _change(self, kind: str, report: Report, now: int) -> tuple[str, dict[str, Any]]:
        """The action and the fields of one step."""
        allowed = SHORT_NOTICE_S if self._short_notice else ALLOWED_S[report.state["muc_do"]]
        changes: dict[str, dict[str, Any]] = {
            "received": {"trang_thai": "tiep_nhan", "han_xu_ly": iso(now + allowed)},
            "forwarded": {"trang_thai": "chuyen_xu_ly", "don_vi": unit_of(report)},
            "begun": {"trang_thai": "dang_xu_ly"},
            "extended": {"gia_han": report.state["gia_han"] + 1, "han_xu_ly": iso(now + 2 * allowed)},
            "resolved": {"trang_thai": "da_xu_ly", "xu_ly_luc": iso(now)},
            "reopened": {"trang_thai": "dang_xu_ly", "xu_ly_luc": None},
            "closed": {"trang_thai": "dong", "danh_gia": 4 + self._number % 2},
            "postdated": {"han_xu_ly": report.state["nhan_luc"]},
            "duplicate": {"trang_thai": "trung"},
            "rejected": {"trang_thai": "tu_choi"},
        }
        action = {"postdated": "dinhchinh", "deleted": "xoa"}.get(kind, "capnhat")
        return action, changes.get(kind, {})

    def play(self, step: int, now: int) -> Raw:
        if self._report is None:
            self._report = self._begin(now)
        action, fields = self._change(self._life[step], self._report, now)
        self._report.change(now, action, in_place=action == "dinhchinh", **fields)
        return self._report.events[-1]


def open_reports_of(events: list[Raw]) -> list[list[Raw]]:
    """The events of each open report of the stock, the oldest report first."""
    by_key: dict[str, list[Raw]] = defaultdict(list)
    for event in events:
        if event["id"].startswith("evt-s"):
            by_key[event["ma"]].append(event)
    return [
        past
        for _, past in sorted(by_key.items())
        if past[-1]["trang_thai"] not in FINAL and past[-1]["hanh_dong"] != "xoa"
    ]


def report_cases(seed: int, events: list[Raw]) -> Callable[[int], Case]:
    """Case number → case. `events`: the history in the order of time."""
    waiting = open_reports_of(events)

    def begin(number: int) -> Case:
        place, rest = divmod(number, FINISH_EVERY)
        if rest == FINISH_EVERY - 1 and place < len(waiting):
            past = waiting[place]
            state = {**past[-1], "id": past[-1]["id"].rpartition("-")[0]}
            return LiveReport(seed, number, Report(state, past[-1]["phien_ban"], list(past)), OPEN_LIFE)
        life = random.Random(f"{seed}:{number}:life").choice(LIVES)
        return LiveReport(seed, number, None, life)

    return begin
