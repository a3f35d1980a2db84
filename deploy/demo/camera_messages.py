"""System 3, what the camera centre says: violations, heartbeats, what must be refused, and what counts. Pure."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import orjson

from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.local_time import iso
from deploy.demo.mqtt_broker import Message
from deploy.demo.reference import REFERENCE_END, REFERENCE_START
from deploy.demo.simulation import Sample, Totals
from deploy.demo.tales import DAY, HOUR, Assertion, Beat, Tale, rendered, told_between
from deploy.demo.tally import Row, count, final_states, of_period, share, total, utc

ID = "traffic-cameras"
VIOLATIONS, HEARTBEATS = "traffic-violations", "camera-heartbeats"
CAMERAS = Path(__file__).parents[2] / "schemas" / "codes" / "camera.csv"
REFERENCE_VIOLATIONS, STOCK_VIOLATIONS = 2_400, 900
SLOT_S = 1_800
"""The history has a heartbeat of each camera every half hour of one day; live ones come as they are."""
LIVES = ("dvf", "dvfp", "dvf", "dv", "d", "dr", "dvr", "dvk", "drx")
"""d detected, v verified, r rejected, f fined, p paid, k corrected in place, x taken back to detected."""
ACTS = ("SPEEDING", "RED_LIGHT", "WRONG_LANE", "NO_HELMET", "STOPPING", "NO_ENTRY")
FINES = {"SPEEDING": 900_000, "RED_LIGHT": 5_000_000, "WRONG_LANE": 500_000, "NO_HELMET": 500_000}
ACTIONS = {"UPSERT": "cap_nhat", "CORRECT": "dinh_chinh", "DELETE": "xoa"}
STATES = {
    "phat_hien": "DETECTED",
    "xac_minh": "VERIFIED",
    "loai_bo": "REJECTED",
    "da_xu_phat": "FINED",
    "da_nop_phat": "PAID",
}
ONLINE = ("hoat_dong", "kem")


@lru_cache(maxsize=1)
def cameras() -> tuple[str, ...]:
    """All cameras' codes in force at both ends of the demonstration."""
    with CAMERAS.open(encoding="utf-8", newline="") as handle:
        return tuple(sorted({row["code"] for row in csv.DictReader(handle)}))


def violation(rng: random.Random, number: int, tag: str) -> Tale:
    """One violation's life."""
    camera, act = rng.choice(cameras()), rng.choice(ACTS)
    plate = f"70{rng.choice('ABCDEFGH')}-{rng.randint(100, 999)}.{rng.randint(10, 99)}"
    limit = rng.choice((50, 60, 80))

    def detect(_state: Raw, now: int) -> Raw:
        return {
            "ma_vi_pham": f"VP-{camera}-{tag}{number:06d}",
            "don_vi": "H53.03",
            "bien_so": plate,
            "mau_bien": rng.choice(("trang", "trang", "trang", "vang", "xanh")),
            "loai_xe": rng.choice(("oto", "oto", "xe_may", "xe_tai", "xe_khach")),
            "thoi_diem": iso(now),
            "hanh_vi": act,
            "toc_do": limit + rng.randint(6, 45) if act == "SPEEDING" else None,
            "toc_do_cho_phep": limit if act == "SPEEDING" else None,
            "trang_thai": "phat_hien",
            "xu_ly_luc": None,
            "so_qd": None,
            "ngay_qd": None,
            "tien_phat": None,
        }

    def fine(_state: Raw, now: int) -> Raw:
        decision = f"{rng.randint(100, 9999)}/QĐ-XPHC"
        return {
            "trang_thai": "da_xu_phat",
            "so_qd": decision,
            "ngay_qd": iso(now),
            "tien_phat": FINES.get(act, 350_000),
        }

    steps: Mapping[str, Beat] = {
        "d": Beat(detect),
        "v": Beat(_judged("xac_minh"), HOUR, 3 * DAY),
        "r": Beat(_judged("loai_bo"), HOUR, 3 * DAY),
        "f": Beat(fine, DAY, 9 * DAY),
        "p": Beat(lambda state, now: {"trang_thai": "da_nop_phat"}, DAY, 9 * DAY),
        "k": Beat(lambda state, now: {"hanh_vi": "WRONG_WAY"}, HOUR, DAY, "CORRECT", in_place=True),
        "x": Beat(lambda state, now: {"trang_thai": "phat_hien", "xu_ly_luc": None}, HOUR, 2 * DAY, "CORRECT"),
    }
    return Tale([steps[step] for step in rng.choice(LIVES)])


