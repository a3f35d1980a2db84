"""What reads or writes a whole column gives what is given value by value, or says that it does not know."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.column_encode import doubles, zigzags
from connectors.column_times import column_codesets, column_times
from connectors.convert_time import codeset, time_by
from connectors.encode import Encoder, zigzag
from connectors.errors import MappingError
from connectors.mapping import Mapper
from connectors.packing import WORTH, Packer
from tests.portal_server import record
from tests.unit.test_packing import CONTRACTS, FOUND

INGEST_MS = 1_661_240_000_000
ZONES = [ZoneInfo(name) for name in ("Asia/Ho_Chi_Minh", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe")]
PATTERNS = [
    "iso",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y",
    "%Y%m%d%H%M",
    "%H:%M %d-%m-%Y",
    "ngày %d tháng %m năm %Y",
    "%d/%m/%y",
]
MOMENTS = st.datetimes(datetime(1999, 12, 30), datetime(2100, 1, 2))  # noqa: DTZ001 - local times
OFFSETS = ["", "Z", "+07:00", "-03:30", "+00:00", "+23:59", "+24:00", "+0700", "+07:60"]


def one_by_one(convert: Any, column: Sequence[Any]) -> list[Any] | None:
    try:
        return [convert(value) for value in column]
    except MappingError:
        return None


@st.composite
def times(draw: st.DrawFn, pattern: str) -> list[str]:
    offset = draw(st.sampled_from(OFFSETS))
    made = [
        moment.strftime("%Y-%m-%dT%H:%M:%S") + offset if pattern == "iso" else moment.strftime(pattern)
        for moment in draw(st.lists(MOMENTS, min_size=1, max_size=6))
    ]
    if draw(st.booleans()):
        place = draw(st.integers(0, len(made) - 1))
        wrong = list(made[place])
        wrong[draw(st.integers(0, len(wrong) - 1))] = draw(st.sampled_from("09/-:TZ x٣"))
        made[place] = "".join(wrong)
    return made


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_column_of_times_is_read_as_each_of_them(pattern: str, data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(ZONES))
    column = data.draw(times(pattern))
    steps = ((datetime(2022, 7, 1).date(), "a"), (datetime(2025, 7, 1).date(), "b"), (None, "c"))  # noqa: DTZ001
    at_once = column_times(pattern, zone)
    found = at_once(column) if at_once else None
    if found is not None:
        assert found.tolist() == one_by_one(time_by(pattern, zone), column)
        assert at_once
        sets = column_codesets(at_once, steps, zone)
        assert sets(column) == one_by_one(codeset(time_by(pattern, zone), steps, zone), column)


@pytest.mark.parametrize("pattern", ["iso", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y", "%Y%m%d%H%M"])
def test_the_times_of_a_century_are_read_at_once(pattern: str) -> None:
    zone = ZONES[0]
    moments = [
        datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=61 * day % 1440) for day in range(1, 36524)
    ]
    column = [at.isoformat() if pattern == "iso" else at.strftime(pattern) for at in moments]
    at_once = column_times(pattern, zone)
    found = at_once(column) if at_once else None
    assert found is not None
    assert found.tolist() == one_by_one(time_by(pattern, zone), column)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20), st.sampled_from([b"", b"\x02"]))
def test_whole_numbers_are_written_as_each_of_them(values: list[int], head: bytes) -> None:
    assert zigzags(np.array(values, dtype=np.int64), head) == [head + zigzag(value) for value in values]


@given(st.lists(st.floats(), min_size=1, max_size=9), st.sampled_from([b"", b"\x00"]))
def test_doubles_keep_their_bits(values: list[float], head: bytes) -> None:
    written = doubles(np.array(values), head)
    assert np.frombuffer(b"".join(each[len(head) :] for each in written), "<f8").tobytes() == np.array(values).tobytes()
    assert all(each[: len(head)] == head for each in written)


# --- whole records -----------------------------------------------------------------------------------------------


def feedback(dice: random.Random, number: int) -> dict[str, Any]:
    at = datetime(2022, 1, 3, tzinfo=UTC) + timedelta(seconds=dice.randrange(9_000_000))
    return {
        "id": f"e-{number}",
        "don_vi": "H53.14",
        "ma": f"PA-220105-{number:04d}",
        "phien_ban": dice.randrange(1, 4),
        "hanh_dong": "capnhat",
        "cap_nhat_luc": at.isoformat(),
        "ma_xa": f"{25459 + dice.randrange(9)}",
        "kenh": dice.choice(["app", "1022", "web"]),
        "linh_vuc": dice.choice(["Môi trường", "Giao thông"]),
        "muc_do": "thuong",
        "trang_thai": "moi",
        "nhan_luc": at.isoformat(),
        "han_xu_ly": dice.choice([None, "", at.isoformat()]),
        "gia_han": dice.choice([None, 0, 2]),
        "vi_do": dice.choice([None, 11.3, 0.0, -0.0, 11]),
        "kinh_do": 106.1,
        "danh_gia": None,
        "nguoi_phan_anh": {"ho_ten": "Trần Văn Sáu", "dien_thoai": f"09{number:08d}"},
    }


def portal(dice: random.Random, number: int) -> dict[str, Any]:
    at = datetime(2022, 1, 3, tzinfo=UTC) + timedelta(seconds=dice.randrange(9_000_000))
    local = f"{at:%d/%m/%Y %H:%M:%S}"
    return record(number, at.isoformat(), ngayNop=local, ngayKetThuc=dice.choice([local, None, ""]), lePhi=number * 7)


ODD: list[Any] = [None, "", True, False, 0, 1, 1.0, -1, 2**70, 0.5, "x", "1,5", [], {}, {"a": 1}, float("nan"), -0.0]
MAKERS = {"portal": portal, "feedback-1022": feedback}


@st.composite
def records(draw: st.DrawFn, name: str) -> list[Any]:
    """Enough for columns, nearly all good; in some a value is odd, a field is away, or the record is none."""
    dice = random.Random(draw(st.integers(0, 99)))
    made: list[Any] = [MAKERS[name](dice, number) for number in range(WORTH + dice.randrange(30))]
    for _ in range(draw(st.integers(0, 3))):
        place, field = dice.randrange(len(made)), dice.choice(sorted(made[0]))
        if draw(st.integers(0, 2)):
            made[place][field] = draw(st.sampled_from(ODD))
        else:
            made[place].pop(field, None)
    if draw(st.integers(0, 9)) == 0:
        made[dice.randrange(len(made))] = draw(st.sampled_from([None, 7, "text", []]))
    return made


PACKERS = {name: Packer(FOUND[name][1], CONTRACTS[FOUND[name][0].entity], 7) for name in MAKERS}
"""Kept between examples: what was remembered must not change what comes after."""


@pytest.mark.parametrize("name", sorted(MAKERS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_records_by_column_give_what_they_give_one_by_one(name: str, data: st.DataObject) -> None:
    manifest, mapper = FOUND[name]
    raw = data.draw(records(name))
    mapped = mapper(raw, INGEST_MS)
    packed = PACKERS[name](raw, INGEST_MS)
    assert packed.messages == Encoder(CONTRACTS[manifest.entity], 7)(mapped.rows)
    assert packed.newest_ms == max((row["event_time"] for row in mapped.rows), default=None)
    assert told(packed.refused) == told(mapped.refused)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_good_records_need_no_second_look(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object) -> None:
        raise AssertionError("a record was looked at by itself")

    manifest, mapper = FOUND[name]
    dice = random.Random(1)
    raw = [MAKERS[name](dice, number) for number in range(200)]
    packer = Packer(mapper, CONTRACTS[manifest.entity], 7)
    monkeypatch.setattr(Mapper, "explain", looked)
    monkeypatch.setattr(packer, "_run", looked)
    assert len(packer(raw, INGEST_MS).messages) == 200


def told(refused: Sequence[Any]) -> list[tuple[str, str, str]]:
    return [(repr(item.raw), item.error.code, item.error.path) for item in refused]
