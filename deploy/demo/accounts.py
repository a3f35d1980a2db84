"""System 13, Tây Ninh Smart: a view of the app's database; 132,000 accounts on 30 September 2022."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path

from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.local_time import iso
from deploy.demo.province import province
from deploy.demo.reference import MERGER, REFERENCE_END, REFERENCE_START
from deploy.demo.simulation import Sample, Simulator, Site, Stage, System, Totals
from deploy.demo.sql_tables import ChangesSimulator, url
from deploy.demo.tales import DAY
from deploy.demo.tally import Row, count, final_states, of_period, share, total, utc, within

ID = "smart-accounts"
TABLE = "tai_khoan"
COLUMNS = (
    "ma_su_kien TEXT PRIMARY KEY, ma_tai_khoan TEXT, phien_ban INTEGER, hanh_dong TEXT, cap_nhat_luc TEXT, ma_xa TEXT, "
    "kenh TEXT, trang_thai TEXT, dang_ky_luc TEXT, xac_thuc_luc TEXT, dong_luc TEXT"
)
OPEN_ACCOUNTS, CLOSED_ACCOUNTS, STOCK_ACCOUNTS = 132_000, 400, 2_000
APP_START = REFERENCE_START - 200 * DAY
CHANNELS = ("app", "app", "app", "web", "vneid", "quay", "to_cns")
VERIFIED_AT_ONCE, VERIFIED_LATER = 0.45, 0.08
OPS = {"capnhat": "UPSERT", "dinhchinh": "CORRECT", "xoa": "DELETE"}
STATES = {"hoat_dong": "ACTIVE", "khoa": "LOCKED", "dong": "CLOSED"}


def registration(rng: random.Random, number: int, tag: str, registered: int, at: int) -> Raw:
    """A new account as the view first shows it at `at`."""
    wards = province().wards["2025" if at >= MERGER else "2022"]
    verified = rng.random() < VERIFIED_AT_ONCE
    return {
        "ma_su_kien": f"tns-{tag}{number:06d}-1",
        "ma_tai_khoan": f"TNS-{'rsl'.index(tag)}{number:06d}",
        "phien_ban": 1,
        "hanh_dong": "capnhat",
        "cap_nhat_luc": iso(at),
        "ma_xa": rng.choice(wards).code,
        "kenh": rng.choice(CHANNELS),
        "trang_thai": "hoat_dong",
        "dang_ky_luc": iso(registered),
        "xac_thuc_luc": iso(registered) if verified else None,
        "dong_luc": None,
    }


def following(raw: Raw, at: int, **changed: str) -> Raw:
    """The same account after a change."""
    revision = raw["phien_ban"] + 1
    event = f"{raw['ma_su_kien'].rpartition('-')[0]}-{revision}"
    return raw | {"ma_su_kien": event, "phien_ban": revision, "cap_nhat_luc": iso(at)} | changed


def _accounts(
    rng: random.Random, tag: str, number: int, closed: int, since: int, start: int, end: int
) -> Iterator[Raw]:
    """`number` accounts registered between `since` and `end`, shown from `start` on; the first `closed` end closed."""
    for which in range(number):
        registered = rng.randint(since, end - (2 * DAY if which < closed else 0))
        at = max(registered, start)
        raw = registration(rng, which, tag, registered, at)
        yield raw
        if which < closed:
            later = rng.randint(at, end)
            yield following(raw, later, trang_thai="dong", dong_luc=iso(later))
        elif raw["xac_thuc_luc"] is None and rng.random() < VERIFIED_LATER:
            later = rng.randint(at, end)
            yield following(raw, later, xac_thuc_luc=iso(later))


def write_history(origin: Origin) -> list[Raw]:
    """The reference period, ending with the published stock at scale 1, and this year so far."""
    rng = random.Random(f"{origin.seed}:{ID}")

    def scaled(most: int) -> int:
        return max(2, round(most * origin.scale))

    closed = scaled(CLOSED_ACCOUNTS)
    found = list(
        _accounts(rng, "r", scaled(OPEN_ACCOUNTS) + closed, closed, APP_START, REFERENCE_START, REFERENCE_END - DAY)
    )
    start = origin.year_start
    found += _accounts(rng, "s", scaled(STOCK_ACCOUNTS), 0, start, start, max(origin.anchor, start + 1))
    return sorted(found, key=lambda raw: (raw["cap_nhat_luc"], raw["phien_ban"]))


class LiveAccount:
    """Registered, then verified. See `deploy.demo.live.Case`."""

    def __init__(self, seed: int, number: int) -> None:
        self._rng = random.Random(f"{seed}:{number}:{ID}")
        self._number = number
        self._raw: Raw = {}
        self.length = 2

    def play(self, step: int, now: int) -> Raw:
        if step == 0:
            self._raw = registration(self._rng, self._number, "l", now, now)
        else:
            self._raw = following(self._raw, now, xac_thuc_luc=self._raw["xac_thuc_luc"] or iso(now))
        return self._raw

    def restore(self, step: int, at: int, raw: Raw) -> None:
        self._raw = raw


def bad_records() -> list[Raw]:
    """A channel that nobody knows, a phone number for an account, no day of registration."""
    flaws: tuple[Raw, ...] = ({"kenh": "facebook"}, {"ma_tai_khoan": "0900000017"}, {"dang_ky_luc": None})
    rng = random.Random(ID)
    good = [registration(rng, 900_000 + each, "r", REFERENCE_END, REFERENCE_END) for each in range(len(flaws))]
    return [raw | {"ma_su_kien": f"tns-x{each}"} | flaws[each] for each, raw in enumerate(good)]


def row(raw: Raw) -> Row:
    """A record in canonical terms."""
    return {
        "entity_key": raw["ma_tai_khoan"],
        "revision": raw["phien_ban"],
        "op": OPS[raw["hanh_dong"]],
        "status": STATES[raw["trang_thai"]],
        "registered_at": utc(raw["dang_ky_luc"]),
        "verified": raw["xac_thuc_luc"] is not None,
        "closed_at": utc(raw["dong_luc"]),
    }


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = [row(raw) for raw in read_emitted(state, ID)]
    accounts = final_states(rows)
    registered = of_period(accounts, "registered_at", start, end)
    until = total(accounts, lambda each: within(each["registered_at"], None, end))
    closed = total(accounts, lambda each: each["status"] == "CLOSED" and within(each["closed_at"], None, end))
    kpis = {
        "account.stock": count(until - closed),
        "account.registered": count(len(registered)),
        "account.verified_share": share(total(registered, lambda each: each["verified"]), len(registered)),
    }
    return Totals(kpis, {"account": len(rows)}, {ID: len(bad_records())})


def make(stage: Stage) -> Simulator:
    """The app's database."""
    begin = partial(LiveAccount, stage.origin.seed)
    return ChangesSimulator(stage, TABLE, COLUMNS, write_history, begin, bad_records())


def environment(site: Site) -> dict[str, str]:
    return {"IOC_SECRET_ACCOUNTS_URL": url(site)}


def samples(origin: Origin) -> dict[str, Sample]:
    return {ID: Sample(write_history(origin), bad_records())}


ACCOUNTS = System(
    ID, {ID: "account"}, environment, make, expected, folders=lambda site: (site.folder,), samples=samples
)
