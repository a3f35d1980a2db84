"""What pydantic finds wrong with a declared value, said in Vietnamese and English, with the cure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from schemas.text import Text

TYPES = {
    str: Text("chuỗi", "a text"),
    bool: Text("đúng/sai", "true or false"),
    int: Text("số nguyên", "an integer"),
    float: Text("số thực", "a decimal number"),
    dict: Text("khối khóa–giá trị", "a block of keys"),
    list: Text("danh sách", "a list"),
    type(None): Text("để trống", "empty"),
}

WANTED = {
    "string_type": Text("chuỗi; hãy đặt trong dấu nháy", "a text; put it in quotes"),
    "string_sub_type": Text("chuỗi; hãy đặt trong dấu nháy", "a text; put it in quotes"),
    "int_type": Text("số nguyên", "an integer"),
    "int_parsing": Text("số nguyên", "an integer"),
    "int_from_float": Text("số nguyên, không có phần lẻ", "an integer, without decimals"),
    "float_type": Text("số", "a number"),
    "float_parsing": Text("số", "a number"),
    "finite_number": Text("số hữu hạn", "a finite number"),
    "bool_type": Text("true hoặc false", "true or false"),
    "bool_parsing": Text("true hoặc false", "true or false"),
    "dict_type": Text("khối khóa–giá trị", "a block of keys and values"),
    "model_type": Text("khối khóa–giá trị", "a block of keys and values"),
    "model_attributes_type": Text("khối khóa–giá trị", "a block of keys and values"),
    "list_type": Text("danh sách", "a list"),
    "tuple_type": Text("danh sách", "a list"),
    "date_type": Text("ngày dạng 2026-02-17", "a date such as 2026-02-17"),
    "date_parsing": Text("ngày dạng 2026-02-17", "a date such as 2026-02-17"),
    "date_from_datetime_parsing": Text("ngày dạng 2026-02-17", "a date such as 2026-02-17"),
    "date_from_datetime_inexact": Text(
        "ngày dạng 2026-02-17, không có giờ", "a date such as 2026-02-17 without a time"
    ),
    "datetime_type": Text("thời điểm dạng 2026-02-17T08:00:00+07:00", "a time such as 2026-02-17T08:00:00+07:00"),
    "datetime_parsing": Text("thời điểm dạng 2026-02-17T08:00:00+07:00", "a time such as 2026-02-17T08:00:00+07:00"),
    "datetime_from_date_parsing": Text(
        "thời điểm dạng 2026-02-17T08:00:00+07:00", "a time such as 2026-02-17T08:00:00+07:00"
    ),
    "timezone_aware": Text(
        "thời điểm có múi giờ, như 2026-02-17T08:00:00+07:00", "a time with its offset, 2026-02-17T08:00:00+07:00"
    ),
}
"""What was needed, by pydantic's type of error."""

BOUNDS = {
    "greater_than": ("gt", "phải lớn hơn {}", "must be greater than {}"),
    "greater_than_equal": ("ge", "phải ít nhất là {}", "must be at least {}"),
    "less_than": ("lt", "phải nhỏ hơn {}", "must be less than {}"),
    "less_than_equal": ("le", "phải nhiều nhất là {}", "must be at most {}"),
    "string_too_short": ("min_length", "phải có ít nhất {} ký tự", "must have at least {} characters"),
    "string_too_long": ("max_length", "phải có nhiều nhất {} ký tự", "must have at most {} characters"),
    "too_short": ("min_length", "phải có ít nhất {} phần tử", "must have at least {} items"),
    "too_long": ("max_length", "phải có nhiều nhất {} phần tử", "must have at most {} items"),
}
"""The bound's name in the error's context, and how it is said."""


def type_of(value: object) -> Text:
    """The type of a value as an officer knows it; never the value itself, which may be a secret."""
    return TYPES.get(type(value), Text(type(value).__name__, type(value).__name__))


def explain(error: Mapping[str, Any]) -> Text:
    """One fault, to be read after the quoted path."""
    kind = error["type"]
    context = error.get("ctx") or {}
    if kind == "missing":
        return Text("còn thiếu", "is missing")
    if kind in WANTED:
        given, wanted = type_of(error.get("input")), WANTED[kind]
        return Text(f"là {given.vi}, cần {wanted.vi}", f"is {given.en}; needed: {wanted.en}")
    if kind in BOUNDS:
        name, vi, en = BOUNDS[kind]
        bound = f"{context[name]:g}" if isinstance(context[name], float) else str(context[name])
        return Text(vi.format(bound), en.format(bound))
    if kind in {"literal_error", "union_tag_invalid", "enum"}:
        return _choice(error, context)
    if kind == "union_tag_not_found":
        key = str(context.get("discriminator", "type")).strip("'")
        return Text(f"còn thiếu khóa «{key}»", f"lacks the key “{key}”")
    if kind == "string_pattern_mismatch":
        return Text(f"không đúng mẫu {context['pattern']}", f"does not have the form {context['pattern']}")
    detail = str(error["msg"]).removeprefix("Value error, ")
    return Text(f"có giá trị sai: {detail}", f"has a wrong value: {detail}")


def _choice(error: Mapping[str, Any], context: Mapping[str, Any]) -> Text:
    """The allowed words, the nearest first where one is like what was written."""
    listed = str(context.get("expected") or context.get("expected_tags", "")).replace(" or ", ", ")
    words = [word.strip().strip("'") for word in listed.split(",")]
    given = str(context.get("tag") or error.get("input"))
    near = difflib.get_close_matches(given, words, n=1, cutoff=0.5)
    known = ", ".join(words)
    if near:
        return Text(
            f"không có giá trị này; có phải «{near[0]}»? (được dùng: {known})",
            f"is none of the known values; did you mean “{near[0]}”? (known: {known})",
        )
    return Text(f"không có giá trị này; được dùng: {known}", f"is none of the known values: {known}")
