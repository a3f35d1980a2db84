"""Converters: from one raw value to one value of the contract, or a MappingError that says what to mend.

Pure. A converter is called with values that are neither null nor empty; it never puts a value into a message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.clock import EPOCH
from connectors.errors import MappingError, Text

Convert = Callable[[Any], Any]

MEMO_ENTRIES = 131_072
"""Parsed minutes remembered: a year of office minutes; then the memory is emptied and starts again."""
TEXT_CHARACTERS = 1_024
"""Longest text of a field; longer ones are free text that does not belong into a contract."""
MILLISECOND = timedelta(milliseconds=1)
EARLIEST_MS = (datetime(2000, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
LATEST_MS = (datetime(2100, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
SECONDS = {f":{second:02d}": second * 1000 for second in range(60)}

TYPES = {
    str: Text("chuỗi", "a text"),
    bool: Text("đúng/sai", "a boolean"),
    int: Text("số nguyên", "an integer"),
    float: Text("số thực", "a decimal number"),
    dict: Text("đối tượng", "an object"),
    list: Text("danh sách", "a list"),
    type(None): Text("rỗng", "null"),
}
_OTHER = Text("kiểu khác", "of another type")


class Memo(dict[str, int]):
    """A function's results by argument, at C speed for known ones, at most MEMO_ENTRIES of them."""

    __slots__ = ("_compute",)

    def __init__(self, compute: Callable[[str], int]) -> None:
        super().__init__()
        self._compute = compute

    def __missing__(self, key: str) -> int:
        if len(self) >= MEMO_ENTRIES:
            self.clear()
        value = self[key] = self._compute(key)
        return value


def missing() -> MappingError:
    return MappingError(
        "missing",
        Text("thiếu giá trị bắt buộc", "the value is missing and needed"),
        Text("hệ thống nguồn phải gửi trường này", "the source system must send this field"),
    )


def misfit() -> MappingError:
    return MappingError(
        "misfit",
        Text("bản ghi không ánh xạ được", "the record cannot be mapped"),
        Text("kiểm tra cấu trúc bản ghi tại hệ thống nguồn", "check the record's structure at the source system"),
    )


def wrong_type(value: object, wanted: Text) -> MappingError:
    found = TYPES.get(type(value), _OTHER)
    return MappingError(
        "wrong_type",
        Text(f"giá trị là {found.vi}, cần {wanted.vi}", f"the value is {found.en}, {wanted.en} is needed"),
        Text("sửa kiểu dữ liệu tại hệ thống nguồn", "mend the type at the source system"),
    )


def _out_of_range(low: object, high: object) -> MappingError:
    return MappingError(
        "out_of_range",
        Text(f"giá trị ngoài khoảng {low}…{high}", f"the value is outside {low}…{high}"),
        Text("sửa giá trị tại hệ thống nguồn", "mend the value at the source system"),
    )


def _bad_format(shape: str) -> MappingError:
    return MappingError(
        "bad_format",
        Text(f"giá trị không đúng dạng {shape}", f"the value does not have the form {shape}"),
        Text("sửa giá trị tại nguồn hoặc mẫu trong ánh xạ", "mend the value at the source or the form in the mapping"),
    )


def text(value: Any) -> str:
    """A text as it is, not empty."""
    if value.__class__ is str:
        if 0 < len(value) <= TEXT_CHARACTERS:
            return value
        raise _out_of_range(1, f"{TEXT_CHARACTERS} ký tự/characters")
    raise wrong_type(value, TYPES[str])


def boolean(value: Any) -> bool:
    """True or false, never 0 or 1."""
    if value.__class__ is bool:
        return value
    raise wrong_type(value, TYPES[bool])


def integer(low: int, high: int) -> Convert:
    """An integer within the bounds; booleans and decimals are refused."""

    def convert(value: Any) -> int:
        if value.__class__ is int:
            if low <= value <= high:
                return value
            raise _out_of_range(low, high)
        raise wrong_type(value, TYPES[int])

    return convert


def decimal(low: float, high: float) -> Convert:
    """A finite number within the bounds, as float."""

    def convert(value: Any) -> float:
        if value.__class__ is not float and value.__class__ is not int:
            raise wrong_type(value, TYPES[float])
        number = float(value)
        if math.isfinite(number) and low <= number <= high:
            return number
        raise _out_of_range(low, high)

    return convert


def codes(table: Mapping[Any, Any]) -> Convert:
    """Raw code → contract value; the types of the raw codes count (`true` is not 1)."""
    kinds = {type(code) for code in table}
    wanted = TYPES[next(iter(kinds))]
    known = ", ".join(str(code) for code in table)

    def convert(value: Any) -> Any:
        if value.__class__ not in kinds:
            raise wrong_type(value, wanted)
        try:
            return table[value]
        except KeyError:
            raise MappingError(
                "unknown_code",
                Text(f"mã không có trong bảng ánh xạ ({known})", f"the code is not in the mapping's table ({known})"),
                Text("thêm mã vào bảng codes của ánh xạ", "add the code to the mapping's table of codes"),
            ) from None

    return convert


def matching(pattern: str) -> Convert:
    """A text that the whole pattern matches."""
    fullmatch = re.compile(pattern).fullmatch

    def convert(value: Any) -> str:
        if value.__class__ is not str:
            raise wrong_type(value, TYPES[str])
        if fullmatch(value) is None:
            raise _bad_format(pattern)
        return value

    return convert