def _judged(state: str) -> Any:
    return lambda _state, now: {"trang_thai": state, "xu_ly_luc": iso(now)}


def render(assertion: Assertion) -> Raw:
    """The message as the centre publishes it, with its topic."""
    state = assertion.state
    camera = state["ma_vi_pham"].split("-")[1]
    message = {
        "ma_su_kien": f"{state['ma_vi_pham']}/{assertion.step}",
        **state,
        "phien_ban": assertion.revision,
        "thao_tac": ACTIONS[assertion.op],
        "sua_luc": iso(assertion.at),
    }
    return {"topic": f"camera/{camera}/vi-pham", "message": message}


def heartbeat(rng: random.Random, camera: str, at: int, interval_s: int, revision: int = 1) -> Raw:
    """One camera's report of one slot; a later report of the same slot has a higher `revision`."""
    state = rng.choices(("hoat_dong", "kem", "mat_ket_noi"), (91, 4, 5))[0]
    message = {
        "luc": iso(at),
        "trang_thai": state,
        "khung_giay": interval_s,
        "lan": revision,
        "do_tre_ms": None if state == "mat_ket_noi" else rng.randint(8, 140),
        "loi": "NO_SIGNAL" if state == "mat_ket_noi" else None,
    }
    return {"topic": f"camera/{camera}/nhip", "message": message}


def write_history(origin: Origin) -> list[Raw]:
    """Violations of the nine months and this year; a day of heartbeats in each."""
    found: list[Raw] = []
    for tag, most, start, end in (
        ("r", REFERENCE_VIOLATIONS, REFERENCE_START, REFERENCE_END),
        ("s", STOCK_VIOLATIONS, origin.year_start, origin.anchor),
    ):
        number, seed = max(5, round(most * min(1.0, origin.scale))), f"{origin.seed}:{tag}:{ID}"
        found += rendered(told_between(partial(violation, tag=tag), number, seed, start, end), render)
        rng = random.Random(f"{seed}:nhip")
        last = end - end % SLOT_S - SLOT_S
        slots = range(last - max(2, round(47 * min(1.0, origin.scale))) * SLOT_S, last + 1, SLOT_S)
        found += [heartbeat(rng, camera, at, SLOT_S) for at in slots for camera in cameras()]
    return found


def row(raw: Raw) -> Row:
    """A message in canonical terms; which of both entities tells its topic."""
    message = raw["message"]
    if raw["topic"].endswith("/nhip"):
        camera = raw["topic"].split("/")[1]
        online = message["trang_thai"] in ONLINE
        return {
            "entity_key": f"{camera}:{message['luc']}",
            "revision": message["lan"],
            "op": "UPSERT",
            "at": utc(message["luc"]),
            "online": online,
        }
    return {
        "entity_key": message["ma_vi_pham"],
        "revision": message["phien_ban"],
        "op": {name: op for op, name in ACTIONS.items()}[message["thao_tac"]],
        "status": STATES[message["trang_thai"]],
        "violated_at": utc(message["thoi_diem"]),
        "fined_at": utc(message["ngay_qd"]),
        "fine": message["tien_phat"] or 0,
        "act": message["hanh_vi"],
    }


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    emitted = read_emitted(state, ID)
    rows = [row(raw) for raw in emitted if raw["topic"].endswith("/vi-pham")]
    beats = [row(raw) for raw in emitted if raw["topic"].endswith("/nhip")]
    lives = final_states(rows)
    found = of_period(lives, "violated_at", start, end)
    decided = [each for each in found if each["status"] != "DETECTED"]
    fined = [each for each in of_period(lives, "fined_at", start, end) if each["status"] in ("FINED", "PAID")]
    seen = of_period(final_states(beats), "at", start, end)
    kpis = {
        "violation.detected": count(total(found, lambda each: each["status"] != "REJECTED")),
        "violation.waiting": count(len(found) - len(decided)),
        "violation.rejected_share": share(total(decided, lambda each: each["status"] == "REJECTED"), len(decided)),
        "violation.fined": count(len(fined)),
        "violation.fines": count(sum(each["fine"] for each in fined)),
        "camera_heartbeat.online_share": share(total(seen, lambda each: each["online"]), len(seen)),
    }
    records = {"violation": len(rows), "camera_heartbeat": len(beats)}
    return Totals(kpis, records, {name: len(found) for name, found in _bad_by_connector().items()})


