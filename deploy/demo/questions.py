"""System 5, online questions and answers: a view of a database, here an SQLite file."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from starlette.routing import BaseRoute

from deploy.demo.emitter import Emitter
from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.local_time import iso
from deploy.demo.names import person
from deploy.demo.province import province
from deploy.demo.reference import MERGER, REFERENCE_END, REFERENCE_START
from deploy.demo.simulation import Sample, Simulator, Site, Stage, System, Totals
from deploy.demo.tales import DAY, HOUR, MINUTE, Assertion, Beat, Tale, TaleCase, plain, rendered, told_between
from deploy.demo.tally import Row, count, final_states, mean, minutes, of_period, share, utc

ID = "online-questions"
REFERENCE_QUESTIONS, STOCK_QUESTIONS = 1_500, 700
FIELDS = ("Đất đai", "Hộ tịch", "Xây dựng", "Thuế", "Bảo hiểm", "Giao thông", "Đầu tư")
UNITS = ("H53.04", "H53.06", "H53.09", "H53.10", "H53.14", "H53.15", "H53.16")
LIVES = ("fa", "fa", "fa", "fl", "fA", "fAk", "fn", "r", "w", "fax", "fad")
"""f forwarded, a answered in time, l late, A answered without a due date, k corrected to late, n not answered yet,
r rejected, w withdrawn, x deleted and restored, d deleted."""
ACTIONS = {"UPSERT": "capnhat", "CORRECT": "dinhchinh", "DELETE": "xoa"}
STATES = {"moi": "NEW", "chuyen": "FORWARDED", "da_tra_loi": "ANSWERED", "tu_choi": "REJECTED", "rut": "WITHDRAWN"}
COLUMNS = (
    *("ma_su_kien", "ma", "phien_ban", "hanh_dong", "cap_nhat_luc", "don_vi", "ma_xa", "linh_vuc", "kenh"),
    *("trang_thai", "hoi_luc", "han_tra_loi", "tra_loi_luc", "danh_gia", "dien_thoai"),
)
NUMBERS = ("phien_ban", "danh_gia")


def question(rng: random.Random, number: int, tag: str) -> Tale:
    """One question's life."""
    life, (_, _, phone) = rng.choice(LIVES), person(rng)
    allowed = 5 * DAY if tag != "l" else rng.choice((MINUTE, 5 * DAY))

    def ask(_state: Raw, now: int) -> Raw:
        return {
            "ma": f"HD-{plain(now, '%y%m%d')}-{tag}{number:05d}",
            "don_vi": "H53.15",
            "ma_xa": rng.choice(province().wards["2025" if now >= MERGER else "2022"]).code,
            "linh_vuc": rng.choice(FIELDS),
            "kenh": rng.choice(("web", "web", "app", "email", "dien_thoai")),
            "trang_thai": "moi",
            "hoi_luc": plain(now),
            "han_tra_loi": None,
            "tra_loi_luc": None,
            "danh_gia": None,
            "dien_thoai": phone,
        }

    def forward(_state: Raw, now: int) -> Raw:
        due = None if "A" in life else plain(now + allowed)
        return {"trang_thai": "chuyen", "don_vi": rng.choice(UNITS), "han_tra_loi": due}

    def answer(_state: Raw, now: int) -> Raw:
        return {"trang_thai": "da_tra_loi", "tra_loi_luc": plain(now), "danh_gia": rng.choice((None, 3, 4, 5, 5))}

    def end(status: str) -> Callable[[Raw, int], Raw]:
        return lambda _state, _now: {"trang_thai": status}

    steps: Mapping[str, Sequence[Beat]] = {
        "f": (Beat(forward, 10 * MINUTE, DAY),),
        "a": (Beat(answer, HOUR, 4 * DAY),),
        "A": (Beat(answer, HOUR, 9 * DAY),),
        "l": (Beat(answer, 6 * DAY, 20 * DAY),),
        # The office had entered the day of the draft; the citizen got the answer later.
        "k": (Beat(lambda state, now: {"tra_loi_luc": plain(now)}, DAY, 3 * DAY, "CORRECT", in_place=True),),
        "n": (),
        "r": (Beat(end("tu_choi"), HOUR, 2 * DAY),),
        "w": (Beat(end("rut"), HOUR, 2 * DAY),),
        "x": (Beat(lambda state, now: {}, HOUR, DAY, "DELETE"), Beat(lambda state, now: {}, HOUR, DAY)),
        "d": (Beat(lambda state, now: {}, HOUR, DAY, "DELETE", in_place=True),),
    }
    return Tale([Beat(ask), *(beat for step in life for beat in steps[step])])


def render(assertion: Assertion) -> Raw:
    """A row of the view."""
    return {
        "ma_su_kien": f"{assertion.state['ma']}/{assertion.step}",
        **assertion.state,
        "phien_ban": assertion.revision,
        "hanh_dong": ACTIONS[assertion.op],
        "cap_nhat_luc": iso(assertion.at),
    }


