"""System 12, crop traceability: steps of lots by REST in the order they were typed, and cooperatives' files."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from starlette.routing import BaseRoute

from deploy.demo.file_drop import csv_text, drop_folder, put
from deploy.demo.ledger import Origin, Raw, read_emitted, read_history
from deploy.demo.local_time import iso
from deploy.demo.province import province
from deploy.demo.reference import MERGER, REFERENCE_END, REFERENCE_START
from deploy.demo.rest_feed import Dialect, RestSimulator
from deploy.demo.simulation import Sample, Simulator, Site, Stage, System, Totals
from deploy.demo.tales import DAY, HOUR, plain
from deploy.demo.tally import Row, count, final_states, of_period, share, utc

ID = "crop-lots"
FILES = "crop-lots-files"
REFERENCE_LOTS, STOCK_LOTS, FILE_LOTS = 3_000, 800, 120
STEPS = ("xuong_giong", "thu_hoach", "dong_goi", "van_chuyen", "ban")
IN_FILES = {
    "xuong_giong": "Xuống giống",
    "thu_hoach": "Thu hoạch",
    "dong_goi": "Đóng gói",
    "van_chuyen": "Vận chuyển",
    "ban": "Bán",
}
NAMES = {
    "xuong_giong": "PLANTED",
    "thu_hoach": "HARVESTED",
    "dong_goi": "PACKED",
    "van_chuyen": "SHIPPED",
    "ban": "SOLD",
}
WAITS = ((0, 0), (60, 110), (0, 2), (0, 2), (0, 5))
"""Days between a step and the one before."""
CROPS = ("Mãng cầu", "Mì", "Mía", "Lúa", "Dưa lưới", "Nhãn", "Xoài")
UNITS = {"kg": Decimal(1), "yến": Decimal(10), "tạ": Decimal(100), "tấn": Decimal(1000)}
STANDARDS = (None, None, None, "VietGAP", "GlobalGAP", "Hữu cơ")
OPS = {"capnhat": "UPSERT", "dinhchinh": "CORRECT", "xoa": "DELETE"}
DIALECT = Dialect("tuLuc", "trang", "soDong", "ghiLuc", lambda found: {"duLieu": found})
HEADER = (
    *("Mã lô", "Bước số", "Bước", "Ngày diễn ra", "Giờ", "Cây trồng", "Mã vùng trồng", "Số lượng", "Đơn vị tính"),
    *("Diện tích (ha)", "Tiêu chuẩn", "Mã xã", "Đơn vị quản lý"),
)
COOPERATIVES = "H53.11"


def _lot(rng: random.Random, lot: str, planted: int) -> list[Raw]:
    """All steps of a lot in the order in which they happen; quantities in units of their own."""
    at, steps = planted, []
    unit = rng.choice(tuple(UNITS))
    kilograms = rng.randint(400, 9000)
    crop, standard, area = rng.choice(CROPS), rng.choice(STANDARDS), rng.randint(3, 60) / 10
    for number, (step, wait) in enumerate(zip(STEPS, WAITS, strict=True), start=1):
        at += rng.randint(wait[0] * 24, wait[1] * 24) * HOUR
        wards = province().wards["2025" if at >= MERGER else "2022"]
        steps.append(
            {
                "maSuKien": f"{lot}-{number:02d}-1",
                "maLo": lot,
                "soBuoc": f"{number:02d}",
                "phienBan": 1,
                "hanhDong": "capnhat",
                "ghiLuc": "",
                "maDonVi": COOPERATIVES,
                "maXa": rng.choice(wards).code,
                "buoc": step,
                "dienRaLuc": iso(at),
                "cayTrong": crop,
                "gtin": "08938505974194",
                "gln": "8938505974002",
                "maVungTrong": f"VN-TNOR-{rng.randint(1, 400):04d}",
                "soLuong": None if step == "xuong_giong" else float(kilograms / UNITS[unit]),
                "donViTinh": None if step == "xuong_giong" else unit,
                "dienTichHa": area if step == "xuong_giong" else None,
                "tieuChuan": standard,
                "_at": at,
            }
        )
    return steps


def _typed(rng: random.Random, steps: list[Raw], end: int) -> list[Raw]:
    """The records of steps as they reach the system: late, in any order, some corrected, a few taken back."""
    found = []
    for step in steps:
        at = step.pop("_at")
        typed = at + rng.randint(0, 120) * HOUR
        if typed > end:
            continue
        first = step | {"ghiLuc": iso(typed)}
        found.append(first)
        later = typed + rng.randint(1, 200) * HOUR
        if later <= end and rng.random() < 0.06:
            found.append(_after(first, later, rng.random() < 0.15))
    return found


def _after(raw: Raw, at: int, gone: bool) -> Raw:
    quantity = None if raw["soLuong"] is None else round(raw["soLuong"] * 0.95, 3)
    return raw | {
        "maSuKien": f"{raw['maSuKien'][:-2]}-2",
        "phienBan": 2,
        "hanhDong": "xoa" if gone else "dinhchinh",
        "ghiLuc": iso(at),
        "soLuong": quantity,
    }


def rest_history(origin: Origin) -> list[Raw]:
    """Lots of both periods, in the order in which they were typed."""
    found: list[Raw] = []
    for year, most, start, end in (
        ("22", REFERENCE_LOTS, REFERENCE_START, REFERENCE_END),
        ("26", STOCK_LOTS, origin.year_start, origin.anchor),
    ):
        rng = random.Random(f"{origin.seed}:{year}:{ID}")
        for number in range(max(10, round(most * min(1.0, origin.scale)))):
            found += _typed(rng, _lot(rng, f"L{year}-{number:05d}", rng.randint(start, end)), end)
    return sorted(found, key=lambda raw: str(raw["ghiLuc"]))


def file_history(origin: Origin) -> list[Raw]:
    """A cooperative's book of each month of 2022: what happened in it."""
    rng = random.Random(f"{origin.seed}:{FILES}")
    steps = [
        step
        for number in range(max(4, round(FILE_LOTS * min(1.0, origin.scale))))
        for step in _lot(rng, f"H22-{number:05d}", rng.randint(REFERENCE_START, REFERENCE_END))
        if step.pop("_at") <= REFERENCE_END
    ]
    months: dict[str, list[Raw]] = {}
    for step in steps:
        months.setdefault(step["dienRaLuc"][:7], []).append(step)
    return [{"tep": f"htx-{month}.csv", "dong": rows} for month, rows in sorted(months.items())]


