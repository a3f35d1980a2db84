"""The province's code tables as the simulators need them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from schemas.codes_table import CodeTable, load_code_tables

AT_THE_COUNTER_NEARBY = (
    "Đất đai",
    "Hộ tịch",
    "Chứng thực",
    "Hộ kinh doanh",
    "Bảo trợ xã hội",
    "Người có công",
    "Xây dựng",
    "Cư trú",
)
"""Fields mostly handled by the district or, after the merger, the commune."""


@dataclass(frozen=True, slots=True)
class Ward:
    code: str
    name: str
    latitude: float
    longitude: float
    org: str
    """The unit that handles what is filed there: the district (2022) or the commune (2025)."""


@dataclass(frozen=True)
class Province:
    """`procedures` has the columns code, field, level, online (0/1), org_code; `wards` by code set."""

    procedures: pl.DataFrame
    wards: dict[str, tuple[Ward, ...]]


def _frame(table: CodeTable) -> pl.DataFrame:
    return pl.DataFrame(list(table.rows), schema=list(table.columns), orient="row")


@lru_cache(maxsize=1)
def province() -> Province:
    tables = load_code_tables()
    procedures = _frame(tables["procedure"]).select(
        "code", "field", pl.col("level", "online").cast(pl.UInt8), "org_code"
    )
    orgs = _frame(tables["org"])
    districts = {row["district"]: row["code"] for row in orgs.iter_rows(named=True) if row["district"]}
    communes = orgs.filter(pl.col("level") == "commune")["code"].to_list()
    units = _frame(tables["admin_unit"]).filter(pl.col("kind") == "ward")
    wards: dict[str, tuple[Ward, ...]] = {}
    for codeset in ("2022", "2025"):
        rows = list(units.filter(pl.col("codeset") == codeset).iter_rows(named=True))
        owners = [districts[row["parent"]] for row in rows] if codeset == "2022" else communes
        wards[codeset] = tuple(
            Ward(row["code"], row["name_vi"], float(row["latitude"]), float(row["longitude"]), owner)
            for row, owner in zip(rows, owners, strict=True)
        )
    return Province(procedures, wards)
