"""System 8, civil servants: a database of persons by month, which the connector may ask for counts only."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

from starlette.routing import BaseRoute

from deploy.demo.ledger import Origin, Raw, open_history, read_history
from deploy.demo.names import FAMILY, GIVEN_FEMALE, GIVEN_MALE, MIDDLE_FEMALE, MIDDLE_MALE
from deploy.demo.simulation import Sample, Simulator, Site, Stage, System, Totals
from deploy.demo.sql_tables import database, make_database, url
from deploy.demo.tally import Row, count, final_states, of_period, share, utc
from deploy.demo.worktime import local_date

ID = "civil-servants"
PERSON = (
    "thang TEXT, chot_luc TEXT, ma_don_vi TEXT, ma_xa TEXT, nhom TEXT, ngach TEXT, ho_ten TEXT, so_cccd TEXT, "
    "co_mat INTEGER, tuyen_moi INTEGER, chuyen_den INTEGER, chuyen_di INTEGER, nghi_huu INTEGER, thoi_viec INTEGER, "
    "dao_tao INTEGER"
)
POSTS = "thang TEXT, ma_don_vi TEXT, nhom TEXT, ngach TEXT, chi_tieu INTEGER"
STATEMENTS = (f"CREATE TABLE can_bo ({PERSON})", f"CREATE TABLE bien_che ({POSTS})")
UNITS = tuple(f"H53.{number:02d}" for number in range(1, 20))
GROUPS = {"CC": ("CVC", "CV", "CS"), "VC": ("CV", "NV"), "HD": ("NV", "KHAC")}
WITH_POSTS = ("CC", "VC")
SEAT = "25459"
"""A ward of both code sets."""
PEOPLE = 20
"""Of a unit, a group and a rank, about, at scale 1."""
COUNTED = ("co_mat", "tuyen_moi", "chuyen_den", "chuyen_di", "nghi_huu", "thoi_viec", "dao_tao")
CHANGES = ("tuyen_moi", "chuyen_den", "chuyen_di", "nghi_huu", "thoi_viec")
GONE = frozenset(("chuyen_di", "nghi_huu", "thoi_viec"))
BAD_CELLS = (("SNV", "CC", "CV"), ("H53.12", "NVHD", "CV"), ("H53.12", "CC", "chuyên viên"))


def months(origin: Origin) -> list[tuple[int, int]]:
    """The nine months of 2022, and the months of this year that are over."""
    today = local_date(origin.anchor)
    return [*((2022, month) for month in range(1, 10)), *((today.year, month) for month in range(1, today.month))]


def persons(origin: Origin) -> Iterator[Raw]:
    """Every person's line of every month."""
    rng = random.Random(f"{origin.seed}:{ID}")
    size = max(2, round(PEOPLE * min(1.0, origin.scale)))
    for year, month in months(origin):
        for unit, group, rank in _cells():
            for _ in range(rng.randint(size // 2, size + size // 2)):
                yield _line(rng, (year, month), (unit, group, rank))
    for cell in BAD_CELLS:
        yield _line(rng, (2022, 9), cell)


def _cells() -> Iterator[tuple[str, str, str]]:
    for unit in UNITS:
        for group, ranks in GROUPS.items():
            for rank in ranks:
                yield unit, group, rank


def _line(rng: random.Random, month: tuple[int, int], cell: tuple[str, str, str]) -> Raw:
    change = rng.choice(CHANGES) if rng.random() < 0.03 else ""
    middle, given = rng.choice(((MIDDLE_MALE, GIVEN_MALE), (MIDDLE_FEMALE, GIVEN_FEMALE)))
    stamp = f"{month[0]}-{month[1]:02d}"
    return {
        "thang": stamp,
        "chot_luc": f"{stamp}-28T23:00:00+07:00",
        "ma_don_vi": cell[0],
        "ma_xa": SEAT,
        "nhom": cell[1],
        "ngach": cell[2],
        "ho_ten": f"{rng.choice(FAMILY)} {rng.choice(middle)} {rng.choice(given)}",
        "so_cccd": f"072{rng.randrange(10**9):09d}",
        "co_mat": int(change not in GONE),
        **{name: int(name == change) for name in CHANGES},
        "dao_tao": int(rng.random() < 0.1),
    }


def posts(origin: Origin) -> list[Raw]:
    """Posts assigned to groups that have some."""
    rng = random.Random(f"{origin.seed}:{ID}:posts")
    size = max(3, round(1.2 * PEOPLE * min(1.0, origin.scale)))
    return [
        {
            "thang": f"{year}-{month:02d}",
            "ma_don_vi": unit,
            "nhom": group,
            "ngach": rank,
            "chi_tieu": rng.randint(size, size + 5),
        }
        for year, month in months(origin)
        for unit, group, rank in _cells()
        if group in WITH_POSTS
    ]


def cells(origin: Origin) -> list[Raw]:
    """What a right connector gets to see: the persons counted by month, unit, group and rank."""
    sums: dict[tuple[str, ...], Counter[str]] = {}
    closed: dict[tuple[str, ...], str] = {}
    for line in persons(origin):
        key = (line["thang"], line["ma_don_vi"], line["nhom"], line["ngach"])
        sums.setdefault(key, Counter()).update({name: line[name] for name in COUNTED})
        closed[key] = line["chot_luc"]
    assigned: dict[tuple[str, ...], int] = {
        (p["thang"], p["ma_don_vi"], p["nhom"], p["ngach"]): p["chi_tieu"] for p in posts(origin)
    }
    return [
        {
            **dict(zip(("thang", "ma_don_vi", "nhom", "ngach"), key, strict=True)),
            "chot_luc": closed[key],
            "ma_xa": SEAT,
            **{name: counted[name] for name in COUNTED},
            "bien_che": assigned.get(key),
            "_op": "UPSERT",
            "_revision": 1,
        }
        for key, counted in sums.items()
    ]


def _is_bad(cell: Raw) -> bool:
    return (cell["ma_don_vi"], cell["nhom"], cell["ngach"]) in BAD_CELLS


def write_history(origin: Origin) -> list[Raw]:
    """The good cells."""
    return [cell for cell in cells(origin) if not _is_bad(cell)]


def row(raw: Raw) -> Row:
    """A cell in canonical terms."""
    return {
        "entity_key": ":".join(raw[name] for name in ("ma_don_vi", "nhom", "ngach", "thang")),
        "revision": raw["_revision"],
        "op": raw["_op"],
        "period_start": utc(f"{raw['thang']}-01T00:00:00+07:00"),
        "headcount": raw["co_mat"],
        "quota": raw["bien_che"],
        "joined": raw["tuyen_moi"] + raw["chuyen_den"],
        "left": raw["nghi_huu"] + raw["thoi_viec"] + raw["chuyen_di"],
        "trained": raw["dao_tao"],
    }


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = [row(raw) for raw in read_history(state, ID)]
    found = of_period(final_states(rows), "period_start", start, end)
    with_posts = [each for each in found if each["quota"] is not None]
    kpis = {
        "staff.quota_used_share": share(
            sum(each["headcount"] for each in with_posts), sum(each["quota"] for each in with_posts)
        ),
        "staff.person_months": count(sum(each["headcount"] for each in found)),
        "staff.joined": count(sum(each["joined"] for each in found)),
        "staff.left": count(sum(each["left"] for each in found)),
        "staff.trained": count(sum(each["trained"] for each in found)),
    }
    return Totals(kpis, {"staff": len(rows)}, {ID: len(BAD_CELLS)})


class StaffDatabase:
    """Closed once a night: nothing changes by day. See `Simulator`."""

    def __init__(self, stage: Stage) -> None:
        origin, site = stage.origin, stage.site
        open_history(site.state, site.system, lambda: write_history(origin))
        if not database(site).exists():
            make_database(database(site), STATEMENTS, {"can_bo": persons(origin), "bien_che": posts(origin)})

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    async def run(self, ready: Callable[[], None]) -> None:
        ready()
        await asyncio.Event().wait()


def make(stage: Stage) -> Simulator:
    """The department's database."""
    return StaffDatabase(stage)


def environment(site: Site) -> dict[str, str]:
    return {"IOC_SECRET_STAFF_URL": url(site)}


def samples(origin: Origin) -> dict[str, Sample]:
    found = cells(origin)
    return {ID: Sample([cell for cell in found if not _is_bad(cell)], [cell for cell in found if _is_bad(cell)])}


def personal(state: Path) -> set[str]:
    """Names and citizen ids of the persons in the database."""
    import sqlite3

    path = state / ID / "data.db"
    if not path.exists():
        return set()
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    values = {value for line in connection.execute("SELECT so_cccd FROM can_bo") for value in line}
    connection.close()
    return values


STAFF = System(
    ID,
    {ID: "staff"},
    environment,
    make,
    expected,
    folders=lambda site: (site.folder,),
    samples=samples,
    personal=personal,
)
