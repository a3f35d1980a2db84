"""Form and YAML of a manifest are two sights of one text: nothing is lost on the way, comments neither."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ManifestError
from connectors.flat_config import nested
from connectors.manifest import source_kinds
from connectors.manifest_form import rows_of, typed, with_rows

ROOT = Path(__file__).parents[2]
HARD = """\
# đầu tệp
id: x   # mã
source:
  url: "${env:IOC_URL}"  # địa chỉ
  codes: {"1": A, 2: 'B, C', khác: [p, q]}
  steps:
    - {from: a, digits: "007"}
    # bước hai
    - from: b
      words:
        - một
        - "hai, ba"
  note: |
    dòng một
    dòng hai
  empty:
  flag: yes
  day: 2025-07-01

pii: [a.b, "c, d"]
mapping: {k: {from: "x.y", const: ""}}
# cuối tệp
"""


def manifests() -> dict[str, str]:
    folders = (
        ROOT / "connectors" / "departments",
        ROOT / "deploy" / "departments",
        ROOT / "tests" / "corpus" / "manifests",
    )
    texts = {
        f"{path.parent.name}/{path.name}": path.read_text() for folder in folders for path in folder.glob("*.yaml")
    }
    return {name: text for name, text in texts.items() if is_mapping(text)} | {"hard": HARD}


def is_mapping(text: str) -> bool:
    try:
        return "&" not in text and isinstance(yaml.safe_load(text), dict)
    except yaml.YAMLError:
        return False


TEXTS = manifests()
VALUES = st.one_of(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"), exclude_characters="\x85"),
        max_size=12,
    ),
    st.integers(),
    st.booleans(),
    st.sampled_from(
        ["300", "yes", "null", "a: b", "#x", "- a", "{", "x, y", "${env:IOC_A}", "đường dẫn", "2025-07-01"]
    ),
)


def comments(text: str) -> list[str]:
    return [
        line[line.index("#") :]
        for line in text.splitlines()
        if line.lstrip().startswith("#") or " # " in line or "  #" in line
    ]


def test_the_corpus_is_there() -> None:
    assert len(TEXTS) > 30


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_form_that_nobody_changed_gives_the_same_text(name: str) -> None:
    text = TEXTS[name]
    assert with_rows(text, {row.path: row.value for row in rows_of(text)}) == text


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_rows_alone_make_the_same_manifest(name: str) -> None:
    tree = yaml.safe_load(TEXTS[name])
    flat = {row.path: row.value for row in rows_of(TEXTS[name])}
    assert nested(flat, source_kinds()) == tree


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_changed_value_changes_that_value_alone(data: st.DataObject) -> None:
    from connectors.flat_config import text_of

    text = TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))]
    before = {row.path: row.value for row in rows_of(text)}
    path = data.draw(st.sampled_from(sorted(before)))
    after = before | {path: text_of(data.draw(VALUES))}
    made = with_rows(text, after)
    assert {row.path: row.value for row in rows_of(made)} == after
    assert set(comments(text)) <= set(comments(made)) | {line for line in comments(text) if path in ("source.note",)}


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_rows_come_and_go_and_the_others_with_their_comments_stay(data: st.DataObject) -> None:
    text = TEXTS[data.draw(st.sampled_from(["departments/portal.yaml", "departments/online-questions.yaml", "hard"]))]
    before = {row.path: row.value for row in rows_of(text)}
    gone = data.draw(
        st.sets(
            st.sampled_from(sorted(path for path in before if path.startswith("mapping.") and "[" not in path)),
            max_size=2,
        )
    )
    after = {path: value for path, value in before.items() if path not in gone} | {"mapping.new_field.from": "a.b"}
    made = with_rows(text, after)
    assert {row.path: row.value for row in rows_of(made)} == after
    assert comments(text)[0] in made


def test_what_a_person_types_is_taken_as_it_is_meant() -> None:
    assert typed("Phòng “một cửa”: tầng 2 # 3") == "Phòng “một cửa”: tầng 2 # 3"
    assert typed("- a") == "- a"
    assert (typed("300"), typed('"300"'), typed("true"), typed("[a, b]")) == (300, "300", True, ["a", "b"])
    assert typed("{from: a}") == {"from": "a"}


def test_what_is_no_manifest_is_told() -> None:
    for text in ("a: [", "- a", ""):
        with pytest.raises(ManifestError):
            rows_of(text)
    with pytest.raises(ManifestError, match=r"mapping\.k\.from"):
        with_rows(HARD, {row.path: row.value for row in rows_of(HARD)} | {"mapping.k.from.deeper": "1"})
