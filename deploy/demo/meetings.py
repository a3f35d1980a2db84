"""System 4, paperless meetings: a REST list of meetings, scheduled, moved, cancelled, held and corrected."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.local_time import iso
from deploy.demo.province import province
from deploy.demo.reference import MERGER, REFERENCE_END, REFERENCE_START
from deploy.demo.rest_feed import Dialect, RestSimulator
from deploy.demo.simulation import Sample, Simulator, Site, Stage, System, Totals
from deploy.demo.tales import DAY, HOUR, MINUTE, Assertion, Beat, Tale, TaleCase, rendered, told_between
from deploy.demo.tally import Row, count, final_states, of_period, share, total, utc

ID = "paperless-meetings"
REFERENCE_MEETINGS, STOCK_MEETINGS = 900, 400
"""About five a working day."""
HOSTS = ("H53.01", "H53.06", "H53.12", "H53.14", "H53.15", "H53.20", "H53.26")
HOSTS_2025 = ("H53.01", "H53.06", "H53.12", "H53.14", "H53.15", "H53.101", "H53.133")
LIVES = ("h", "h", "h", "h", "mh", "mmh", "c", "mc", "hk", "hx", "d")
"""h held, m moved, c cancelled, k the minutes corrected, x deleted and restored, d deleted for good."""
ACTIONS = {"UPSERT": "luu", "CORRECT": "dinh_chinh", "DELETE": "xoa"}
STATES = {"du_kien": "SCHEDULED", "doi_lich": "MOVED", "huy": "CANCELLED", "da_hop": "HELD"}
DIALECT = Dialect("sua_tu", "trang", "so_dong", "sua_luc", lambda found: {"danh_sach": found})


def meeting(rng: random.Random, number: int, tag: str) -> Tale:
    """One meeting's life."""
    invited, hours = rng.randint(6, 60), rng.choice((1, 2, 2, 4))
    online, documents = rng.random() < 0.3, rng.randint(1, 14)
    planned = {"truc_tuyen": online, "so_moi": invited, "so_tai_lieu": documents}

    def move(state: Raw, now: int) -> Raw:
        starts = now + rng.randint(2, 30) * HOUR
        return {"trang_thai": "doi_lich", **_slot(starts, hours), "so_lan_doi": state["so_lan_doi"] + 1}

    def hold(state: Raw, _now: int) -> Raw:
        attended = rng.randint(invited // 2, invited)
        pages = documents * rng.randint(4, 20) * attended
        return {"trang_thai": "da_hop", "so_du": attended, "so_bieu_quyet": rng.randint(0, 5), "so_trang_giay": pages}

    steps: Mapping[str, Sequence[Beat]] = {
        "m": (Beat(move, 10 * MINUTE, 4 * HOUR),),
        "c": (Beat(lambda state, now: {"trang_thai": "huy"}, 10 * MINUTE, 8 * HOUR),),
        "h": (Beat(hold, 3 * HOUR, 2 * DAY),),
        "k": (Beat(lambda state, now: {"so_du": state["so_du"] - 1}, HOUR, 3 * DAY, "CORRECT", in_place=True),),
        "x": (Beat(lambda state, now: {}, HOUR, DAY, "DELETE"), Beat(lambda state, now: {}, HOUR, DAY)),
        "d": (Beat(lambda state, now: {}, HOUR, DAY, "DELETE", in_place=True),),
    }
    schedule = Beat(lambda state, now: _scheduled(rng, f"HKG-{tag}{number:05d}", hours, now) | planned)
    return Tale([schedule, *(beat for step in rng.choice(LIVES) for beat in steps[step])])


def _scheduled(rng: random.Random, key: str, hours: int, now: int) -> Raw:
    starts, modern = now + rng.randint(1, 9) * HOUR, now >= MERGER
    return {
        "ma_hop": key,
        "don_vi": rng.choice(HOSTS_2025 if modern else HOSTS),
        "ma_xa": rng.choice(province().wards["2025" if modern else "2022"]).code,
        "trang_thai": "du_kien",
        **_slot(starts, hours),
        "so_lan_doi": 0,
        "so_du": None,
        "so_bieu_quyet": 0,
        "so_trang_giay": 0,
    }


def _slot(starts: int, hours: int) -> Raw:
    return {"bat_dau": iso(starts), "ket_thuc": iso(starts + hours * HOUR)}


def render(assertion: Assertion) -> Raw:
    """As the meeting system sends it."""
    return {
        "ma_ban_ghi": f"{assertion.state['ma_hop']}/{assertion.step}",
        **assertion.state,
        "lan_sua": assertion.revision,
        "thao_tac": ACTIONS[assertion.op],
        "sua_luc": iso(assertion.at),
    }


def write_history(origin: Origin) -> list[Raw]:
    """Reference period and this year's stock."""
    found: list[Assertion] = []
    for tag, most, start, end in (
        ("r", REFERENCE_MEETINGS, REFERENCE_START, REFERENCE_END),
        ("s", STOCK_MEETINGS, origin.year_start, origin.anchor),
    ):
        number = max(3, round(most * min(1.0, origin.scale)))
        found += told_between(partial(meeting, tag=tag), number, f"{origin.seed}:{tag}:{ID}", start, end)
    return rendered(found, render)


def bad_records() -> list[Raw]:
    """Records that no mapping can place: an unknown state, more people than a meeting has, a code of no action."""
    tale = meeting(random.Random(ID), 0, "x")
    good = render(tale.play(0, REFERENCE_END - DAY))
    flaws: tuple[Raw, ...] = ({"trang_thai": "hoan"}, {"so_moi": -12}, {"thao_tac": "gop"})
    return [
        good | {"ma_ban_ghi": f"HKG-x{number}/0", "ma_hop": f"HKG-x{number:05d}"} | flaw
        for number, flaw in enumerate(flaws)
    ]


def row(raw: Raw) -> Row:
    """A record in canonical terms."""
    return {
        "entity_key": raw["ma_hop"],
        "revision": raw["lan_sua"],
        "op": {name: op for op, name in ACTIONS.items()}[raw["thao_tac"]],
        "status": STATES[raw["trang_thai"]],
        "starts_at": utc(raw["bat_dau"]),
        "online": raw["truc_tuyen"],
        "invited": raw["so_moi"],
        "attended": raw["so_du"] or 0,
        "documents": raw["so_tai_lieu"],
        "pages": raw["so_trang_giay"],
    }


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = [row(raw) for raw in read_emitted(state, ID)]
    meetings = of_period(final_states(rows), "starts_at", start, end)
    held = [each for each in meetings if each["status"] == "HELD"]
    kpis = {
        "meeting.held": count(len(held)),
        "meeting.cancelled": count(total(meetings, lambda each: each["status"] == "CANCELLED")),
        "meeting.moved": count(total(meetings, lambda each: each["status"] == "MOVED")),
        "meeting.online_share": share(total(held, lambda each: each["online"]), len(held)),
        "meeting.attendance_share": share(
            sum(each["attended"] for each in held), sum(each["invited"] for each in held)
        ),
        "meeting.documents": count(sum(each["documents"] for each in held)),
        "meeting.pages_saved": count(sum(each["pages"] for each in held)),
    }
    return Totals(kpis, {"meeting": len(rows)}, {ID: len(bad_records())})


def make(stage: Stage) -> Simulator:
    """The meeting system."""
    seed = stage.origin.seed

    def begin(number: int) -> TaleCase:
        return TaleCase(meeting(random.Random(f"{seed}:{number}:{ID}"), number, "l"), render)

    return RestSimulator(stage, "/api/lich-hop", DIALECT, write_history, begin, bad_records())


def environment(site: Site) -> dict[str, str]:
    return {"IOC_SECRET_MEETINGS_URL": site.http_url, "IOC_SECRET_MEETINGS_KEY": site.secret("api-key")}


def samples(origin: Origin) -> dict[str, Sample]:
    return {ID: Sample(write_history(origin), bad_records())}


MEETINGS = System(ID, {ID: "meeting"}, environment, make, expected, samples=samples)
