"""`ioc kpi show|explain`, `ioc sql`, `ioc export`, `ioc report` and the typed client, against the real API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner

from hub.api.app import create_api
from hub.api.deps import ApiDeps
from hub.catalogue.registered import Versions
from hub.catalogue.service import Catalogue
from hub.cli.application import app
from hub.client import Client, ClientError
from hub.config import Settings
from hub.declarations import load_declarations
from hub.sql.desk import SqlDesk
from hub.sql.saved import SavedQueries
from tests.contract.api_world import KeysInMemory, RegistryInMemory
from tests.contract.test_cli_kpis import served
from tests.dossiers import dossier
from tests.told import told

AT = datetime(2022, 9, 18, 2, 0, tzinfo=UTC)


class _World:
    app: Any


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Thirty dossiers, five of them recalled a day later."""
    with told() as made:
        made.feed([dossier(number, 1, 9, org_code="H53.14") for number in range(30)], AT)
        made.feed([dossier(number, 2, 4, org_code="H53.14") for number in range(5)], AT + timedelta(days=1))
        made.clock[0] = AT + timedelta(days=1, hours=1)
        declared = load_declarations(Settings())
        versions = Versions(RegistryInMemory(), lambda: made.now)
        reader = made.service.reader
        catalogue = Catalogue(declared, made.service, reader, versions, lambda: declared.manifests)
        warehouse: Any = made.core.warehouse
        in_use = {"dossier": declared.contracts["dossier"]}
        desk = SqlDesk(warehouse, warehouse, in_use, made.service.plans, [], made.service.served, lambda: made.now)
        saved = SavedQueries(tmp_path_factory.mktemp("saved") / "queries.json", lambda: made.now)
        world: Any = _World()
        world.app = create_api(
            ApiDeps(made.service, reader, KeysInMemory(), catalogue=catalogue, sql=desk, saved=saved)
        )
        with served(world) as listening:
            yield listening


@pytest.fixture
def ioc(port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("IOC_API__PORT", str(port))
    monkeypatch.setenv("IOC_API_KEY", "key-of-admin")
    monkeypatch.setenv("IOC_STATE_DIR", str(tmp_path / "state"))
    return lambda *words: CliRunner().invoke(app, ["--lang", "vi", *words])


YEAR = ("--from", "2022-01-01", "--to", "2022-12-31")


def test_a_kpi_is_shown_and_explained_at_the_terminal(ioc: Any) -> None:
    shown = ioc("kpi", "show", "dossier.on_time_share", *YEAR, "--compare", "plan")
    assert shown.exit_code == 0 and "Đúng" in shown.stdout and "25" in shown.stdout
    explained = ioc("kpi", "explain", "dossier.on_time_share", *YEAR)
    assert "[Hồ sơ xử lý xong đúng hạn] ÷ [Hồ sơ đã xử lý xong] × 100" in explained.stderr
    assert "recalled" in explained.stdout and "H53.14" in explained.stdout


def test_sql_and_exports_run_from_the_terminal_and_a_mistake_is_told(ioc: Any, tmp_path: Path) -> None:
    found = ioc("sql", "SELECT status, count() AS n FROM dossier WHERE status = {s:Int32} GROUP BY status",
                "--param", "s=9", "-o", "json")  # fmt: skip
    assert json.loads(found.stdout)["rows"] == [[9, 25]]
    cut = ioc("sql", "SELECT entity_key FROM dossier", "--limit", "3", "-o", "csv")
    assert len(cut.stdout.splitlines()) == 4 and "còn nữa" in cut.stderr
    wrong = ioc("sql", "DROP TABLE dossier")
    assert wrong.exit_code == 1 and "SELECT" in wrong.stderr
    out = tmp_path / "dossier.csv"
    assert ioc("export", "dossier", "--where", "status=9", "--out", str(out)).exit_code == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 26
    refused = ioc("export", "dossier", "--where", "colour=red", "--out", str(tmp_path / "no.csv"))
    assert refused.exit_code == 1 and "colour" in refused.stderr and not (tmp_path / "no.csv").exists()


def test_the_months_report_is_a_page_to_print_and_a_workbook(ioc: Any, tmp_path: Path) -> None:
    assert ioc("report", "2022-01", "--out", str(tmp_path)).exit_code == 0
    page = (tmp_path / "2022-01.html").read_text(encoding="utf-8")
    assert "Báo cáo chỉ số điều hành tháng 01/2022" in page and "@page" in page and "http" not in page
    assert "Thống nhất thời gian cập nhật" in page and "Không có sự cố nào trong tháng." in page
    sheet = CalamineWorkbook.from_path(tmp_path / "2022-01.xlsx").get_sheet_by_index(0).to_python()
    assert sheet[0][0] == "Chỉ số" and "Hồ sơ tiếp nhận" in {line[0] for line in sheet}
    assert ioc("report", "09/2022").exit_code == 2


def test_the_client_gives_values_with_types_and_walks_all_pages(port: int, tmp_path: Path) -> None:
    hub = Client(f"http://127.0.0.1:{port}", "key-of-admin")
    year = date(2022, 1, 1), date(2022, 12, 31)
    share = hub.kpi("dossier.on_time_share", *year, by="org_code", grain="quarter", compare="year")
    assert share.figure.denominator == 25 and [row.key for row in share.rows] == ["H53.14"]
    assert len(share.series) == 4 and share.compared is not None and share.compared.value is None
    then = hub.kpi("dossier.on_time_share", *year, as_known_at=AT + timedelta(hours=1))
    assert then.figure.denominator == 30
    assert sum(item["amount"] for item in hub.kpi_records("dossier.on_time_share", "denominator", *year)) == 25
    assert len(list(hub.records("dossier", {"status": "4"}))) == 5
    assert hub.sql("SELECT count() FROM dossier").rows == ((30,),)
    assert hub.download("/v1/entities/dossier.parquet", tmp_path / "d.parquet") > 0
    with pytest.raises(ClientError, match="received_at"):
        list(hub.records("dossier", {"colour": "red"}))
    assert "key-of-admin" not in repr(hub)
