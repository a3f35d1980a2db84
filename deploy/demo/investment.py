"""System 7, investment support: a workbook of projects each month, and a corrected one that is handed in again."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.province import province
from deploy.demo.simulation import Simulator, Site, Stage, System, Totals
from deploy.demo.tally import Row, count, final_states, of_period, share, total, utc
from deploy.demo.uploads import UploadSimulator, workbook
from deploy.demo.worktime import local_date

ID = "investment-support"
SHEET = "Dự án"
HEADER = (
    *("Mã dự án", "Loại dự án", "Ngành, lĩnh vực", "Khu, cụm công nghiệp", "Giai đoạn", "Vốn đăng ký (đồng)"),
    *("Vốn đăng ký (USD)", "Diện tích (ha)", "Lao động", "Ngày nộp", "Hạn giải quyết", "Ngày cấp phép"),
    *("Ngày kết thúc", "Mã xã", "Đơn vị thụ lý", "Cập nhật ngày", "Thao tác"),
)
DAYS = frozenset(("Ngày nộp", "Hạn giải quyết", "Ngày cấp phép", "Ngày kết thúc", "Cập nhật ngày"))
STAGES = {
    "Nộp hồ sơ": "FILED",
    "Thẩm định": "APPRAISING",
    "Chấp thuận": "APPROVED",
    "Cấp phép": "LICENSED",
    "Điều chỉnh": "ADJUSTED",
    "Từ chối": "REFUSED",
    "Thu hồi": "REVOKED",
    "Rút hồ sơ": "WITHDRAWN",
}
ENDED = ("Từ chối", "Rút hồ sơ")
OPS = {None: "UPSERT", "Cập nhật": "UPSERT", "Đính chính": "CORRECT", "Xóa": "DELETE"}
SECTORS = ("Công nghiệp chế biến", "Năng lượng", "Nông nghiệp công nghệ cao", "Thương mại, dịch vụ", "Hạ tầng")
ZONES = ("KCN Trảng Bàng", "KCN Phước Đông", "KCN Chà Là", "KKT Mộc Bài", None)
PROJECTS = 60
"""Filed in a month, at scale 1."""
MERGER = date(2025, 7, 1)


def _project(rng: random.Random, code: str, filed: date, last: date) -> Raw:
    """A project as it stands on a day `last`, not before it was filed. Days are ISO texts."""
    stage = rng.choice(
        ("Nộp hồ sơ", "Thẩm định", "Chấp thuận", "Cấp phép", "Cấp phép", "Cấp phép", "Từ chối", "Rút hồ sơ")
    )
    reached = min(last, filed + timedelta(days=rng.randint(5, 40)))
    wards = province().wards["2025" if last >= MERGER else "2022"]
    abroad = rng.random() < 0.3
    row = dict.fromkeys(HEADER)
    row |= {
        "Mã dự án": code,
        "Loại dự án": "FDI" if abroad else rng.choice(("Trong nước", "Trong nước", "Đầu tư công", "PPP")),
        "Ngành, lĩnh vực": rng.choice(SECTORS),
        "Khu, cụm công nghiệp": rng.choice(ZONES),
        "Giai đoạn": stage,
        "Vốn đăng ký (đồng)": rng.randint(2, 900) * 1_000_000_000,
        "Vốn đăng ký (USD)": rng.randint(1, 40) * 250_000 if abroad else None,
        "Diện tích (ha)": rng.randint(5, 300) / 10,
        "Lao động": rng.randint(5, 2000),
        "Ngày nộp": f"{filed}",
        "Hạn giải quyết": f"{filed + timedelta(days=21)}" if rng.random() < 0.9 else None,
        "Ngày cấp phép": f"{reached}" if stage == "Cấp phép" else None,
        "Ngày kết thúc": f"{reached}" if stage in ENDED else None,
        "Mã xã": rng.choice(wards).code,
        "Đơn vị thụ lý": rng.choice(("H53.06", "H53.19")),
        "Cập nhật ngày": f"{last}",
    }
    return row


def _month(rng: random.Random, year: int, month: int, most: int, until: date) -> Raw:
    first = date(year, month, 1)
    last = min(until, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1))
    rows = [
        _project(
            rng,
            f"DA-{year}-{month * 100 + number:04d}",
            first + timedelta(days=rng.randint(0, (last - first).days)),
            last,
        )
        for number in range(most)
    ]
    return {"tep": f"so-du-an-{year}-{month:02d}.xlsx", "dong": rows}


def write_history(origin: Origin) -> list[Raw]:
    """A workbook of each month; then two months corrected, with a project taken back."""
    rng = random.Random(f"{origin.seed}:{ID}")
    most = max(4, round(PROJECTS * min(1.0, origin.scale)))
    today = local_date(origin.anchor)
    files = [_month(rng, 2022, month, most, date(2022, 9, 30)) for month in range(1, 10)]
    files += [_month(rng, today.year, month, most, today) for month in range(1, today.month + 1)]
    corrected = [_corrected(rng, files[which]) for which in (4, 7)]
    files[0]["loi"] = bad_rows()
    return [file | {"stt": number} for number, file in enumerate([*files, *corrected])]


def _corrected(rng: random.Random, file: Raw) -> Raw:
    rows = [
        row | {"Vốn đăng ký (đồng)": rng.randint(2, 900) * 1_000_000_000, "Thao tác": "Đính chính"}
        for row in file["dong"]
    ]
    rows[0] |= {"Thao tác": "Xóa"}
    return {"tep": file["tep"].replace(".xlsx", "-sua.xlsx"), "dong": rows}


def bad_rows() -> list[Raw]:
    """Capital below nought, a stage in other words, a day in words."""
    good = _project(random.Random(ID), "DA-2022-9999", date(2022, 1, 5), date(2022, 1, 31))
    flaws: tuple[Raw, ...] = ({"Vốn đăng ký (đồng)": -5}, {"Giai đoạn": "Đang xem xét"}, {"Ngày nộp": "đầu tháng 1"})
    return [good | flaw for flaw in flaws]


def content(raw: Raw) -> bytes:
    """The workbook: days are days in every second row, texts in the others, as officials type them."""
    rows = [
        [_cell(name, row[name], number % 2 == 0) for name in HEADER]
        for number, row in enumerate([*raw["dong"], *raw.get("loi", ())])
    ]
    return workbook(SHEET, "SỔ THEO DÕI DỰ ÁN ĐẦU TƯ", HEADER, rows)


def _cell(name: str, value: object, as_day: bool) -> object:
    if name not in DAYS or not isinstance(value, str):
        return value
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return value
    return day if as_day else f"{day:%d/%m/%Y}"


class LiveWorkbook:
    """A workbook of three projects of this month. See `deploy.demo.live.Case`."""

    length = 1

    def __init__(self, seed: int, number: int) -> None:
        self._rng = random.Random(f"{seed}:{number}:{ID}")
        self._number = number

    def play(self, step: int, now: int) -> Raw:
        today = local_date(now)
        codes = [f"DA-{today.year}-{3000 + (self._number * 3 + each) % 7000:04d}" for each in range(3)]
        rows = [_project(self._rng, code, today, today) for code in codes]
        return {"tep": f"bo-sung-{self._number:05d}.xlsx", "stt": 1_000 + self._number, "dong": rows}

    def restore(self, step: int, at: int, raw: Raw) -> None:
        """Nothing is carried on."""


def rows_of(raw: Raw) -> list[Row]:
    """A workbook's projects in canonical terms; a later workbook replaces an earlier one."""
    return [
        {
            "entity_key": row["Mã dự án"],
            "revision": raw["stt"],
            "op": OPS[row["Thao tác"]],
            "stage": STAGES[row["Giai đoạn"]],
            "capital": row["Vốn đăng ký (đồng)"],
            "due": row["Hạn giải quyết"],
            "licensed": row["Ngày cấp phép"],
            "filed_at": utc(row["Ngày nộp"]),
            "licensed_at": utc(row["Ngày cấp phép"]),
            "closed_at": utc(row["Ngày kết thúc"]),
        }
        for row in raw["dong"]
    ]


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = [row for raw in read_emitted(state, ID) for row in rows_of(raw)]
    projects = final_states(rows)
    filed = of_period(projects, "filed_at", start, end)
    licensed = [
        each for each in of_period(projects, "licensed_at", start, end) if each["stage"] in ("LICENSED", "ADJUSTED")
    ]
    in_time = total(licensed, lambda each: each["due"] is None or each["licensed"] <= each["due"])
    of_filed = total(filed, lambda each: each["stage"] in ("LICENSED", "ADJUSTED") and each["licensed"] is not None)
    closed = of_period(projects, "closed_at", start, end)
    kpis = {
        "investment.filed": count(len(filed)),
        "investment.capital_licensed": count(sum(each["capital"] for each in licensed)),
        "investment.on_time_share": share(in_time, len(licensed)),
        "investment.licensed_share": share(of_filed, len(filed)),
        "investment.ended_without_licence": count(
            total(closed, lambda each: each["stage"] in ("REFUSED", "REVOKED", "WITHDRAWN"))
        ),
    }
    return Totals(kpis, {"investment": len(rows)}, {ID: len(bad_rows())})


def make(stage: Stage) -> Simulator:
    """The department's official."""
    seed = stage.origin.seed
    return UploadSimulator(stage, ID, content, write_history, lambda number: LiveWorkbook(seed, number))


def environment(site: Site) -> dict[str, str]:
    return {}


INVESTMENT = System(ID, {ID: "investment"}, environment, make, expected)