def write_history(origin: Origin) -> list[Raw]:
    """Reference period and this year's stock."""
    found: list[Raw] = []
    for tag, most, start, end in (
        ("r", REFERENCE_QUESTIONS, REFERENCE_START, REFERENCE_END),
        ("s", STOCK_QUESTIONS, origin.year_start, origin.anchor),
    ):
        number, seed = max(5, round(most * min(1.0, origin.scale))), f"{origin.seed}:{tag}:{ID}"
        found += rendered(told_between(partial(question, tag=tag), number, seed, start, end), render)
    return found


def bad_records() -> list[Raw]:
    """An unknown channel, a day that is none, a rating of 9."""
    good = render(question(random.Random(ID), 0, "x").play(0, REFERENCE_END - DAY))
    flaws: tuple[Raw, ...] = ({"kenh": "fax"}, {"hoi_luc": "2022-02-30 08:00:00"}, {"danh_gia": 9})
    return [good | {"ma_su_kien": f"HD-x/{number}", "ma": f"HD-x{number}"} | flaw for number, flaw in enumerate(flaws)]


def row(raw: Raw) -> Row:
    """A row of the view in canonical terms."""
    return {
        "entity_key": raw["ma"],
        "revision": raw["phien_ban"],
        "op": {name: op for op, name in ACTIONS.items()}[raw["hanh_dong"]],
        "status": STATES[raw["trang_thai"]],
        "asked_at": utc(raw["hoi_luc"]),
        "due_at": utc(raw["han_tra_loi"]),
        "answered_at": utc(raw["tra_loi_luc"]),
    }


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = [row(raw) for raw in read_emitted(state, ID)]
    counted = [each for each in final_states(rows) if each["status"] not in ("REJECTED", "WITHDRAWN")]
    asked = of_period(counted, "asked_at", start, end)
    answered = [each for each in asked if each["status"] == "ANSWERED"]
    in_time = [each for each in answered if each["due_at"] is None or each["answered_at"] <= each["due_at"]]
    ever_asked = of_period(counted, "asked_at", None, end)
    ever_answered = [each for each in of_period(counted, "answered_at", None, end) if each["status"] == "ANSWERED"]
    waited = sum(minutes(each["asked_at"], each["answered_at"]) for each in answered)
    kpis = {
        "question.asked": count(len(asked)),
        "question.open": count(len(ever_asked) - len(ever_answered)),
        "question.answered_share": share(len(answered), len(asked)),
        "question.on_time_of_answered": share(len(in_time), len(answered)),
        "question.on_time_of_asked": share(len(in_time), len(asked)),
        "question.answer_minutes": mean(waited, len(answered)),
    }
    return Totals(kpis, {"question": len(rows)}, {ID: len(bad_records())})


class Questions:
    """See `Simulator`: whoever has the file can read the view."""

    def __init__(self, stage: Stage) -> None:
        self._path = database(stage.site)
        seed = stage.origin.seed

        def begin(number: int) -> TaleCase:
            return TaleCase(question(random.Random(f"{seed}:{number}:{ID}"), number, "l"), render)

        self._emitter = Emitter(stage, write_history, begin, lambda raw: self._insert([raw]))
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            columns = ", ".join(
                f"{name} {'INTEGER' if name in ('phien_ban', 'danh_gia') else 'TEXT'}" for name in COLUMNS
            )
            connection.execute(f"CREATE TABLE IF NOT EXISTS cau_hoi ({columns}, PRIMARY KEY (ma_su_kien))")
            connection.execute("CREATE INDEX IF NOT EXISTS theo_luc ON cau_hoi (cap_nhat_luc, ma_su_kien)")
            connection.execute("CREATE VIEW IF NOT EXISTS hoi_dap AS SELECT * FROM cau_hoi")
            connection.commit()
        self._insert([*self._emitter.history, *bad_records(), *(event.raw for event in self._emitter.past)])

    def _insert(self, raws: Iterable[Raw]) -> None:
        """Rows that are there already stay as they are."""
        values = [tuple(raw[name] for name in COLUMNS) for raw in raws]
        with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as connection:
            connection.executemany(f"INSERT OR IGNORE INTO cau_hoi VALUES ({', '.join('?' * len(COLUMNS))})", values)
            connection.commit()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    async def run(self, ready: Callable[[], None]) -> None:
        ready()
        await self._emitter.run()


def database(site: Site) -> Path:
    """The file of the department's database."""
    return site.folder / "hoi-dap.db"


def make(stage: Stage) -> Simulator:
    """The question system."""
    return Questions(stage)


def environment(site: Site) -> dict[str, str]:
    return {
        "IOC_SECRET_QUESTIONS_URL": f"sqlite:///{database(site)}",
        "IOC_SECRET_QUESTIONS_USER": "ioc",
        "IOC_SECRET_QUESTIONS_PASSWORD": site.secret("password"),
    }


def samples(origin: Origin) -> dict[str, Sample]:
    return {ID: Sample(write_history(origin), bad_records())}


def phones(state: Path) -> set[str]:
    """Every phone number that was ever given."""
    return {raw["dien_thoai"] for raw in read_emitted(state, ID)}


QUESTIONS = System(
    ID,
    {ID: "question"},
    environment,
    make,
    expected,
    folders=lambda site: [site.folder],
    samples=samples,
    personal=phones,
)
