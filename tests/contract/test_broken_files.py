"""The corpus of broken files and payloads: each refusal by its words in both languages, the rest goes through."""

from __future__ import annotations

import io
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest
import xlsxwriter
import yaml

from connectors.mapping import compile_mapping
from connectors.payload import records_of
from connectors.problem import RequestRefusedError
from connectors.pseudonym import Pseudonymiser
from connectors.quarantine import QuarantineWriter
from connectors.runtime import open_source
from connectors.tcvn3 import encode_tcvn3
from tests.conformance import MAPPING, NOTE
from tests.worlds.files import FileWorld

CORPUS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[1] / "corpus" / "broken_files.yaml").read_text())
COLUMNS = "{Mã: id, Thời điểm: at, Giá trị: value}"
FORMS = {
    "csv": f"{{type: csv, columns: {COLUMNS}}}",
    "xlsx": f"{{type: xlsx, sheet: Số liệu, columns: {COLUMNS}}}",
    "jsonl": "{type: jsonl}",
}


class BrokenWorld(FileWorld):
    def __init__(self, folder: Path, case: dict[str, Any]) -> None:
        super().__init__(folder, folder / "share")
        self.directory.mkdir()
        self.case = case
        self.kind = "station_txt" if case["form"] == "station" else "files"
        if self.kind == "station_txt":
            self.mapping = MAPPING.replace("{from: value}", "{from: unit}")
        self.form = FORMS.get(case["form"], "")
        self.suffix = {"station": ".txt"}.get(case["form"], f".{case['form']}")

    def source(self) -> str:
        if self.kind == "files":
            return super().source()
        return f"place: {self.place()}\nsettle_s: 0\nincomplete_s: 0\npoll_interval_s: 1"


def content(case: dict[str, Any]) -> bytes:
    if "rows" in case:
        buffer = io.BytesIO()
        with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
            sheet = book.add_worksheet(case["sheet"])
            for number, row in enumerate(case["rows"]):
                sheet.write_row(number, 0, row)
        return buffer.getvalue()
    text: str = case.get("repeat", "") * case.get("times", 0) + case["text"]
    encoding = case.get("encoding", "utf-8")
    return encode_tcvn3(text) if encoding == "tcvn3" else text.encode(encoding)


def test_the_corpus_has_thirty_cases_of_different_names() -> None:
    assert len(CORPUS) >= 30 and len({case["name"] for case in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("case", [case for case in CORPUS if case["form"] != "push"], ids=lambda case: case["name"])
async def test_what_is_broken_is_said_and_the_rest_goes_through(case: dict[str, Any], tmp_path: Path) -> None:
    world = BrokenWorld(tmp_path, case)
    name = case.get("file", "TNI_KK01_20220823081700.txt" if case["form"] == "station" else f"a.{case['form']}")
    world.write(world.directory / name, content(case))
    manifest = world.manifest()
    source = open_source(manifest, world.surroundings())
    mapper = compile_mapping(manifest, NOTE, Pseudonymiser(b"k" * 32))
    good, refusals = 0, []
    async with aclosing(source.read(None)) as pages:  # type: ignore[type-var]
        async for page in pages:
            mapped = mapper(page.records, 0)
            good += len(mapped.rows)
            refusals += [*page.refused, *mapped.refused]
    await source.close()
    told = [orjson.loads(each.value) for each in QuarantineWriter(manifest, NOTE.topic).messages(refusals, 0)]
    assert good == case["good"]
    assert len(told) == len(case["bad"]), [each["reason_en"] for each in told]
    for each, wanted in zip(told, case["bad"], strict=True):
        assert wanted["vi"] in each["reason"] and wanted["en"] in each["reason_en"]
        row = wanted.get("row")
        assert each["reason_en"].startswith(f"File “{name}”" + (f", row {row}." if row else "."))
        assert each["reason"].startswith(f"Tệp «{name}»" + (f", dòng {row}." if row else "."))
        assert "Cure: " in each["reason_en"] and "Cách xử lý: " in each["reason"]
    assert len({each["id"] for each in told}) == len(told)


@pytest.mark.parametrize("case", [case for case in CORPUS if case["form"] == "push"], ids=lambda case: case["name"])
def test_a_broken_push_is_refused_as_a_whole(case: dict[str, Any]) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        records_of(content(case))
    detail = caught.value.refusal.detail
    (wanted,) = case["bad"]
    assert wanted["vi"] in detail.vi and wanted["en"] in detail.en
