"""A corpus of broken manifests: each gets the one message, in both languages, that says what to mend and where."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from connectors.errors import ManifestError
from connectors.manifest import load_manifest
from connectors.mapping import Mapper, compile_mapping
from connectors.pseudonym import Pseudonymiser
from hub.connector_trial import contract_of
from schemas.contract import load_contracts

CORPUS = Path(__file__).parents[1] / "corpus"
EXPECTED = yaml.safe_load((CORPUS / "manifests.expected.yaml").read_text(encoding="utf-8"))
FILES = sorted((CORPUS / "manifests").glob("*.yaml"))
CONTRACTS = load_contracts()


def load(path: Path) -> Mapper:
    """All that is checked before a connector may be applied."""
    manifest = load_manifest(path)
    return compile_mapping(manifest, contract_of(manifest, CONTRACTS), Pseudonymiser(bytes(32)))


def test_the_corpus_is_whole() -> None:
    broken = {path.stem for path in FILES} - {"00-right"}
    assert broken == set(EXPECTED)
    assert len(broken) >= 40


def test_the_manifest_that_all_were_made_from_is_right() -> None:
    assert load(CORPUS / "manifests" / "00-right.yaml")


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_broken_manifest_is_refused_with_its_message(name: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(CORPUS / "manifests" / f"{name}.yaml")
    text = caught.value.text
    assert {"vi": text.vi, "en": text.en} == EXPECTED[name]
    for line in (*text.vi.splitlines(), *text.en.splitlines()):
        assert line.startswith(f"{name}.yaml")
    assert "hunter2" not in text.vi + text.en
