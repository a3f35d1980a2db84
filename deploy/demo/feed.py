"""The portal's feed as pages of JSON: segments of records in the order of capNhatLuc, append-only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import polars as pl

from deploy.demo.reference import History
from deploy.demo.worktime import LOCAL_OFFSET_S

ACTIONS = ["capnhat", "dinhchinh", "xoa"]
"""By op: 0 update, 1 correction, 2 deletion."""


class Segment(Protocol):
    """A stretch of the feed."""

    def __len__(self) -> int: ...

    def first_since(self, second: int) -> int:
        """Position of the first record with capNhatLuc ≥ `second`."""
        ...

    def render(self, offset: int, count: int) -> bytes:
        """The records as JSON objects separated by commas; `count` ≥ 1 and within the segment."""
        ...


class HistorySegment:
    """Records generated as columns; rendered when asked for."""

    def __init__(self, history: History, tag: str) -> None:
        self._history = history
        self._tag = tag

    def __len__(self) -> int:
        return self._history.events.height

    def first_since(self, second: int) -> int:
        return int(self._history.events["at"].search_sorted(second, side="left"))

    def render(self, offset: int, count: int) -> bytes:
        return records(self._history, self._tag, offset, count).write_json().encode()[1:-1]


class RawSegment:
    """Records kept as they were rendered."""

    def __init__(self) -> None:
        self._moments: list[int] = []
        self._raw: list[bytes] = []

    def append(self, second: int, raw: bytes) -> None:
        self._moments.append(second)
        self._raw.append(raw)

    def __len__(self) -> int:
        return len(self._raw)

    def first_since(self, second: int) -> int:
        return bisect_left(self._moments, second)

    def render(self, offset: int, count: int) -> bytes:
        return b",".join(self._raw[offset : offset + count])


class Feed:
    """Segments one after the other; a position counts records from the first segment's start."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments

    def __len__(self) -> int:
        return sum(len(segment) for segment in self._segments)

    def first_since(self, second: int) -> int:
        base = 0
        for segment in self._segments:
            position = segment.first_since(second)
            if position < len(segment):
                return base + position
            base += len(segment)
        return base

    def page(self, position: int, size: int) -> tuple[bytes, int | None]:
        """The response body without its end, and the next position (None at the end of the feed)."""
        parts: list[bytes] = []
        base, left, end = 0, size, len(self)
        for segment in self._segments:
            offset = max(0, position - base)
            count = min(left, len(segment) - offset)
            if count > 0:
                parts.append(segment.render(offset, count))
                left -= count
            base += len(segment)
        following = position + size - left
        return b",".join(parts), following if following < end else None


def _slashed(column: str) -> pl.Expr:
    return pl.from_epoch(pl.col(column) + LOCAL_OFFSET_S, time_unit="s").dt.strftime("%d/%m/%Y %H:%M:%S")


def records(history: History, tag: str, offset: int, count: int) -> pl.DataFrame:
    """A slice of the history as the portal's records, one column per key."""
    events = history.events.slice(offset, count)
    dossiers = history.dossiers[events["dossier"]]
    frame = pl.concat([events.drop("channel"), dossiers.drop("channel")], how="horizontal")
    frame = frame.with_columns(events["channel"])
    event_id = pl.concat_str(
        pl.lit(f"dvc-{tag}"),
        pl.col("dossier").cast(pl.String).str.zfill(6),
        pl.lit("-"),
        pl.col("step").cast(pl.String).str.zfill(2),
    )
    at = pl.from_epoch(pl.col("at") + LOCAL_OFFSET_S, time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%S+07:00")
    return frame.select(
        maSuKien=event_id,
        maHoSo="key",
        phienBan="revision",
        hanhDong=pl.Series(ACTIONS).gather(events["op"].cast(pl.UInt32)),
        capNhatLuc=at,
        maDonVi="org",
        maTTHC="portal_code",
        linhVuc="field",
        kenh="channel",
        mucDo="level",
        trangThai="status",
        ngayNop=_slashed("filed"),
        ngayTiepNhan=_slashed("received"),
        ngayHenTra=_slashed("due"),
        ngayKetThuc=_slashed("ended"),
        ngayTraKetQua=_slashed("returned"),
        lePhi="fee",
        thanhToanTrucTuyen="paid",
        soHoaThanhPhan="digitised",
        ketQuaDienTu="electronic",
        danhGia=pl.when("rated").then("rating"),
        maXa="ward",
        nguoiNop=pl.struct(hoTen="name", cccd="cccd", dienThoai="phone"),
    )
