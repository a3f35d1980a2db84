"""Converting by a code table of the hub. Pure; see `connectors/convert.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.convert import Convert
from connectors.errors import MappingError, Text
from connectors.misfit import TYPES, wrong_type
from schemas.codes_table import CodeTable


def table_values(table: CodeTable, by: str, give: str, where: Mapping[str, str]) -> dict[str, str]:
    """What each value of column `by` gives; MappingError where one value would give two."""
    columns = {name: number for number, name in enumerate(table.columns)}
    found: dict[str, str] = {}
    for row in table.rows:
        if any(row[columns[name]] != value for name, value in where.items()):
            continue
        key, value = row[columns[by]], row[columns[give]]
        if found.setdefault(key, value) != value:
            raise MappingError(
                "ambiguous",
                Text(
                    f"cột {by} có giá trị {key!r} ứng với hai giá trị {give}; hãy thêm where",
                    f"gives two values of {give} for {key!r} in column {by}; add where",
                ),
                Text("thêm where", "add where"),
            )
    return found


def lookup(name: str, values: Mapping[str, Any]) -> Convert:
    """Raw text or whole number → what the table gives for it."""

    def convert(value: Any) -> Any:
        if value.__class__ is not str and value.__class__ is not int:
            raise wrong_type(value, TYPES[str])
        try:
            return values[value if value.__class__ is str else str(value)]
        except KeyError:
            raise MappingError(
                "unknown_code",
                Text(f"mã không có trong bảng mã {name}", f"the code is not in the code table {name}"),
                Text("sửa mã tại nguồn hoặc bổ sung bảng mã", "mend the code at the source or add it to the table"),
            ) from None

    return convert
