"""A rule of a mapping as people read it: where a value comes from, and what becomes of it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from connectors.errors import Text
from connectors.lookup_config import Lookup
from connectors.rules import FieldRule


def origin(rule: FieldRule) -> str:
    """Where the value stands in the record: a path, a constant, an expression."""
    if rule.expr is not None:
        return f"= {rule.expr}" if rule.source is None else f"{rule.source} = {rule.expr}"
    if rule.const is not None:
        return f"= {rule.const}"
    return rule.source or ""


def in_words(rule: FieldRule) -> Text:
    """What is done with it, in half sentences; empty where it is copied."""
    said = [word(rule) for has, word in _WORDS if has(rule)]
    return Text("; ".join(text.vi for text in said), "; ".join(text.en for text in said))


def lookup_words(lookup: Lookup) -> Text:
    """One sentence about a join with a code table."""
    by = ", ".join(f"{column} = {path}" for column, path in lookup.by.items())
    gives = ", ".join(f"{key} = {column}" for key, column in lookup.give.items())
    day_vi = f", dòng có hiệu lực vào ngày của {lookup.at.source}" if lookup.at else ""
    day_en = f", the row in force on the day of {lookup.at.source}" if lookup.at else ""
    last = (
        Text("không có dòng thì để trống", "without a row the values stay empty")
        if lookup.optional
        else Text("không có dòng thì bản ghi bị từ chối", "without a row the record is refused")
    )
    vi, en = f"bảng mã {lookup.table} theo {by}{day_vi}", f"code table {lookup.table} by {by}{day_en}"
    if gives:
        vi, en = f"{vi}; cho {gives}", f"{en}; gives {gives}"
    return Text(f"{vi}; {last.vi}", f"{en}; {last.en}")


def _codes(rule: FieldRule) -> Text:
    pairs = ", ".join(f"{raw} → {value}" for raw, value in (rule.codes or {}).items())
    return Text(f"đổi mã: {pairs}; mã khác bị từ chối", f"codes: {pairs}; any other is refused")


def _table(rule: FieldRule) -> Text:
    assert rule.table is not None
    name, by, give = rule.table.name, rule.table.by, rule.table.give
    return Text(f"bảng mã {name}: {by} → {give}", f"code table {name}: {by} → {give}")


def _time(rule: FieldRule) -> Text:
    forms = ", ".join(rule.times)
    return Text(f"thời gian dạng {forms}", f"time as {forms}")


def _codeset(rule: FieldRule) -> Text:
    steps = rule.codeset or ()
    vi = ", ".join(
        f"{step.value} trước {step.before:%d/%m/%Y}" if step.before else f"sau đó {step.value}" for step in steps
    )
    en = ", ".join(f"{step.value} before {step.before}" if step.before else f"then {step.value}" for step in steps)
    return Text(f"theo ngày: {vi}", f"by the day: {en}")


def _bounds(rule: FieldRule) -> Text:
    low = "" if rule.min is None else f"{rule.min:g}"
    high = "" if rule.max is None else f"{rule.max:g}"
    return Text(f"từ {low or '…'} đến {high or '…'}", f"from {low or '…'} to {high or '…'}")


_WORDS: tuple[tuple[Callable[[FieldRule], bool], Callable[[FieldRule], Text]], ...] = (
    (lambda rule: bool(rule.ingest_time), lambda rule: Text("thời điểm nhận", "time of arrival")),
    (lambda rule: rule.codes is not None, _codes),
    (lambda rule: rule.table is not None, _table),
    (lambda rule: rule.codeset is None and rule.time is not None, _time),
    (lambda rule: rule.codeset is not None, _codeset),
    (
        lambda rule: rule.decimal is not None,
        lambda rule: Text(f"số viết với dấu «{rule.decimal}»", f"numbers written with “{rule.decimal}”"),
    ),
    (
        lambda rule: rule.normalise is not None,
        lambda rule: Text("chỉ giữ tiền tố quốc gia", "keeps the national prefix"),
    ),
    (
        lambda rule: rule.check is not None,
        lambda rule: Text("phải đúng dạng mã hồ sơ", "must have the form of a dossier code"),
    ),
    (
        lambda rule: rule.pattern is not None,
        lambda rule: Text(f"phải khớp mẫu {rule.pattern}", f"must match {rule.pattern}"),
    ),
    (lambda rule: rule.min is not None or rule.max is not None, _bounds),
    (
        lambda rule: rule.pseudonym is not None,
        lambda rule: Text(
            f"thay bằng bí danh có khóa ({rule.pseudonym}) trước khi vào chủ đề",
            f"replaced by a keyed pseudonym ({rule.pseudonym}) before the topic",
        ),
    ),
    (
        lambda rule: rule.default is not None,
        lambda rule: Text(f"trống thì là {rule.default}", f"empty means {rule.default}"),
    ),
)