_DOSSIER = re.compile(r"(?:\d{3}(?:\.\d{2})*\.H\d{2}|H\d{2}(?:\.\d+)*)-(\d{6})-\d{4,}").fullmatch
_DOSSIER_SHAPE = "H53.14-yyMMdd-0001 / 000.14.22.H53-yyMMdd-0001"


def _is_day(digits: str) -> int:
    try:
        date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        return 0
    return 1


_DAYS = Memo(_is_day)


def dossier_code(value: Any) -> str:
    """A dossier code of either form: org code (new, or old with its leading digits), date yyMMdd, sequence."""
    if value.__class__ is not str:
        raise wrong_type(value, TYPES[str])
    match = _DOSSIER(value)
    if match is None or not _DAYS[match[1]]:
        raise _bad_format(_DOSSIER_SHAPE)
    return value


_PROCEDURE = re.compile(r"(\d\.\d{6})(?:(?:\.\d{2,3})*\.H\d{2})?").fullmatch


def procedure_code(value: Any) -> str:
    """The national prefix: `1.002835.000.00.00.H53` and `1.002835.H53` are `1.002835`."""
    if value.__class__ is not str:
        raise wrong_type(value, TYPES[str])
    match = _PROCEDURE(value)
    if match is None:
        raise _bad_format("1.002835.000.00.00.H53 / 2.002622.H53")
    return match[1]


def _bad_time(pattern: str) -> MappingError:
    return MappingError(
        "bad_time",
        Text(f"không đọc được thời gian theo dạng {pattern}", f"the time cannot be read as {pattern}"),
        Text("sửa giá trị tại nguồn hoặc dạng time trong ánh xạ", "mend the value at the source or the mapping's time"),
    )


def _within_a_century(millis: int) -> int:
    if EARLIEST_MS <= millis < LATEST_MS:
        return millis
    raise _out_of_range("2000", "2099")


def iso_time(zone: ZoneInfo) -> Convert:
    """RFC 3339 → UTC epoch milliseconds; a time without an offset is local in `zone`."""
    parse = datetime.fromisoformat

    def convert(value: Any) -> int:
        if value.__class__ is not str:
            raise wrong_type(value, TYPES[str])
        try:
            moment = parse(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            millis = (moment - EPOCH) // MILLISECOND
        except (ValueError, OverflowError):
            raise _bad_time("2022-08-23T08:15:00+07:00") from None
        return _within_a_century(millis)

    return convert


_DIGITS = {"%d": ("day", 2), "%m": ("month", 2), "%Y": ("year", 4), "%H": ("hour", 2), "%M": ("minute", 2)}


def _reader(pattern: str) -> Callable[[str], datetime]:
    """strptime for `pattern`; where it has only plain numbers, a regular expression five times as fast."""
    directives = re.findall(r"%.", pattern)
    if not set(directives) <= set(_DIGITS) or len(directives) != len(set(directives)):
        return lambda value: datetime.strptime(value, pattern)  # noqa: DTZ007 - the caller adds the zone
    expression = re.escape(pattern)
    for directive, (name, width) in _DIGITS.items():
        expression = expression.replace(re.escape(directive), rf"(?P<{name}>[0-9]{{1,{width}}})")
    fullmatch = re.compile(expression).fullmatch

    def read(value: str) -> datetime:
        match = fullmatch(value)
        if match is None:
            raise ValueError
        parts = {"year": 1900, "month": 1, "day": 1} | {name: int(part) for name, part in match.groupdict().items()}
        return datetime(**parts)  # type: ignore[arg-type]  # noqa: DTZ001 - the caller adds the zone

    return read


def local_time(pattern: str, zone: ZoneInfo) -> Convert:
    """Local time by a strptime pattern → UTC epoch milliseconds. Whole minutes are parsed once and remembered."""
    by_minute = pattern.endswith(":%S")
    head = pattern[:-3] if by_minute else pattern

    read = _reader(head)

    def parse(value: str) -> int:
        try:
            moment = read(value).replace(tzinfo=zone)
        except ValueError:
            raise _bad_time(pattern) from None
        return _within_a_century((moment - EPOCH) // MILLISECOND)

    memo = Memo(parse)

    def convert(value: Any) -> int:
        if value.__class__ is not str:
            raise wrong_type(value, TYPES[str])
        if not by_minute:
            return memo[value]
        try:
            return memo[value[:-3]] + SECONDS[value[-3:]]
        except KeyError:
            raise _bad_time(pattern) from None

    return convert


def time_by(pattern: str, zone: ZoneInfo) -> Convert:
    """`iso` or a strptime pattern."""
    return iso_time(zone) if pattern == "iso" else local_time(pattern, zone)


def codeset(moment: Convert, steps: tuple[tuple[date | None, str], ...], zone: ZoneInfo) -> Convert:
    """The code set in force at a time: of the first step whose day (local midnight) has not begun."""
    bounds = tuple(
        (
            (datetime(day.year, day.month, day.day, tzinfo=zone) - EPOCH) // MILLISECOND if day else LATEST_MS,
            value,
        )
        for day, value in steps
    )

    def convert(value: Any) -> str:
        millis = moment(value)
        for bound, name in bounds:
            if millis < bound:
                return name
        return bounds[-1][1]

    return convert


def pseudonym(of: Callable[[str], str]) -> Convert:
    """A personal text → its pseudonym."""

    def convert(value: Any) -> str:
        if value.__class__ is not str:
            raise wrong_type(value, TYPES[str])
        return of(value)

    return convert
