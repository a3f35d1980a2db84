"""The page for the engineer on call has every log line of the core, and none that no longer exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
ELSEWHERE = {"quarantine_unwritable", "quarantine_refuses", "quarantine_waits"}
"""Said by `hub.stream_quarantine` for the core."""


def events_of(path: Path) -> set[str]:
    """Names of the events a module logs."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
            continue
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id == "log":
            assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}: an event is a fixed name"
            found.add(str(node.args[0].value))
    return found


def test_the_page_has_every_event_of_the_core_and_no_other() -> None:
    logged = {event for path in sorted((ROOT / "streams").rglob("*.py")) for event in events_of(path)}
    page = (ROOT / "deploy" / "on-call.md").read_text(encoding="utf-8")
    told = {
        event
        for row in re.findall(r"^\| (`[a-z_`, ]+`) \|", page, flags=re.MULTILINE)
        for event in re.findall(r"`([a-z_]+)`", row)
        if not event.startswith("ioc_")
    }
    assert len(logged) > 20
    assert logged - told == set()
    assert told - logged - ELSEWHERE == set()
