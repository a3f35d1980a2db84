"""Manifests: what is wrong is named with file, line, path and cure; secrets never show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.errors import ManifestError, NotConfiguredError
from connectors.manifest import load_manifest, load_manifests, source_kinds
from connectors.secrets import Reference, SecretResolver

DEPARTMENTS = Path(__file__).parent.parent.parent / "connectors" / "departments"
PORTAL = (DEPARTMENTS / "portal.yaml").read_text(encoding="utf-8")


def load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "portal.yaml"
    path.write_text(text, encoding="utf-8")
    load_manifest(path)


def test_the_provinces_two_connectors_are_described() -> None:
    manifests = load_manifests()
    assert {"portal", "feedback-1022"} <= set(manifests)
    assert manifests["portal"].owner.org == "H53"
    assert manifests["portal"].source.cursor.param == "updated_since"
    assert manifests["feedback-1022"].name.vi == "Phản ánh hiện trường 1022"


def test_a_later_directory_replaces_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(PORTAL.replace("cadence_s: 300", "cadence_s: 60"), encoding="utf-8")
    assert load_manifests(tmp_path)["portal"].sla.cadence_s == 60


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(PORTAL, encoding="utf-8")
    with pytest.raises(ManifestError, match=r"b\.yaml.*already in a\.yaml"):
        load_manifests(tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("owner:", "ownre:", "line 7: “ownre” is no known key; did you mean “owner”?"),
        ("poll_interval_s: 1", "poll_intervall_s: 1", "“source.poll_intervall_s” .*did you mean “poll_interval_s”"),
        ("lookback_s: 60", "lookbak_s: 60", "“source.cursor.lookbak_s” .*did you mean “lookback_s”"),
        ("token_path:", "token_url:", "“source.auth.token_url” is no known key; did you mean “token_path”"),
        ("level: {from: mucDo", "level: {form: mucDo", "“mapping.level.form” is no known key; did you mean “from”"),
        ("kind: rest", "kind: rets", "“kind” is no known kind; did you mean “rest”"),
        ("entity: dossier\n", "", "“entity” is missing"),
        ("page_size: {param: page_size, value: 5000}", "page_size: {param: x, value: 0}", "source.page_size.value"),
        ("${env:IOC_SECRET_PORTAL_CLIENT_SECRET}", "hunter2", "client_secret” is a secret and may not stand"),
        ("timezone: Asia/Ho_Chi_Minh", "timezone: Asia/Tay_Ninh", "“timezone” .*Tay_Ninh"),
        ("event_id: {from: maSuKien}", "event_id: {}", "“mapping.event_id”.*exactly one"),
        ("id: portal", "id: portal\n  x: [", "not valid YAML"),
        (PORTAL, "- một danh sách", "must be a block of keys"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert right in PORTAL
    with pytest.raises(ManifestError, match=message) as caught:
        load(tmp_path, PORTAL.replace(right, wrong, 1))
    assert "portal.yaml" in caught.value.text.vi
    assert "hunter2" not in str(caught.value)


def test_the_kinds_are_the_modules() -> None:
    assert {"rest", "webhook"} <= set(source_kinds())


def test_a_reference_shows_its_name_and_never_its_value() -> None:
    secret = Reference("${env:IOC_SECRET_X}")
    assert repr(secret) == "Reference(${env:IOC_SECRET_X})"
    assert "hunter2" not in repr(Reference("hunter2"))
    assert "hunter2" not in repr(SecretResolver({"IOC_SECRET_X": "hunter2"}))
    assert SecretResolver({"IOC_SECRET_X": "hunter2"}).resolve(secret) == "hunter2"


def test_a_reference_without_a_value_says_which() -> None:
    with pytest.raises(NotConfiguredError, match="IOC_SECRET_X"):
        SecretResolver({}).resolve(Reference("${env:IOC_SECRET_X}"))
    assert SecretResolver({}).optional(Reference("${env:IOC_SECRET_X}")) is None


def test_other_programs_variables_and_files_are_out_of_reach(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("value\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="only variables IOC_"):
        SecretResolver({"HOME": "/root"}).resolve(Reference("${env:HOME}"))
    with pytest.raises(ManifestError, match="outside the allowed"):
        SecretResolver({}).resolve(Reference(f"${{file:{secret}}}"))
    with pytest.raises(ManifestError, match="outside the allowed"):
        SecretResolver({}, (tmp_path / "in",)).resolve(Reference(f"${{file:{tmp_path}/in/../key}}"))
    assert SecretResolver({}, (tmp_path,)).resolve(Reference(f"${{file:{secret}}}")) == "value"


@pytest.mark.parametrize("part", ["department", "contact", "org"])
def test_a_promise_without_an_owner_is_refused_with_its_path(tmp_path: Path, part: str) -> None:
    emptied = re.sub(rf"^  {part}: .+$", f'  {part}: ""', PORTAL, count=1, flags=re.MULTILINE)
    with pytest.raises(ManifestError, match=rf"owner\.{part}"):
        load(tmp_path, emptied)


def test_a_promise_of_nobody_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    nobodys = re.sub(r"^owner:\n(?:  .+\n)+", "", PORTAL, count=1, flags=re.MULTILINE)
    assert "owner:" not in nobodys
    with pytest.raises(ManifestError, match="owner"):
        load(tmp_path, nobodys)
