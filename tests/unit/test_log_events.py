"""The pages of log events have every event with its level and fields, and none that no longer exists; no line can hold
a record: fields are a closed list of codes, names and counts, and exceptions are told by type and place."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "deploy" / "log-events.md").read_text(encoding="utf-8")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"log", "logger", "_log"}
ABOUT_CONTENT = {"payload", "record", "value", "values", "body", "row", "message", "params", "headers", "raw"}
"""Names of fields that would hold what a record holds."""


@dataclass(frozen=True)
class Said:
    """One call that logs."""

    where: str
    event: str
    level: str
    fields: frozenset[str]
    trace: bool


def said_in(*packages: str) -> list[Said]:
    return [one for package in packages for one in _said_in(package)]


@cache
def _said_in(package: str) -> list[Said]:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not any(f"{logger}." in text for logger in LOGGERS):
            continue
        for node in ast.walk(ast.parse(text)):
            if _is_log(node):
                found.append(_said(f"{path.relative_to(ROOT)}:{node.lineno}", node))
    return found


def _is_log(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in LOGGERS
    )


def _said(where: str, call: ast.Call) -> Said:
    assert isinstance(call.func, ast.Attribute)
    (event,) = call.args
    assert isinstance(event, ast.Constant), f"{where}: an event is a fixed name"
    assert isinstance(event.value, str), where
    level = "error" if call.func.attr == "exception" else call.func.attr
    fields = {str(keyword.arg) for keyword in call.keywords if keyword.arg is not None}
    trace = call.func.attr == "exception" and not any(
        keyword.arg == "exc_info" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in call.keywords
    )
    return Said(where, event.value, level, frozenset(fields - {"exc_info"}), trace)


def told() -> dict[str, tuple[str, set[str]]]:
    """Events of the page with their levels and fields; several of one row share the fields."""
    found: dict[str, tuple[str, set[str]]] = {}
    for names, levels, fields in re.findall(r"^\| (`[^|]+`) \| ([a-z, ]+) \| (`[^|]+`) \|", PAGE, flags=re.MULTILINE):
        events, each = re.findall(r"`(\w+)`", names), [one.strip() for one in levels.split(",")]
        for number, event in enumerate(events):
            found[event] = each[number if len(each) > 1 else 0], set(re.findall(r"`(\w+)`", fields))
    return found


def test_every_event_is_on_the_page_with_its_level_and_fields_and_no_other_is() -> None:
    page, said = told(), said_in("connectors", "hub", "schemas")
    assert len(said) > 40
    assert {one.event for one in said} == set(page)
    for one in said:
        level, fields = page[one.event]
        assert one.level == level, one
        assert one.fields <= fields, one
    for event, (_, fields) in page.items():
        used = {field for one in said for field in one.fields}
        assert fields <= used, event


def test_no_field_holds_what_a_record_holds() -> None:
    for one in said_in("connectors", "hub", "schemas", "streams"):
        assert not one.fields & ABOUT_CONTENT, one


def test_outside_the_core_an_exception_is_told_by_type_and_place_alone() -> None:
    """Its own words and its frames may hold a citizen's data."""
    assert [one.where for one in said_in("connectors", "hub", "schemas") if one.trace] == []
