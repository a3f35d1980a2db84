"""What real operators break, system by system: each refusal by its words in both languages, the rest goes through."""

from __future__ import annotations

import dataclasses
import io
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import xlsxwriter
import yaml

from connectors.file_config import Upload
from connectors.manifest import Manifest, load_manifest
from connectors.mapping import Mapper, compile_mapping
from connectors.pseudonym import Pseudonymiser
from connectors.quarantine import QuarantineWriter
from connectors.runtime import open_source
from connectors.secrets import SecretResolver
from connectors.source import FILE, ROW, Refusal, Surroundings
from connectors.station_file import read_station_file
from connectors.table import Table
from connectors.tcvn3 import encode_tcvn3
from deploy.demo.windows_1258 import encode
from schemas.contract import load_contracts
from tests.stack import ROOT

CORPORA = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted(
    (Path(__file__).parents[1] / "corpus" / "departments").glob("*.yaml")
)}  # fmt: skip
CASES = [(system, case) for system, corpus in CORPORA.items() for case in corpus["cases"]]
CONTRACTS = load_contracts()
FOLDERS = (ROOT / "connectors" / "departments", ROOT / "deploy" / "departments")
DECLARED = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.yaml"))}
Row = dict[str, Any]


@cache
def manifest_of(connector: str) -> Manifest:
    return load_manifest(DECLARED[connector])


@cache
def mapper_of(connector: str) -> Mapper:
    manifest = manifest_of(connector)
    return compile_mapping(manifest, CONTRACTS[manifest.entity], Pseudonymiser(b"k" * 32))


def content(corpus: Row, case: Row) -> bytes:
    """The file of a case: the good row, then the row that is broken, under the header."""
    if "bytes" in case:
        return str(case["bytes"]).encode()
    renamed = {name: case.get("rename", {}).get(name, name) for name in corpus["good"]}
    header = [name for name in renamed.values() if name is not None]
    rows = [corpus["good"], corpus["good"] | case.get("row", {})]
    lines = [header, *([row[name] for name, shown in renamed.items() if shown is not None] for row in rows)]
    lines[2] += ["thừa"] * (case.get("cells", 0) - len(header))
    return _workbook(str(case.get("sheet", corpus["sheet"])), lines) if "sheet" in corpus else _csv(corpus, case, lines)


def _csv(corpus: Row, case: Row, lines: list[list[Any]]) -> bytes:
    text = "\r\n".join(";".join("" if cell is None else str(cell) for cell in line) for line in lines) + "\r\n"
    encoding = str(case.get("encoding", corpus["encoding"]))
    if encoding == "tcvn3":
        return encode_tcvn3(text)
    return encode(text) if encoding == "cp1258" else text.encode(encoding)


def _workbook(sheet: str, lines: list[list[Any]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        page = book.add_worksheet(sheet)
        for number, line in enumerate(lines):
            for column, cell in enumerate(line):
                page.write(number, column, cell, day if hasattr(cell, "year") else None)
    return buffer.getvalue()


async def from_file(manifest: Manifest, data: bytes, folder: Path) -> tuple[list[Row], list[Refusal]]:
    """What the connector makes of one file at its place."""
    config = manifest.source.model_copy(update={"settle_s": 0})
    place = folder / manifest.id
    place.mkdir()
    (place / f"tep.{config.format.type}").write_bytes(data)
    environ = {"IOC_SECRET_CULTURE_FOLDER": str(place), "IOC_SECRET_LOTS_FOLDER": str(place)}
    around = Surroundings(SecretResolver(environ), folders=(folder,))
    source = open_source(dataclasses.replace(manifest, source=config), around)
    mapper = mapper_of(manifest.id)
    rows: list[Row] = []
    refused: list[Refusal] = []
    async with aclosing(source.read(None)) as pages:  # type: ignore[type-var]
        async for page in pages:
            mapped = mapper(page.records, 0)
            rows += mapped.rows
            refused += [*page.refused, *mapped.refused]
    await source.close()
    return rows, refused


def from_records(manifest: Manifest, records: list[Row]) -> tuple[list[Row], list[Refusal]]:
    mapper = mapper_of(manifest.id)
    columns = {key: [record[key] for record in records] for key in records[0]}
    mapped = mapper(records, 0)
    assert mapper(Table(columns, len(records)), 0).rows == mapped.rows
    return mapped.rows, mapped.refused


def from_station(manifest: Manifest, corpus: Row, case: Row) -> tuple[list[Row], list[Refusal]]:
    """A file with the good line and the broken one; or, of another station, a file of its own beside the good one."""
    line = case.get("text") or "\t".join(case["line"])
    good = "\t".join(corpus["good"])
    files = [(corpus["station"], f"{good}\r\n{line}\r\n")]
    if "station" in case:
        files = [(corpus["station"], f"{good}\r\n"), (case["station"], f"{line}\r\n")]
    rows: list[Row] = []
    refused: list[Refusal] = []
    for station, text in files:
        read = read_station_file(text.encode(), f"{station}_20220919070500.txt", (station, "20220919070500"), 0)
        mapped = mapper_of(manifest.id)(read.readings, 0)
        rows += mapped.rows
        refused += [*(Refusal({FILE: station, ROW: number}, error) for number, error in read.bad), *mapped.refused]
    return rows, refused


def told(manifest: Manifest, refused: list[Refusal]) -> list[Row]:
    writer = QuarantineWriter(manifest, CONTRACTS[manifest.entity].topic)
    return [orjson.loads(each.value) for each in writer.messages(refused, 0)]


def test_every_system_has_ten_broken_inputs_of_its_own() -> None:
    assert set(CORPORA) == set(DECLARED)
    for system, corpus in CORPORA.items():
        names = [case["name"] for case in corpus["cases"]]
        assert len(names) >= 10, system
        assert len(set(names)) == len(names), system


@pytest.mark.parametrize(("system", "case"), CASES, ids=[f"{system}-{case['name']}" for system, case in CASES])
async def test_a_broken_input_is_told_in_both_languages_and_the_rest_goes_through(
    system: str, case: Row, tmp_path: Path
) -> None:
    corpus, manifest = CORPORA[system], manifest_of(CORPORA[system]["connector"])
    if manifest.kind == "files":
        assert isinstance(manifest.source.place, Upload) or manifest.source.place.type == "folder"
        rows, refused = await from_file(manifest, content(corpus, case), tmp_path)
    elif manifest.kind == "station_txt":
        rows, refused = from_station(manifest, corpus, case)
    else:
        rows, refused = from_records(manifest, [corpus["good"], corpus["good"] | case["row"]])
    (message,) = told(manifest, refused)
    wanted = case.get("whole", case)
    assert wanted["vi"] in message["reason"], message["reason"]
    assert wanted["en"] in message["reason_en"], message["reason_en"]
    assert "Cách xử lý: " in message["reason"] and "Cure: " in message["reason_en"]
    assert len(rows) == (0 if "whole" in case else 1)
    if manifest.kind == "files" and "whole" not in case:
        assert "dòng 3" in message["reason"]
