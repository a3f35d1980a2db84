"""The province's own manifests take every good record of the simulators as its ledger says, and refuse the bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from connectors.manifest import load_manifests
from connectors.mapping import Mapped, compile_mapping
from connectors.pseudonym import Pseudonymiser
from deploy.demo import emitted
from deploy.demo.feed import HistorySegment
from deploy.demo.ledger import FEEDBACK, PORTAL, LiveLog, open_histories, open_origin, open_reports, read_live
from deploy.demo.live import Performance
from deploy.demo.live_dossiers import dossier_cases
from deploy.demo.live_reports import report_cases
from schemas.contract import load_contracts

NOW = 1_782_000_000
INGESTED_MS = NOW * 1000 + 500


def _play(state: Path, system: str, cases: Any) -> list[dict[str, Any]]:
    log = LiveLog(state, system)
    performance = Performance(log, 1, cases, [])
    for turn in range(300):
        performance.emit(NOW + turn)
    log.close()
    return [event.raw for event in read_live(state, system)]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def raw_records(state: Path) -> dict[str, list[dict[str, Any]]]:
    histories = open_histories(state, open_origin(state, PORTAL, 1, 0.02, NOW))
    segments = [HistorySegment(history, tag) for tag, history in histories.items()]
    dossiers = [raw for s in segments for raw in orjson.loads(b"[" + s.render(0, len(s)) + b"]")]
    reports = open_reports(state, open_origin(state, FEEDBACK, 1, 0.2, NOW))
    return {
        PORTAL: dossiers + _play(state, PORTAL, dossier_cases(1, histories["s"])),
        FEEDBACK: reports + _play(state, FEEDBACK, report_cases(1, reports)),
    }


def _map(system: str, records: list[dict[str, Any]]) -> Mapped:
    manifest = load_manifests()[system]
    mapper = compile_mapping(manifest, load_contracts()[manifest.entity], Pseudonymiser(bytes(32)))
    return mapper(records, INGESTED_MS)


@pytest.mark.parametrize("system", [PORTAL, FEEDBACK])
def test_every_good_record_means_what_the_ledger_says(
    system: str, state: Path, raw_records: dict[str, list[dict[str, Any]]]
) -> None:
    mapped = _map(system, raw_records[system])
    assert mapped.refused == []
    ledger = emitted.dossiers(state) if system == PORTAL else emitted.feedback(state)
    moments = [name for name, kind in ledger.schema.items() if kind == emitted.MOMENT]
    found = pl.DataFrame(
        [{name: row[name] for name in ledger.columns} for row in mapped.rows],
        schema={name: pl.Int64 if name in moments else kind for name, kind in ledger.schema.items()},
    )
    assert found.equals(ledger.with_columns(pl.col(moments).dt.epoch("ms")))


@pytest.mark.parametrize("system", [PORTAL, FEEDBACK])
def test_every_bad_record_is_refused(system: str) -> None:
    bad = emitted.refused(system)
    assert len(bad) == 5
    assert _map(system, [record.raw for record in bad]).rows == []


@pytest.mark.parametrize("system", [PORTAL, FEEDBACK])
def test_the_code_set_follows_the_date(system: str, raw_records: dict[str, list[dict[str, Any]]]) -> None:
    rows = _map(system, raw_records[system]).rows
    assert {row["admin_codeset"] for row in rows} == {"2022", "2025"}


@pytest.mark.parametrize("system", [PORTAL, FEEDBACK])
def test_no_personal_value_passes_the_mapping(
    system: str, state: Path, raw_records: dict[str, list[dict[str, Any]]]
) -> None:
    personal = emitted.personal_values(state)
    values = {value for row in _map(system, raw_records[system]).rows for value in row.values()}
    assert not values & personal
    assert len(personal) > 500