def write_history(origin: Origin) -> list[Raw]:
    return [*rest_history(origin), *file_history(origin)]


def content(raw: Raw) -> bytes:
    """A cooperative's book: UTF-8 with a byte order mark, decimal comma, day and hour apart."""
    return csv_text(HEADER, [_line(step) for step in raw["dong"]]).encode("utf-8-sig")


def _line(step: Raw) -> list[object]:
    at = utc(step["dienRaLuc"])
    assert at is not None
    second = int(at.timestamp())
    amount, area = (
        None if step[key] is None else f"{step[key]}".replace(".", ",") for key in ("soLuong", "dienTichHa")
    )
    return [
        *(step["maLo"], step["soBuoc"], IN_FILES[step["buoc"]], plain(second, "%d/%m/%Y"), plain(second, "%H:%M")),
        *(step["cayTrong"], step["maVungTrong"], amount, step["donViTinh"], area, step["tieuChuan"]),
        *(step["maXa"], step["maDonVi"]),
    ]


class LiveLot:
    """A lot of this season, its steps typed today in any order. See `deploy.demo.live.Case`."""

    def __init__(self, seed: int, number: int) -> None:
        self._rng = random.Random(f"{seed}:{number}:{ID}")
        self._number = number
        self._steps: list[Raw] = []
        self.length = len(STEPS)

    def play(self, step: int, now: int) -> Raw:
        if not self._steps:
            self._steps = _lot(self._rng, f"L27-{self._number:05d}", now - 130 * DAY)
            self._rng.shuffle(self._steps)
        chosen = self._steps[step]
        return {key: value for key, value in chosen.items() if key != "_at"} | {"ghiLuc": iso(now)}

    def restore(self, step: int, at: int, raw: Raw) -> None:
        self.play(step, at)


