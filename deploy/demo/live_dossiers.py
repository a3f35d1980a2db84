"""Live cases of the portal: new dossiers, and open ones of this year's stock being finished."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl

from deploy.demo.feed import ACTIONS, records
from deploy.demo.ledger import Raw
from deploy.demo.lifecycle import Step, steps_of
from deploy.demo.live import Case
from deploy.demo.local_time import iso
from deploy.demo.names import person
from deploy.demo.province import AT_THE_COUNTER_NEARBY, province
from deploy.demo.reference import COUNTER, FEES, MERGER, ONLINE, POST, PROMISES_DAYS, History
from deploy.demo.worktime import LOCAL

LIVES = (
    ("RAPPFT",) * 5
    + ("RAPFTQ",) * 3
    + ("RAPSsPFT", "RAPNPFT", "RX", "RAPW", "RAPPFTe", "RAPPFTC", "RAPFTOPFT", "RAPFTDU")
)
CHANNELS = (ONLINE,) * 6 + (COUNTER,) * 4 + (POST,)
FINISH_EVERY = 4
"""Each so-manieth case finishes a dossier of the stock."""
FIRST_NUMBER = 5000
"""Daily numbers of live dossiers begin here, above those of the stock."""
DAY = 86_400
OPEN_STATUSES = (2, 4, 5, 6)


def slashed(second: int | None) -> str | None:
    if second is None:
        return None
    return datetime.fromtimestamp(second, tz=UTC).astimezone(LOCAL).strftime("%d/%m/%Y %H:%M:%S")


class NewDossier:
    """A dossier from its registration on."""

    def __init__(self, seed: int, number: int) -> None:
        self._rng = rng = random.Random(f"{seed}:{number}:dossier")
        self._number = number
        template = rng.choice(LIVES)
        self._path: list[Step] = steps_of(template)
        self._wrong_kind = next((kind.lower() for kind in template if kind in "CEce"), "")
        table = province().procedures
        self._channel = rng.choice(CHANNELS)
        if self._channel == ONLINE:
            table = table.filter(pl.col("online") == 1)
        self._procedure = table.row(rng.randrange(table.height), named=True)
        self._electronic = rng.random() < 0.4
        self._name, self._cccd, self._phone = person(rng)
        self._promise_s = rng.choice(PROMISES_DAYS) * DAY
        self._fee = rng.choice(FEES)
        self._paid = self._channel == ONLINE and rng.random() < 0.5
        self._rating = rng.choice((5, 5, 4, 3, None))
        self._place = rng.random()
        self._moments: list[int] = []
        self._unchanging: Raw = {}

    @property
    def length(self) -> int:
        return len(self._path)

    def restore(self, step: int, at: int, raw: Raw) -> None:
        self._moments.append(at)
        if step == 0:
            self._unchanging = self._identity(at)

    def _identity(self, filed: int) -> Raw:
        wards = province().wards["2025" if filed >= MERGER else "2022"]
        ward = wards[int(self._place * len(wards))]
        field = self._procedure["field"]
        org = ward.org if field in AT_THE_COUNTER_NEARBY else self._procedure["org_code"]
        day = datetime.fromtimestamp(filed, tz=UTC).astimezone(LOCAL)
        suffix = ".000.00.00.H53" if self._number % 2 else ".H53"
        return {
            "maHoSo": f"{org}-{day:%y%m%d}-{FIRST_NUMBER + self._number:04d}",
            "maDonVi": org,
            "maTTHC": self._procedure["code"] + suffix,
            "linhVuc": field,
            "mucDo": self._procedure["level"],
            "ngayNop": slashed(filed),
            "lePhi": self._fee,
            "soHoaThanhPhan": self._place < 0.9,
            "maXa": ward.code,
            "nguoiNop": {"hoTen": self._name, "cccd": self._cccd, "dienThoai": self._phone},
        }

    def _due(self, step: Step) -> int | None:
        if step.due == 0:
            return None
        supplied = next((n for n, s in enumerate(self._path) if s.kind == "s"), 0) if step.due == 2 else 0
        reopened = next((n for n, s in enumerate(self._path) if s.kind == "O"), 0) if step.due == 3 else 0
        return self._moments[max(1, supplied, reopened)] + self._promise_s

    def play(self, step: int, now: int) -> Raw:
        if step == 0:
            self._unchanging = self._identity(now)
        self._moments.append(now)
        shows = self._path[step]
        wrong = shows.wrong and shows.finished
        channel = self._channel
        if self._wrong_kind == "c" and wrong:
            channel = COUNTER if channel == ONLINE else ONLINE

        def moment(number: int) -> str | None:
            return slashed(self._moments[number]) if number >= 0 else None

        return {
            "maSuKien": f"dvc-l{self._number:06d}-{step:02d}",
            "phienBan": shows.revision,
            "hanhDong": ACTIONS[shows.op],
            "capNhatLuc": iso(now),
            "kenh": channel,
            "trangThai": shows.status,
            "ngayTiepNhan": moment(shows.received),
            "ngayHenTra": slashed(self._due(shows)),
            "ngayKetThuc": moment(shows.ended),
            "ngayTraKetQua": moment(shows.returned),
            "thanhToanTrucTuyen": self._paid and shows.status in (6, 9, 10),
            "ketQuaDienTu": (self._electronic ^ (wrong and self._wrong_kind == "e")) and shows.finished,
            "danhGia": self._rating if shows.rated else None,
            **self._unchanging,
        }


class OpenDossier:
    """A dossier of the stock that is finished, then returned."""

    length = 2

    def __init__(self, seed: int, number: int, last: Raw) -> None:
        self._electronic = random.Random(f"{seed}:{number}:open").random() < 0.4
        self._last = last

    def restore(self, step: int, at: int, raw: Raw) -> None:
        self._last = raw

    def play(self, step: int, now: int) -> Raw:
        event_id, _, suffix = self._last["maSuKien"].rpartition("-")
        change: dict[str, Any] = {"trangThai": 9, "ngayKetThuc": slashed(now), "ketQuaDienTu": self._electronic}
        if step == 1:
            change = {"trangThai": 10, "ngayTraKetQua": slashed(now), "danhGia": 5}
        self._last = {
            **self._last,
            "maSuKien": f"{event_id}-{int(suffix) + 1:02d}",
            "phienBan": self._last["phienBan"] + 1,
            "hanhDong": "capnhat",
            "capNhatLuc": iso(now),
            **change,
        }
        return self._last


def open_stock(history: History) -> list[Raw]:
    """The last records of the stock's open dossiers, those due first at the front."""
    last = history.events.with_row_index("row").sort("dossier", "step").unique("dossier", keep="last")
    rows = last.filter(pl.col("status").is_in(OPEN_STATUSES) & (pl.col("op") != 2)).sort("due", "dossier")["row"]
    chosen = History(history.dossiers, history.events[rows])
    return list(orjson.loads(records(chosen, "s", 0, len(rows)).write_json()))


def dossier_cases(seed: int, stock: History) -> Callable[[int], Case]:
    """Case number → case."""
    waiting = open_stock(stock)

    def begin(number: int) -> Case:
        place, rest = divmod(number, FINISH_EVERY)
        if rest == FINISH_EVERY - 1 and place < len(waiting):
            return OpenDossier(seed, number, waiting[place])
        return NewDossier(seed, number)

    return begin
