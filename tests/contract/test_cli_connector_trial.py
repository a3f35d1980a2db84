"""`ioc connector spec|new|check|preview|dry-run` as an officer runs them, against a real HTTP server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from connectors.manifest import load_manifest, source_kinds
from hub.cli.application import app
from tests.portal_server import CLIENT_ID, CLIENT_SECRET, Portal, portal_server, record

DEPARTMENTS = Path(__file__).parents[2] / "connectors" / "departments"


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Portal]:
    feed = [record(number, f"2022-08-23T{8 + number // 4:02d}:{number % 4 * 15:02d}:00+07:00") for number in range(25)]
    with portal_server(feed) as running:
        monkeypatch.setenv("IOC_PORTAL_URL", running.url)
        monkeypatch.setenv("IOC_SECRET_PORTAL_CLIENT_ID", CLIENT_ID)
        monkeypatch.setenv("IOC_SECRET_PORTAL_CLIENT_SECRET", CLIENT_SECRET)
        monkeypatch.setenv("IOC_CONNECT__ALLOWED_HOSTS", "127.0.0.0/8")
        monkeypatch.setenv("IOC_STATE_DIR", str(tmp_path / "state"))
        yield running


def ioc(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["connector", *arguments])


def test_check_tries_each_step_with_its_time(portal: Portal) -> None:
    result = ioc("check", "portal", "-o", "json")
    assert result.exit_code == 0, result.output
    steps = json.loads(result.stdout)
    assert [step["name"] for step in steps][:2] == ["manifest", "contract"]
    assert len(steps) >= 4
    assert all(step["ok"] and step["took_ms"] >= 0 for step in steps)


def test_check_stops_at_a_refused_login_without_showing_it(portal: Portal) -> None:
    portal.refuse_login = True
    result = ioc("check", "portal", "-o", "json")
    assert result.exit_code == 3
    last = json.loads(result.stdout)[-1]
    assert not last["ok"]
    assert CLIENT_SECRET not in result.output


def test_check_names_a_reference_without_a_value(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IOC_PORTAL_URL")
    result = ioc("check", "portal")
    assert result.exit_code == 3
    assert "IOC_PORTAL_URL" in result.output


def test_preview_shows_before_and_after_and_consumes_nothing(portal: Portal) -> None:
    portal.feed[3]["maHoSo"] = "hồ sơ 3"
    first = ioc("preview", "portal", "-o", "json")
    assert first.exit_code == 0, first.output
    shown = json.loads(first.stdout)
    assert len(shown) == 10
    assert shown[0]["after"]["entity_key"] == shown[0]["before"]["maHoSo"]
    assert shown[0]["after"]["applicant"].startswith("cid_")
    assert shown[0]["before"]["nguoiNop"] == {"hoTen": "•••", "cccd": "•••", "dienThoai": "•••"}
    (refused,) = [pair for pair in shown if pair["after"] is None]
    assert refused["path"] == "maHoSo"
    assert "không đúng dạng" in refused["refused"]
    again = ioc("preview", "portal", "-o", "json")
    assert [pair["before"]["maSuKien"] for pair in json.loads(again.stdout)] == [p["before"]["maSuKien"] for p in shown]
    table = ioc("preview", "portal", "-n", "4")
    assert "maHoSo = 'H53.14-220823-0000'" in table.stdout
    assert "✗ maHoSo" in table.stdout
    assert "2022-08-23T08:00:00+07:00" in table.stdout


def test_a_dry_run_reports_all_that_is_asked_for(portal: Portal) -> None:
    result = ioc("dry-run", "portal", "-o", "json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["records"], report["accepted"], report["objections"]) == (25, 25, [])
    assert report["topic"] == "ioc.administration.dossier"
    assert {finding["path"] for finding in report["personal"]} == {
        "nguoiNop.hoTen",
        "nguoiNop.cccd",
        "nguoiNop.dienThoai",
    }
    assert "dossier.on_time_share" in report["kpis"]
    assert report["promise"].startswith("trong 5 phút")
    assert report["per_day"] == 96, "a record every quarter of an hour"
    fit = {each["field"]: each for each in report["fits"]}
    assert (fit["fee"]["sources"], fit["fee"]["filled"], fit["ended_at"]["filled"]) == (["lePhi"], 25, 0)
    assert {each["path"]: each["types"] for each in report["inferred"]}["ngayNop"] == ["time"]
    told = ioc("dry-run", "portal")
    assert "Cam kết độ tươi: trong 5 phút" in told.stdout
    assert "Có thể đưa vào chạy" in told.stderr


def altered(tmp_path: Path, change: Any) -> str:
    tree = yaml.safe_load((DEPARTMENTS / "portal.yaml").read_text(encoding="utf-8"))
    change(tree)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    return str(path)


def objection(result: Result) -> tuple[str, str]:
    assert result.exit_code == 3, result.output
    (only,) = json.loads(result.stdout)["objections"]
    assert f"✗ {only['path']}: " in result.stderr
    return only["code"], only["path"]


def test_untagged_personal_data_stops_it_with_the_path(portal: Portal, tmp_path: Path) -> None:
    for item in portal.feed:
        item["nguoiXuLy"] = "Trần Thị Bình"
    assert objection(ioc("dry-run", "portal", "-o", "json")) == ("untagged_personal_data", "nguoiXuLy")
    tagged = altered(tmp_path, lambda tree: tree["pii"].append("nguoiXuLy"))
    assert ioc("dry-run", tagged).exit_code == 0
    cleared = altered(tmp_path, lambda tree: tree.update(not_personal=["nguoiXuLy"]))
    assert ioc("dry-run", cleared).exit_code == 0


def test_a_mapping_that_breaks_the_contract_stops_it_with_the_path(portal: Portal, tmp_path: Path) -> None:
    path = altered(tmp_path, lambda tree: tree["mapping"].update(filed_at={"from": "ngayNop"}))
    assert objection(ioc("dry-run", path, "-o", "json")) == ("breaks_contract", "mapping.filed_at")
    assert portal.asked == [], "nothing is read for a mapping that cannot work"


def test_records_that_break_the_contract_stop_it_with_the_path(portal: Portal, tmp_path: Path) -> None:
    path = altered(tmp_path, lambda tree: tree["mapping"].update(filed_at={"from": "ngayNop", "time": "iso"}))
    assert objection(ioc("dry-run", path, "-o", "json")) == ("breaks_contract", "ngayNop")


def test_a_host_that_may_not_be_reached_stops_it_with_the_path(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOC_CONNECT__ALLOWED_HOSTS", "portal.example.gov.vn")
    assert objection(ioc("dry-run", "portal", "-o", "json")) == ("host_refused", "source.base_url")
    assert portal.asked == []


def test_a_pushed_source_is_tried_on_a_file(portal: Portal, tmp_path: Path) -> None:
    asked = ioc("preview", "feedback-1022")
    assert asked.exit_code == 1
    assert "--sample" in asked.stderr
    sample = tmp_path / "sample.ndjson"
    sample.write_text('{"id": "1"}\n{"id": 2}\n', encoding="utf-8")
    shown = ioc("preview", "feedback-1022", "--sample", str(sample), "-o", "json")
    assert [pair["path"] for pair in json.loads(shown.stdout)] == ["don_vi", "id"]
    sample.write_text('{"id": "1"}\n{"id":\n', encoding="utf-8")
    assert "dòng 2: không phải JSON" in ioc("preview", "feedback-1022", "--sample", str(sample)).stderr


@pytest.mark.parametrize("kind", source_kinds())
def test_the_schema_of_every_kind_is_a_schema(kind: str) -> None:
    result = ioc("spec", kind)
    assert result.exit_code == 0, result.output
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))


def test_the_schema_takes_the_manifests_and_refuses_a_misspelt_key() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(ioc("spec").stdout))
    for path in sorted(DEPARTMENTS.glob("*.yaml")):
        tree = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))
        assert [error.message for error in validator.iter_errors(tree)] == []
        tree["source"]["bse_url"] = 1
        assert any("bse_url" in error.message for error in validator.iter_errors(tree))
    unknown = ioc("spec", "rets")
    assert (unknown.exit_code, "có phải «rest»" in unknown.stderr) == (2, True)


ANSWERS = (
    "--id", "hoi-dap", "--kind", "rest", "--entity", "question", "--name", "Hỏi đáp", "--name-en", "Q&A",
    "--department", "Sở TT&TT", "--contact", "Tổ IOC", "--org", "H53.15",
)  # fmt: skip


def test_new_writes_a_manifest_that_loads_and_guesses_from_a_sample(tmp_path: Path, portal: Portal) -> None:
    sample, out = tmp_path / "mau.json", tmp_path / "hoi-dap.yaml"
    item = {"event_id": "1", "entityKey": "q1", "askedAt": "01/02/2022 08:00", "hoTen": "Lê An"}
    sample.write_text(json.dumps([item]), encoding="utf-8")
    more = ("--set", "source.path=/api/cau-hoi", "--set", "source.paging.type=link_header", "--cut-off", "16:30")
    result = ioc("new", *ANSWERS, *more, "--sample", str(sample), "--out", str(out))
    assert result.exit_code == 0, result.output
    manifest = load_manifest(out)
    assert (manifest.source.path, manifest.source.paging.type, manifest.sla.cut_off) == (
        "/api/cau-hoi",
        "link_header",
        "16:30",
    )
    assert manifest.pii == ("hoTen",)
    assert manifest.mapping["event_id"].source == "event_id"
    assert (manifest.mapping["asked_at"].source, manifest.mapping["asked_at"].time) == ("askedAt", "%d/%m/%Y %H:%M")
    assert "TODO" in result.stderr
    assert f"ioc connector check {out}" in result.stderr
    again = ioc("new", *ANSWERS, "--out", str(out))
    assert (again.exit_code, "--force" in again.stderr) == (2, True)


def test_new_refuses_an_id_that_is_no_file_name(portal: Portal) -> None:
    result = ioc("new", "--id", "../x", *ANSWERS[2:])
    assert (result.exit_code, "--id «../x»" in result.stderr) == (2, True)


def test_an_uploaded_file_is_tried_with_its_rows_named(tmp_path: Path, portal: Portal) -> None:
    out, inbox = tmp_path / "luot-khach.yaml", tmp_path / "state" / "inbox" / "luot-khach"
    inbox.mkdir(parents=True)
    (inbox / "x.csv").write_text(
        "Ma;Ten;Ngay;Luot\n1;Bảo tàng;23/08/2022;1.200\n2;Chùa;23/08/2022;abc\n", encoding="utf-8"
    )
    answers = ("--id", "luot-khach", "--kind", "files", "--entity", "venue_visit", *ANSWERS[6:])
    assert ioc("new", *answers, "--set", "source.format.type=csv", "--out", str(out)).exit_code == 0
    tree = yaml.safe_load(out.read_text(encoding="utf-8"))
    assert tree["mapping"]["revision"] == {"from": "_revision"}
    tree["source"]["format"]["delimiter"] = ";"
    tree["mapping"] |= {
        "event_id": {"expr": "raw.Ma + '-' + raw.Ngay"},
        "entity_key": {"from": "Ma"},
        "event_time": {"from": "Ngay", "time": "%d/%m/%Y"},
        "report_date": {"from": "Ngay", "time": "%d/%m/%Y"},
        "admin_code": {"const": "25459"},
        "venue": {"from": "Ten"},
        "venue_type": {"const": "OTHER"},
        "visits": {"from": "Luot", "decimal": ","},
    }
    out.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    shown = ioc("preview", str(out))
    assert "✗ x.csv, dòng 3: Luot: " in shown.stdout, shown.output
    assert "Luot = '1.200'" in shown.stdout
    assert ioc("dry-run", str(out)).exit_code == 0
    assert (inbox / "x.csv").exists(), "a trial consumes nothing"


def test_new_without_a_terminal_names_the_flags_that_are_missing(portal: Portal) -> None:
    result = ioc("new", *ANSWERS[:6])
    assert result.exit_code == 2
    assert "Còn thiếu: --name, --name-en, --department, --contact, --org" in result.stderr


def test_an_unknown_connector_or_a_broken_file_is_a_usage_error(portal: Portal, tmp_path: Path) -> None:
    unknown = ioc("check", "portl")
    assert (unknown.exit_code, "có phải «portal»" in unknown.stderr) == (2, True)
    path = altered(tmp_path, lambda tree: tree.update(entity="dosier"))
    wrong = ioc("check", path)
    assert (wrong.exit_code, "«entity» không có thực thể này; có phải «dossier»" in wrong.stderr) == (2, True)
