"""The ledgers as canonical rows, personal values and refusals to be expected: what tests hold the product against.

Times are UTC; the rows say what a right connector makes of each good record, derived apart from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from deploy.demo import bad
from deploy.demo.feed import records
from deploy.demo.ledger import FEEDBACK, PORTAL, Raw, read_histories, read_live, read_reports
from deploy.demo.systems import SYSTEMS
from deploy.demo.worktime import LOCAL

OPS = {"capnhat": "UPSERT", "dinhchinh": "CORRECT", "xoa": "DELETE"}
OP_BY_NUMBER = ["UPSERT", "CORRECT", "DELETE"]
CHANNELS = {1: "COUNTER", 2: "ONLINE", 3: "POST"}
FEEDBACK_CHANNELS = {"app": "APP", "1022": "HOTLINE", "web": "WEB", "zalo": "ZALO"}
URGENCIES = {"thuong": "NORMAL", "khan": "URGENT", "phuc_tap": "COMPLEX"}
STATUSES = {
    "moi": "NEW",
    "tiep_nhan": "RECEIVED",
    "chuyen_xu_ly": "FORWARDED",
    "dang_xu_ly": "IN_PROGRESS",
    "da_xu_ly": "RESOLVED",
    "dong": "CLOSED",
    "tu_choi": "REJECTED",
    "trung": "DUPLICATE",
}
MOMENT = pl.Datetime("ms", "UTC")

ENVELOPE_SCHEMA: dict[str, Any] = {
    "event_id": pl.String,
    "entity_key": pl.String,
    "revision": pl.Int64,
    "op": pl.String,
    "event_time": MOMENT,
    "org_code": pl.String,
    "admin_code": pl.String,
    "field": pl.String,
    "channel": pl.String,
}
DOSSIER_SCHEMA = ENVELOPE_SCHEMA | {
    "procedure_code": pl.String,
    "level": pl.Int64,
    "status": pl.Int64,
    "filed_at": MOMENT,
    "received_at": MOMENT,
    "due_at": MOMENT,
    "ended_at": MOMENT,
    "returned_at": MOMENT,
    "fee": pl.Int64,
    "paid_online": pl.Boolean,
    "components_digitised": pl.Boolean,
    "result_electronic": pl.Boolean,
    "rating": pl.Int64,
}
FEEDBACK_SCHEMA = ENVELOPE_SCHEMA | {
    "urgency": pl.String,
    "status": pl.String,
    "received_at": MOMENT,
    "due_at": MOMENT,
    "resolved_at": MOMENT,
    "extensions": pl.Int64,
    "rating": pl.Int64,
}


def _iso(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _slashed(text: str | None) -> datetime | None:
    if text is None:
        return None
    return datetime.strptime(text, "%d/%m/%Y %H:%M:%S").replace(tzinfo=LOCAL).astimezone(UTC)


def dossier_row(raw: Raw) -> dict[str, Any]:
    """A portal record in canonical terms."""
    return {
        "event_id": raw["maSuKien"],
        "entity_key": raw["maHoSo"],
        "revision": raw["phienBan"],
        "op": OPS[raw["hanhDong"]],
        "event_time": _iso(raw["capNhatLuc"]),
        "org_code": raw["maDonVi"],
        "admin_code": raw["maXa"],
        "field": raw["linhVuc"],
        "channel": CHANNELS[raw["kenh"]],
        "procedure_code": raw["maTTHC"][:8],
        "level": raw["mucDo"],
        "status": raw["trangThai"],
        "filed_at": _slashed(raw["ngayNop"]),
        "received_at": _slashed(raw["ngayTiepNhan"]),
        "due_at": _slashed(raw["ngayHenTra"]),
        "ended_at": _slashed(raw["ngayKetThuc"]),
        "returned_at": _slashed(raw["ngayTraKetQua"]),
        "fee": raw["lePhi"],
        "paid_online": raw["thanhToanTrucTuyen"],
        "components_digitised": raw["soHoaThanhPhan"],
        "result_electronic": raw["ketQuaDienTu"],
        "rating": raw["danhGia"],
    }


def feedback_row(raw: Raw) -> dict[str, Any]:
    """A 1022 event in canonical terms."""
    return {
        "event_id": raw["id"],
        "entity_key": raw["ma"],
        "revision": raw["phien_ban"],
        "op": OPS[raw["hanh_dong"]],
        "event_time": _iso(raw["cap_nhat_luc"]),
        "org_code": raw["don_vi"],
        "admin_code": raw["ma_xa"],
        "field": raw["linh_vuc"],
        "channel": FEEDBACK_CHANNELS[raw["kenh"]],
        "urgency": URGENCIES[raw["muc_do"]],
        "status": STATUSES[raw["trang_thai"]],
        "received_at": _iso(raw["nhan_luc"]),
        "due_at": _iso(raw["han_xu_ly"]),
        "resolved_at": _iso(raw["xu_ly_luc"]),
        "extensions": raw["gia_han"],
        "rating": raw["danh_gia"],
    }


def dossier_frame(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=DOSSIER_SCHEMA)


def feedback_frame(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=FEEDBACK_SCHEMA)


def _history_rows(state: Path) -> list[pl.DataFrame]:
    """The same as `dossier_row`, by columns: there are 600,000 of them."""
    frames = []
    for tag, history in read_histories(state).items():
        events, dossiers = history.events, history.dossiers[history.events["dossier"]]
        moments = {"filed_at": dossiers["filed"], "event_time": events["at"]}
        moments |= {f"{name}_at": events[name] for name in ("received", "due", "ended", "returned")}
        columns = {
            "event_id": records(history, tag, 0, events.height)["maSuKien"],
            "entity_key": dossiers["key"],
            "revision": events["revision"],
            "op": pl.Series(OP_BY_NUMBER).gather(events["op"].cast(pl.UInt32)),
            "org_code": dossiers["org"],
            "admin_code": dossiers["ward"],
            "field": dossiers["field"],
            "channel": pl.Series(["?", *CHANNELS.values()]).gather(events["channel"].cast(pl.UInt32)),
            "procedure_code": dossiers["code"],
            "level": dossiers["level"],
            "status": events["status"],
            "fee": dossiers["fee"],
            "paid_online": events["paid"],
            "components_digitised": dossiers["digitised"],
            "result_electronic": events["electronic"],
            "rating": pl.select(pl.when(events["rated"]).then(dossiers["rating"])).to_series(),
            **{
                name: (seconds * 1000).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
                for name, seconds in moments.items()
            },
        }
        frame = pl.DataFrame([series.alias(name) for name, series in columns.items()])
        frames.append(frame.select(pl.col(name).cast(kind) for name, kind in DOSSIER_SCHEMA.items()))
    return frames


def dossiers(state: Path) -> pl.DataFrame:
    """Every good record of the portal's feed, once (DOSSIER_SCHEMA)."""
    live = dossier_frame(dossier_row(event.raw) for event in read_live(state, PORTAL))
    return pl.concat([*_history_rows(state), live])


