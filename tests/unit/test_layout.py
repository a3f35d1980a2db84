"""The tree keeps its shape: one home for each client library, modules that stay small, no catch-all names."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("hub", "connectors", "schemas", "streams")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]

HOMES = {
    "faust": {"streams/app.py", "streams/tables.py", "streams/transport.py"},
    "aiokafka": {
        "connectors/publish.py",
        "connectors/compacted.py",
        "connectors/topic_clients.py",
        "connectors/membership.py",
        "hub/registry/election.py",
        "hub/registry/fenced_writer.py",
        "connectors/sources/kafka.py",
        "streams/fetched.py",
        "streams/log_bounds.py",
        "streams/replay.py",
        "streams/topic_log.py",
        "streams/transport.py",
    },
    "kafka": {
        "hub/topic_admin.py",
        "hub/group_lag.py",
        "hub/health/commits.py",
        "hub/health/oldest.py",
        "hub/topics.py",
        "streams/positions.py",
        "streams/topic_ids.py",
    },
    "clickhouse_connect": {"streams/warehouse/client.py"},
    "chdb": {"streams/warehouse/engine.py"},
    "cel": {"connectors/expression.py"},
    "opentelemetry": {"schemas/tracing.py"},
    "cronsim": {"schemas/recurrence.py"},
    "holidays": {"schemas/days.py"},
    "httpx2": {
        "connectors/http_client.py",
        "hub/alerts/channels.py",
        "hub/registry/forwarding.py",
        "schemas/registry_client.py",
    },
    "fastavro": {"schemas/avro_values.py", "schemas/one_by_one.py"},
    "sqlalchemy": {"connectors/sql_engine.py", "connectors/sql_select.py"},
    "asyncssh": {"connectors/place_sftp.py"},
    "aioftp": {"connectors/place_ftp.py"},
    "aiomqtt": {"connectors/sources/mqtt.py"},
    "python_calamine": {"connectors/format_xlsx.py"},
    "xlsxwriter": {"connectors/upload.py", "hub/catalogue/workbook.py", "hub/exports/files.py"},
    "sqlglot": {"hub/sql/check.py"},
    "babel": {"hub/web/formats.py", "hub/locale/catalogue.py"},
}
"""Client libraries and the only modules that may import them: where their errors are mapped."""

MOST_LINES = 300


IMPORT = re.compile(r"^[ \t]*(?:import|from) ([A-Za-z_][\w.]*)", re.MULTILINE)


@functools.cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def imported(path: Path) -> set[str]:
    """Top-level packages a module imports anywhere in it; the linter keeps one to a line. Parsing the whole tree
    would take ten seconds."""
    return {name.split(".")[0] for name in IMPORT.findall(text_of(path))}


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_client_library_is_imported_in_its_home_alone(library: str) -> None:
    users = {path.relative_to(ROOT).as_posix() for path in MODULES if library in imported(path)}
    assert users == HOMES[library]


def test_modules_stay_small() -> None:
    simulators = sorted((ROOT / "deploy" / "demo").glob("*.py"))
    long = {path.name: text_of(path).count("\n") for path in [*MODULES, *simulators]}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert {path.stem for path in MODULES} & {"utils", "util", "helpers", "common", "manager", "misc"} == set()


def test_every_module_says_what_it_holds() -> None:
    silent = [path.relative_to(ROOT) for path in MODULES if not re.match(r'"""[^"\s]', text_of(path))]
    assert silent == []


def test_the_registry_is_reached_by_http_alone() -> None:
    """Else another registry could not take its place by URL: only the composition root knows its parts."""
    inside = {path for path in MODULES if path.is_relative_to(ROOT / "hub" / "registry")}
    users = {
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if path not in inside and re.search(r"^\s*(from|import) hub\.registry", text_of(path), re.MULTILINE)
    }
    assert users == {"hub/wiring.py"}
