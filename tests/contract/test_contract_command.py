"""`ioc contract` against a real registry: seen, checked and promoted over HTTP only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hub.cli.application import app
from hub.cli.context import INVOCATION
from schemas.contract import package_root

MODEL = package_root() / "traffic" / "violation.avsc"


@pytest.fixture
def ioc(tmp_path: Path, registry_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> Any:
    """Runs a command with the test's registry: (exit code, stdout, stderr)."""

    def run(*arguments: str, registry: str = registry_url) -> tuple[int, str, str]:
        monkeypatch.setattr(INVOCATION, "flags", {})
        given = ("--state-dir", str(tmp_path / "state"), "--set", f"registry.url={registry}")
        code = 0
        try:
            app([*given, "contract", *arguments], standalone_mode=False)
        except SystemExit as end:
            code = int(str(end.code))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def printed(out: str) -> Any:
    """The one JSON document on stdout, which the registry of this process logs to as well."""
    (document,) = (line for line in out.splitlines() if line.startswith(("{", "[")))
    return json.loads(document)


def contract_file(directory: Path, entity: str, change: Any = None) -> Path:
    """A contract of an entity of its own, so that tests share a registry; its namespace says its domain."""
    schema = json.loads(MODEL.read_text(encoding="utf-8"))
    schema["name"] = "".join(part.capitalize() for part in entity.split("_"))
    if change is not None:
        change(schema)
    path = directory / f"{entity}.avsc"
    path.write_text(json.dumps(schema, ensure_ascii=False), encoding="utf-8")
    return path


def test_a_contract_is_promoted_evolved_and_a_breaking_change_registers_nothing(
    ioc: Any, tmp_path: Path, http: httpx2.Client
) -> None:
    subject = "ioc.traffic.promoted_one-value"
    path = contract_file(tmp_path, "promoted_one")
    code, out, err = ioc("promote", str(path), "-o", "json")
    assert code == 0, err
    assert printed(out)["refused"] is False
    assert "phiên bản 1" in err
    assert "IOC_CONTRACTS_DIR" in err
    assert http.get(f"/subjects/{subject}/versions").json() == [1]

    note = {"name": "note", "type": ["null", "string"], "default": None, "doc": "Ghi chú.", "doc_en": "Note.",
            "examples": ["x"]}  # fmt: skip
    contract_file(tmp_path, "promoted_one", lambda schema: schema["fields"].append(note))
    code, out, _ = ioc("diff", str(path), "-o", "json")
    assert code == 0
    assert [(item["path"], item["kind"]) for item in printed(out)["changes"]] == [("note", "added")]
    assert http.get(f"/subjects/{subject}/versions").json() == [1], "a diff registers nothing"
    code, _, err = ioc("promote", str(path))
    assert (code, http.get(f"/subjects/{subject}/versions").json()) == (0, [1, 2]), err

    def narrower(schema: Any) -> None:
        schema["fields"].append(note)
        next(field for field in schema["fields"] if field["name"] == "fine")["type"] = ["null", "int"]

    contract_file(tmp_path, "promoted_one", narrower)
    code, out, err = ioc("promote", str(path), "-o", "json")
    assert code == 3
    assert [item["path"] for item in printed(out)["incompatibilities"]] == ["fine"]
    assert "chưa đăng ký gì" in err
    assert http.get(f"/subjects/{subject}/versions").json() == [1, 2]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("{", 2, "bad_one.avsc: không phải JSON, dòng 1, cột 2"),
        ("duplicate", 2, "bad_one.avsc.speed: trường có hai lần"),
        ("codes", 2, "act_code: không có bảng mã «violation_atc»; hiện có: violation_act"),
        ("lint", 3, "thiếu mô tả tiếng Việt"),
    ],
)
def test_a_bad_contract_is_refused_with_its_place_and_nothing_is_registered(
    ioc: Any, tmp_path: Path, http: httpx2.Client, text: str, code: int, said: str
) -> None:
    def change(schema: Any) -> None:
        fields = {field["name"]: field for field in schema["fields"]}
        if text == "duplicate":
            fields["speed_limit"]["name"] = "speed"
        if text == "codes":
            fields["act_code"]["codes"] = "violation_atc"
        if text == "lint":
            del fields["act_code"]["doc"]

    path = contract_file(tmp_path, "bad_one", change)
    if text == "{":
        path.write_text(text, encoding="utf-8")
    found, out, err = ioc("promote", str(path))
    assert found == code
    assert said in " ".join((out + err).split())
    assert "ioc.traffic.bad_one-value" not in http.get("/subjects").json()


def test_lint_of_the_package_is_clean_and_of_a_wrong_file_is_not(ioc: Any, tmp_path: Path) -> None:
    assert ioc("lint")[0] == 0
    path = contract_file(tmp_path, "violation", lambda schema: schema["fields"][16].pop("unit"))
    code, out, _ = ioc("lint", str(path), "-o", "json")
    assert code == 3
    (found,) = printed(out)
    assert (found["path"], found["rule"], found["file"]) == ("speed", "unit-missing", "traffic/violation.avsc")
    assert ioc("lint", str(tmp_path / "none.avsc"))[0] == 2


def test_an_away_registry_is_said_and_ends_with_1(ioc: Any) -> None:
    code, _, err = ioc("check", "dossier", registry="http://127.0.0.1:9")
    assert code == 1
    assert "Danh bạ lược đồ" in err


def test_every_command_has_help_with_an_example(ioc: Any) -> None:
    for name in ("ls", "lint", "diff", "check", "promote", "export"):
        code, out, _ = ioc(name, "--help")
        assert (code, f"ioc contract {name}" in out) == (0, True), name