def feedback(state: Path) -> pl.DataFrame:
    """Every good event of the 1022 system, once (FEEDBACK_SCHEMA)."""
    rows = [feedback_row(raw) for raw in read_reports(state)]
    rows += [feedback_row(event.raw) for event in read_live(state, FEEDBACK)]
    return feedback_frame(rows)


def content_hash(frame: pl.DataFrame) -> pl.Series:
    """BLAKE2b over everything but the event's id: equal for two deliveries of one assertion."""
    parts = [pl.col(name).cast(pl.String).fill_null("\x00") for name in frame.columns if name != "event_id"]
    texts = frame.select(pl.concat_str(parts, separator="\x1f")).to_series()
    return pl.Series("hash", [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts])


def assertions(state: Path, system: str) -> pl.DataFrame:
    """(entity_key, revision, op, event_id, hash) of every good record of one system."""
    frame = dossiers(state) if system == PORTAL else feedback(state)
    return frame.select("entity_key", "revision", "op", "event_id").with_columns(content_hash(frame))


def refused(system: str) -> list[bad.BadRecord]:
    """The records to be expected in quarantine, each once."""
    return bad.portal_records() if system == PORTAL else bad.feedback_records()


def personal_values(state: Path) -> set[str]:
    """Names, citizen ids and phone numbers of everybody who was ever named in a record."""
    values: set[str] = set()
    for history in read_histories(state).values():
        for column in ("name", "cccd", "phone"):
            values.update(history.dossiers[column].unique())
    for event in read_live(state, PORTAL):
        values.update(event.raw["nguoiNop"].values())
    for raw in (*read_reports(state), *(event.raw for event in read_live(state, FEEDBACK))):
        values.update(raw["nguoi_phan_anh"].values())
    for record in (*bad.portal_records(), *bad.feedback_records()):
        values.update(record.personal)
    return values.union(*(system.personal(state) for system in SYSTEMS))