def bad_messages() -> list[Message]:
    """Messages that must be refused: broken JSON, an unknown act, a camera that is none, a slot without a length."""
    good = render(violation(random.Random(ID), 0, "x").play(0, REFERENCE_END - DAY))
    beat = heartbeat(random.Random(ID), cameras()[0], REFERENCE_END - DAY - 7, SLOT_S)
    flaws: tuple[Raw, ...] = ({"hanh_vi": "VUOT_AU"}, {"toc_do": -20}, {"thoi_diem": "1970-01-01T00:00:00+07:00"})
    found = [
        (good["topic"], orjson.dumps({**good["message"], "ma_vi_pham": f"VP-x{number}", **flaw}))
        for number, flaw in enumerate(flaws)
    ]
    found.append((good["topic"], orjson.dumps(good["message"])[:-40]))
    beats: tuple[tuple[str, Raw], ...] = (
        ("camera/CAM999/nhip", {}),
        (beat["topic"], {"trang_thai": "ngu"}),
        (beat["topic"], {"khung_giay": 0}),
    )
    return found + [(topic, orjson.dumps({**beat["message"], **flaw})) for topic, flaw in beats]


def _bad_by_connector() -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = {VIOLATIONS: [], HEARTBEATS: []}
    for topic, payload in bad_messages():
        found[HEARTBEATS if topic.endswith("/nhip") else VIOLATIONS].append((topic, payload))
    return found


def plates(state: Path) -> set[str]:
    """Every plate that was ever named."""
    return {raw["message"]["bien_so"] for raw in read_emitted(state, ID) if "bien_so" in raw["message"]}


def message_of(raw: Raw) -> Message:
    return raw["topic"], orjson.dumps(raw["message"])


class HeartbeatCase:
    """A live heartbeat. See `deploy.demo.live.Case`."""

    length = 1

    def __init__(self, seed: int, number: int) -> None:
        self._rng, self._number = random.Random(f"{seed}:{number}:nhip"), number

    def play(self, step: int, now: int) -> Raw:
        return heartbeat(self._rng, self._rng.choice(cameras()), now, 300, self._number + 1)

    def restore(self, step: int, at: int, raw: Raw) -> None:
        return


def samples(origin: Origin) -> dict[str, Sample]:
    """As the source hands messages out: with the camera of the topic; broken JSON never gets so far."""
    found: dict[str, Sample] = {}
    for name, end in ((VIOLATIONS, "/vi-pham"), (HEARTBEATS, "/nhip")):
        good = [_handed(raw["topic"], raw["message"]) for raw in write_history(origin) if raw["topic"].endswith(end)]
        bad = [
            _handed(topic, orjson.loads(payload))
            for topic, payload in _bad_by_connector()[name]
            if payload.endswith(b"}")
        ]
        found[name] = Sample(good, bad)
    return found


def _handed(topic: str, message: Raw) -> Raw:
    return {**message, "_topic": topic, "camera": topic.split("/")[1]}
