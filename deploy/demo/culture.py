"""System 11, culture, sport and tourism: a CSV file of each venue, in windows-1258 here and UTF-8 with a mark there."""

from __future__ import annotations

import csv
import random
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from deploy.demo.file_drop import FolderSimulator, csv_text, drop_folder, grouped
from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.simulation import Sample, Simulator, Site, Stage, System, Totals
from deploy.demo.tally import Row, count, final_states, of_period, share, utc
from deploy.demo.windows_1258 import encode
from deploy.demo.worktime import LOCAL, local_date, local_midnight

ID = "culture-visits"
VENUES = Path(__file__).parents[2] / "schemas" / "codes" / "venue.csv"
HEADER = (
    *("Mã điểm", "Loại điểm", "Ngày báo cáo", "Lượt khách", "Khách quốc tế", "Khách lưu trú", "Doanh thu (đồng)"),
    *("Mã xã", "Đơn vị quản lý", "Ghi nhận lúc", "Thao tác"),
)
KEYS = (
    "ma_diem",
    "loai",
    "ngay",
    "luot_khach",
    "quoc_te",
    "luu_tru",
    "doanh_thu",
    "ma_xa",
    "don_vi",
    "ghi_luc",
    "thao_tac",
)
KINDS = {
    "TOURIST_SITE": "Khu, điểm du lịch",
    "HERITAGE_SITE": "Di tích",
    "MUSEUM": "Bảo tàng",
    "LIBRARY": "Thư viện",
    "THEATRE": "Nhà hát",
    "STADIUM": "Sân vận động",
    "LODGING": "Lưu trú",
}
OPS = {"": "UPSERT", "Cập nhật": "UPSERT", "Đính chính": "CORRECT", "Xóa": "DELETE"}
MERGER = date(2025, 7, 1)
UNIT = "H53.17"


@lru_cache(maxsize=1)
def venues() -> tuple[dict[str, str], ...]:
    with VENUES.open(encoding="utf-8", newline="") as handle:
        return tuple(csv.DictReader(handle))


