"""Files of automatic environmental stations by Circular 10/2021/TT-BTNMT. Pure.

`<STATION>_<YYYYMMDDhhmmss>.txt`: lines `name⇥value⇥unit⇥YYYYMMDDhhmmss⇥status`, status 00 measuring, 01 calibrating,
02 device error. Values may have a decimal comma; a name may be `PM2,5`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from connectors.errors import MappingError, Text
from connectors.memo import Memo
from connectors.misfit import bad_time
from connectors.source import FILE, REVISION, ROW

STATUSES = frozenset(("00", "01", "02"))
FIELDS = 5

_NAME = re.compile(r"(?P<station>[^/]+)_(?P<time>\d{14})\.txt", re.IGNORECASE).fullmatch
_VALUE = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?").fullmatch
_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})").fullmatch
NO_VALUE = frozenset(("", "-", "--", "N/A", "NA", "NaN", "nan", "null"))


@dataclass(frozen=True, slots=True)
class StationFile:
    """What the lines say: readings, and the lines that are none with their numbers."""

    readings: list[dict[str, Any]]
    bad: list[tuple[int, MappingError]]


def station_and_time(name: str) -> tuple[str, str] | None:
    """Station code and time stamp of a file's name; None if it is no such name."""
    match = _NAME(name)
    return (match["station"], match["time"]) if match else None


def is_whole(data: bytes) -> bool:
    """Whether the last line is complete: it ends, or holds five fields and a whole status."""
    if data.endswith(b"\n"):
        return True
    fields = data.rsplit(b"\n", 1)[-1].split(b"\t")
    return len(fields) >= FIELDS and fields[FIELDS - 1].strip().decode("ascii", "replace") in STATUSES


def read_station_file(data: bytes, path: str, named: tuple[str, str], revision: int) -> StationFile:
    """Every line that is whole as a reading `{id, line, station, param, value, unit, at, status, sent}`.

    `named`: station and time stamp of the file's name. `at`: local ISO time. `id` is `station:param:at`, the same
    however often the reading is sent; `line` is `file#row`; `sent` is the file's time stamp as a number, so that a
    later file corrects an earlier one and the same file sent again says the same.
    """
    station, sent = named[0], int(named[1])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1258", "replace")
    readings: list[dict[str, Any]] = []
    bad: list[tuple[int, MappingError]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line == "\r":
            continue
        fields = [field.strip() for field in line.split("\t")]
        try:
            param, value, unit, at, status = fields[:FIELDS]
            moment = _ISO[at]
            readings.append(
                {
                    "id": f"{station}:{param}:{at}",
                    "line": f"{path}#{number}",
                    "sent": sent,
                    "station": station,
                    "param": param,
                    "value": _NUMBER[value],
                    "unit": unit,
                    "at": moment,
                    "status": _known(status),
                    FILE: path,
                    ROW: number,
                    REVISION: revision,
                }
            )
        except ValueError:
            bad.append((number, _too_short(len(fields))))
        except MappingError as error:
            bad.append((number, error))
    return StationFile(readings, bad)


def _number(value: str) -> float | None:
    if value in NO_VALUE:
        return None
    if _VALUE(value) is None:
        raise MappingError(
            "bad_number",
            Text("giá trị đo không phải số", "the measured value is no number"),
            Text("sửa cấu hình bộ ghi dữ liệu của trạm", "mend the configuration of the station's data logger"),
        ).at("value")
    return float(value.replace(",", "."))


def _iso(at: str) -> str:
    match = _TIME(at)
    if match is None:
        raise bad_time("YYYYMMDDhhmmss").at("at")
    return "{}-{}-{}T{}:{}:{}".format(*match.groups())


_NUMBER = Memo(_number)
_ISO = Memo(_iso)


def _known(status: str) -> str:
    if status not in STATUSES:
        raise MappingError(
            "unknown_code",
            Text("trạng thái thiết bị không phải 00, 01 hay 02", "the device status is not 00, 01 or 02"),
            Text("sửa cấu hình bộ ghi dữ liệu của trạm", "mend the configuration of the station's data logger"),
        ).at("status")
    return status


def _too_short(found: int) -> MappingError:
    return MappingError(
        "too_few_fields",
        Text(f"dòng có {found} trường, cần {FIELDS}", f"the line has {found} fields, {FIELDS} are needed"),
        Text(
            "mỗi dòng: tên, giá trị, đơn vị, thời gian, trạng thái, cách nhau bằng Tab",
            "each line: name, value, unit, time, status, separated by tabs",
        ),
    )