def bad_records() -> list[Raw]:
    """A unit that is none, a quantity below nought, a step of no lot."""
    (good, *_rest) = _lot(random.Random(ID), "L22-99999", REFERENCE_END - 90 * DAY)
    good = {key: value for key, value in good.items() if key != "_at"}
    good |= {"ghiLuc": iso(REFERENCE_END), "soLuong": 3, "donViTinh": "kg"}
    flaws: tuple[Raw, ...] = ({"donViTinh": "giạ"}, {"soLuong": -3}, {"maLo": None})
    return [good | {"maSuKien": f"x-{number}"} | flaw for number, flaw in enumerate(flaws)]


def bad_files() -> list[Raw]:
    """A step in other words, a quantity in words, a lot of another book."""
    (good, *_rest) = _lot(random.Random(FILES), "H22-99999", REFERENCE_END - 90 * DAY)
    flaws: tuple[Raw, ...] = ({"donViTinh": "bao"}, {"maLo": "L22-1"}, {"soBuoc": ""})
    return [{"tep": "htx-loi.csv", "dong": [good | {"soLuong": 3.0, "donViTinh": "kg"} | flaw for flaw in flaws]}]


def row(raw: Raw, revision: int) -> Row:
    """A step in canonical terms."""
    quantity = None if raw["soLuong"] is None else Decimal(str(raw["soLuong"])) * UNITS[raw["donViTinh"]]
    return {
        "entity_key": f"{raw['maLo']}:{raw['soBuoc']}",
        "revision": revision,
        "op": OPS[raw["hanhDong"]],
        "step": NAMES[raw["buoc"]],
        "happened_at": utc(raw["dienRaLuc"]),
        "kg": 0 if quantity is None else int(quantity.quantize(Decimal(1), ROUND_HALF_UP)),
        "certified": raw["tieuChuan"] is not None,
    }


def rows_of(records: Sequence[Raw]) -> list[Row]:
    found = [row(raw, raw["phienBan"]) for raw in records if "dong" not in raw]
    return found + [row(step, 1) for raw in records if "dong" in raw for step in raw["dong"]]


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = rows_of(read_emitted(state, ID))
    found = of_period(final_states(rows), "happened_at", start, end)
    harvested = [each for each in found if each["step"] == "HARVESTED"]
    kilograms = sum(each["kg"] for each in harvested)
    kpis = {
        "lot.steps": count(len(found)),
        "lot.planted": count(sum(each["step"] == "PLANTED" for each in found)),
        "lot.harvested_kg": count(kilograms),
        "lot.certified_share": share(sum(each["kg"] for each in harvested if each["certified"]), kilograms),
        "lot.sold_kg": count(sum(each["kg"] for each in found if each["step"] == "SOLD")),
    }
    return Totals(kpis, {"lot_step": len(rows)}, {ID: len(bad_records()), FILES: 3})


class CropSystem:
    """The REST feed, and the folder with the cooperatives' books. See `Simulator`."""

    def __init__(self, stage: Stage) -> None:
        seed = stage.origin.seed
        self._rest = RestSimulator(
            stage, "/api/lo/buoc", DIALECT, write_history, lambda number: LiveLot(seed, number), bad_records(),
            served=lambda raw: "dong" not in raw,
        )  # fmt: skip
        books = [raw for raw in read_history(stage.site.state, stage.site.system) if "dong" in raw]
        for number, raw in enumerate([*books[:-1], *bad_files(), *books[-1:]]):
            put(drop_folder(stage.site) / raw["tep"], content(raw), stage.origin.anchor - 1_000_000 + number)

    def routes(self) -> Sequence[BaseRoute]:
        return self._rest.routes()

    async def run(self, ready: Callable[[], None]) -> None:
        await self._rest.run(ready)


def make(stage: Stage) -> Simulator:
    """The traceability platform and its cooperatives."""
    return CropSystem(stage)


def environment(site: Site) -> dict[str, str]:
    return {
        "IOC_SECRET_LOTS_URL": site.http_url,
        "IOC_SECRET_LOTS_KEY": site.secret("api-key"),
        "IOC_SECRET_LOTS_FOLDER": str(drop_folder(site)),
    }


def samples(origin: Origin) -> dict[str, Sample]:
    return {ID: Sample(rest_history(origin), bad_records())}


CROPS_SYSTEM = System(
    ID,
    {ID: "lot_step", FILES: "lot_step"},
    environment,
    make,
    expected,
    folders=lambda site: (drop_folder(site),),
    samples=samples,
)
