"""System 9, the digitised archive: a view of documents that are received, scanned, checked, accepted or done again."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache, partial
from pathlib import Path

from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.local_time import iso
from deploy.demo.province import province
from deploy.demo.reference import MERGER, REFERENCE_END, REFERENCE_START
from deploy.demo.simulation import Sample, Simulator, Site, Stage, System, Totals
from deploy.demo.sql_tables import ChangesSimulator, url
from deploy.demo.tales import DAY, HOUR, MINUTE, Assertion, Beat, Tale, TaleCase, rendered, told_between
from deploy.demo.tally import Row, count, final_states, of_period, share, total, utc

ID = "digital-archive"
TABLE = "so_hoa"
COLUMNS = (
    "ma_su_kien TEXT PRIMARY KEY, ma_tai_lieu TEXT, phien_ban INTEGER, hanh_dong TEXT, cap_nhat_luc TEXT, "
    "co_quan TEXT, ma_xa TEXT, phong TEXT, loai TEXT, trang_thai TEXT, so_trang INTEGER, so_trang_so_hoa INTEGER, "
    "nhan_luc TEXT, so_hoa_luc TEXT"
)
REFERENCE_DOCUMENTS, STOCK_DOCUMENTS = 9_000, 3_000
LIVES = ("ska", "ska", "ska", "sk", "s", "", "srska", "skac", "skx")
"""s scanned, k checked, a accepted, r to be redone, c pages corrected, x deleted."""
STATES = {
    "da_nhan": "RECEIVED",
    "da_quet": "SCANNED",
    "da_kiem_tra": "CHECKED",
    "nghiem_thu": "ACCEPTED",
    "lam_lai": "REDO",
}
ACTIONS = {"UPSERT": "capnhat", "CORRECT": "dinhchinh", "DELETE": "xoa"}
KINDS = ("hanh_chinh", "hanh_chinh", "hanh_chinh", "ky_thuat", "ban_do", "khac")
FIRST = {"r": 0, "s": 300_000, "l": 600_000, "x": 900_000}
FONDS = Path(__file__).parents[2] / "schemas" / "codes" / "fonds.csv"


@lru_cache(maxsize=1)
def fonds() -> tuple[tuple[str, str], ...]:
    """(code, unit) of each fonds whose unit outlived the merger, so that both code sets know it."""
    with FONDS.open(encoding="utf-8", newline="") as handle:
        found = [(row["code"], row["org_code"]) for row in csv.DictReader(handle)]
    return tuple(each for each in found if int(each[1].partition(".")[2]) < 20)


def document(rng: random.Random, number: int, tag: str) -> Tale:
    """One document's life."""
    code, unit = rng.choice(fonds())
    pages = rng.randint(4, 160)

    def receive(_state: Raw, now: int) -> Raw:
        return {
            "ma_tai_lieu": f"LT.053.{code[-4:]}.{FIRST[tag] + number:06d}",
            "co_quan": unit,
            "ma_xa": rng.choice(province().wards["2025" if now >= MERGER else "2022"]).code,
            "phong": code,
            "loai": rng.choice(KINDS),
            "trang_thai": "da_nhan",
            "so_trang": pages,
            "so_trang_so_hoa": 0,
            "nhan_luc": iso(now),
            "so_hoa_luc": None,
        }

    def scan(_state: Raw, now: int) -> Raw:
        return {"trang_thai": "da_quet", "so_trang_so_hoa": pages, "so_hoa_luc": iso(now)}

    steps: Mapping[str, Sequence[Beat]] = {
        "s": (Beat(scan, HOUR, 20 * DAY),),
        "k": (Beat(lambda state, now: {"trang_thai": "da_kiem_tra"}, 10 * MINUTE, 5 * DAY),),
        "a": (Beat(lambda state, now: {"trang_thai": "nghiem_thu"}, HOUR, 10 * DAY),),
        "r": (Beat(lambda state, now: {"trang_thai": "lam_lai"}, HOUR, 3 * DAY),),
        "c": (Beat(lambda state, now: {"so_trang_so_hoa": pages - 1}, HOUR, DAY, "CORRECT", in_place=True),),
        "x": (Beat(lambda state, now: {}, HOUR, DAY, "DELETE", in_place=True),),
    }
    return Tale([Beat(receive), *(beat for step in rng.choice(LIVES) for beat in steps[step])])