def _row(rng: random.Random, venue: dict[str, str], day: date, now: int) -> Raw:
    """A day's report, written down at eight the next morning, or `now` where the morning is yet to come."""
    visits = rng.randint(20, 6000 if venue["kind"] == "TOURIST_SITE" else 400)
    abroad = rng.randint(0, visits // 20)
    nights = rng.randint(0, visits) if venue["kind"] == "LODGING" else 0
    morning = local_midnight(day + timedelta(days=1)) + 8 * 3600 + 60 * rng.randint(0, 59)
    written = datetime.fromtimestamp(min(morning, now), LOCAL)
    return {
        "ma_diem": venue["code"],
        "loai": KINDS[venue["kind"]],
        "ngay": f"{day:%d/%m/%Y}" if rng.random() < 0.8 else f"{day.day}/{day.month}/{day.year}",
        "luot_khach": grouped(visits),
        "quoc_te": str(abroad),
        "luu_tru": str(nights),
        "doanh_thu": grouped(visits * rng.randint(5, 40) * 1000),
        "ma_xa": venue["admin_code"],
        "don_vi": UNIT,
        "ghi_luc": f"{written:%d/%m/%Y %H:%M}",
        "thao_tac": "",
    }


def _in_force(day: date) -> list[dict[str, str]]:
    return [
        each
        for each in venues()
        if each["valid_from"] <= f"{day}" and (not each["valid_to"] or f"{day}" <= each["valid_to"])
    ]


def _file(rng: random.Random, venue: dict[str, str], month: tuple[int, int], last: date, now: int) -> Raw:
    """A venue's days of a month up to `last`."""
    day, rows = date(*month, 1), []
    while day <= last and day.month == month[1]:
        rows.append(_row(rng, venue, day, now))
        day += timedelta(days=1)
    return {"tep": f"khach-{venue['code']}-{month[0]}-{month[1]:02d}.csv", "dong": rows}


def write_history(origin: Origin) -> list[Raw]:
    """A file of each venue and month; then corrections of some days, and one report that is withdrawn."""
    rng = random.Random(f"{origin.seed}:{ID}")
    today = local_date(origin.anchor)
    spans = [((2022, month), date(2022, 9, 30)) for month in range(1, 10)]
    spans += [((today.year, month), today - timedelta(days=1)) for month in range(1, today.month + 1)]
    chosen = max(2, round(len(_in_force(today)) * min(1.0, max(origin.scale, 0.2))))
    files = [
        made
        for month, last in spans
        for venue in _in_force(date(*month, 1))[:chosen]
        if (made := _file(rng, venue, month, last, origin.anchor))["dong"]
    ]
    corrected = [_again(rng, files[number], "Đính chính") for number in (0, 3)]
    return _numbered([*files, *corrected, _again(rng, files[1], "Xóa", count_of=1)])


def _again(rng: random.Random, file: Raw, action: str, count_of: int = 5) -> Raw:
    rows = [old | {"luot_khach": grouped(rng.randint(20, 900)), "thao_tac": action} for old in file["dong"][:count_of]]
    return {"tep": file["tep"].replace(".csv", f"-{'xoa' if action == 'Xóa' else 'sua'}.csv"), "dong": rows}


def _numbered(files: list[Raw]) -> list[Raw]:
    return [file | {"stt": number} for number, file in enumerate(files)]


def content(raw: Raw) -> bytes:
    """As the venue's computer saves it: by turns in windows-1258 and in UTF-8 with a byte order mark."""
    text = csv_text(HEADER, [[row[key] for key in KEYS] for row in raw["dong"]])
    return text.encode("utf-8-sig") if raw["stt"] % 2 else encode(text)


class LiveReport:
    """Yesterday's report of a venue, sent again and again with other figures. See `deploy.demo.live.Case`."""

    length = 1

    def __init__(self, seed: int, number: int) -> None:
        self._rng = random.Random(f"{seed}:{number}:{ID}")
        self._number = number

    def play(self, step: int, now: int) -> Raw:
        day = local_date(now) - timedelta(days=1)
        venue = self._rng.choice(_in_force(day))
        row = _row(self._rng, venue, day, now)
        return {"tep": f"ngay-{self._number:06d}.csv", "stt": 1_000_000 + self._number, "dong": [row]}

    def restore(self, step: int, at: int, raw: Raw) -> None:
        """Nothing is carried on."""


def bad_records() -> list[Raw]:
    """A venue that is none, visits below nought, a day of September that is none."""
    rng, venue = random.Random(ID), _in_force(date(2022, 9, 1))[0]
    good = _row(rng, venue, date(2022, 9, 18), local_midnight(date(2022, 9, 30)))
    return [good | flaw for flaw in ({"ma_diem": "NBD-99"}, {"luot_khach": "-12"}, {"ngay": "31/09/2022"})]


def _bad_file() -> Raw:
    return {"tep": "khach-loi.csv", "stt": 900_001, "dong": bad_records()}


def _number(text: str) -> int:
    return int(text.replace(".", ""))


def rows_of(raw: Raw) -> list[Row]:
    """A file's rows in canonical terms; the order of the files is that of their revisions."""
    return [
        {
            "entity_key": f"{row['ma_diem']}:{_day(row['ngay'])}",
            "revision": raw["stt"],
            "op": OPS[row["thao_tac"]],
            "report_date": utc(f"{_day(row['ngay'])}T00:00:00+07:00"),
            "visits": _number(row["luot_khach"]),
            "foreign": _number(row["quoc_te"]),
            "overnight": _number(row["luu_tru"]),
            "revenue": _number(row["doanh_thu"]),
        }
        for row in raw["dong"]
    ]


def _day(text: str) -> date:
    day, month, year = map(int, text.split("/"))
    return date(year, month, day)


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = [row for raw in read_emitted(state, ID) for row in rows_of(raw)]
    found = of_period(final_states(rows), "report_date", start, end)
    visits = sum(each["visits"] for each in found)
    kpis = {
        "culture.visits": count(visits),
        "culture.revenue": count(sum(each["revenue"] for each in found)),
        "culture.foreign_share": share(sum(each["foreign"] for each in found), visits),
        "culture.overnight_stays": count(sum(each["overnight"] for each in found)),
    }
    return Totals(kpis, {"venue_visit": len(rows)}, {ID: len(bad_records())})


def make(stage: Stage) -> Simulator:
    """The venues' shared folder."""
    seed = stage.origin.seed
    return FolderSimulator(stage, content, write_history, lambda number: LiveReport(seed, number), [_bad_file()])


def environment(site: Site) -> dict[str, str]:
    return {"IOC_SECRET_CULTURE_FOLDER": str(drop_folder(site))}


CULTURE = System(ID, {ID: "venue_visit"}, environment, make, expected, folders=lambda site: (drop_folder(site),))


def samples_of_files(origin: Origin) -> dict[str, Sample]:
    """What the files hold, for a test of the source."""
    return {ID: Sample(write_history(origin), [_bad_file()])}