def render(assertion: Assertion) -> Raw:
    """As the view shows it."""
    return {
        "ma_su_kien": f"{assertion.state['ma_tai_lieu']}-{assertion.step}",
        "phien_ban": assertion.revision,
        "hanh_dong": ACTIONS[assertion.op],
        "cap_nhat_luc": iso(assertion.at),
        **assertion.state,
    }


def write_history(origin: Origin) -> list[Raw]:
    """Reference period and this year's stock."""
    found: list[Assertion] = []
    for tag, most, start, end in (
        ("r", REFERENCE_DOCUMENTS, REFERENCE_START, REFERENCE_END),
        ("s", STOCK_DOCUMENTS, origin.year_start, origin.anchor),
    ):
        number = max(20, round(most * origin.scale))
        found += told_between(partial(document, tag=tag), number, f"{origin.seed}:{tag}:{ID}", start, end)
    return rendered(found, render)


def bad_records() -> list[Raw]:
    """A fonds that is in no plan, pages below nought, a document without its id."""
    flaws: tuple[Raw, ...] = ({"phong": "PLT-9999"}, {"so_trang": -4}, {"ma_tai_lieu": None})
    good = [render(document(random.Random(ID), each, "x").play(0, REFERENCE_END - DAY)) for each in range(len(flaws))]
    return [raw | {"ma_su_kien": f"lt-x{each}"} | flaws[each] for each, raw in enumerate(good)]


def row(raw: Raw) -> Row:
    """A record in canonical terms."""
    return {
        "entity_key": raw["ma_tai_lieu"],
        "revision": raw["phien_ban"],
        "op": {name: op for op, name in ACTIONS.items()}[raw["hanh_dong"]],
        "status": STATES[raw["trang_thai"]],
        "pages": raw["so_trang"],
        "digitised": raw["so_trang_so_hoa"] if raw["trang_thai"] in ("da_quet", "da_kiem_tra", "nghiem_thu") else 0,
        "received_at": utc(raw["nhan_luc"]),
        "digitised_at": utc(raw["so_hoa_luc"]),
    }


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = [row(raw) for raw in read_emitted(state, ID)]
    documents = final_states(rows)
    received = of_period(documents, "received_at", start, end)
    digitised = of_period(documents, "digitised_at", start, end)
    kpis = {
        "archive.pages_digitised": count(sum(each["digitised"] for each in digitised)),
        "archive.digitised_share": share(
            sum(each["digitised"] for each in received), sum(each["pages"] for each in received)
        ),
        "archive.accepted_share": share(total(received, lambda each: each["status"] == "ACCEPTED"), len(received)),
        "archive.redo": count(total(received, lambda each: each["status"] == "REDO")),
    }
    return Totals(kpis, {"archive_document": len(rows)}, {ID: len(bad_records())})


def make(stage: Stage) -> Simulator:
    """The archive's database."""
    seed = stage.origin.seed

    def begin(number: int) -> TaleCase:
        return TaleCase(document(random.Random(f"{seed}:{number}:{ID}"), number, "l"), render)

    return ChangesSimulator(stage, TABLE, COLUMNS, write_history, begin, bad_records())


def environment(site: Site) -> dict[str, str]:
    return {"IOC_SECRET_ARCHIVE_URL": url(site)}


def samples(origin: Origin) -> dict[str, Sample]:
    return {ID: Sample(write_history(origin), bad_records())}


ARCHIVE = System(
    ID, {ID: "archive_document"}, environment, make, expected, folders=lambda site: (site.folder,), samples=samples
)
