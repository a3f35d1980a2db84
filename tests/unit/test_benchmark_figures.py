"""What the benchmarks derive from what they measured."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from watchfiles import Change

from schemas.codec import Decoder
from tests.benchmarks import compare, events, pace, present, stand, workers
from tests.benchmarks.systems.environment import LOCK
from tests.benchmarks.systems.runner import SYSTEMS

FIGURES = {
    "events_per_s": {"faust_table": [3_000, 2_900, 3_100], "end_to_end": [80_000, 75_000, 90_000], "new <one>": [5]},
    "cores": {"faust_table": 1.0},
    "ratios": [
        {"system": "end_to_end", "beside": "faust_table", "wanted": 25, "median": 26.7, "range": [24, 30],
         "reached": True},
        {"system": "end_to_end", "beside": "bytewax", "wanted": 1, "median": 0.9, "range": [0.8, 1],
         "reached": False},
    ],
    "failed": {"quix_dict": "Quix Streams, a dict: not finished\nand more"},
}  # fmt: skip


def test_events_are_about_250_bytes_and_decode_to_what_they_were_made_from() -> None:
    numbers = range(7_000, 8_000)
    messages = list(events.messages(numbers, 3))
    decoded = Decoder(events.contract(), events.schema_text).decode(*map(list, zip(*messages, strict=True)))
    assert 235 <= sum(len(value) for _, value in messages) / len(messages) <= 265
    assert not decoded.bad
    assert decoded.frame["entity_key"].to_list() == [events.entity_key(number) for number in numbers]
    assert decoded.frame["status"].to_list() == [events.record(number, 3)["status"] for number in numbers]


def test_the_benchmarks_entity_has_three_rollups() -> None:
    assert {rollup.time for rollup in events.plan(events.contract("x")).rollups} >= {
        "received_at", "due_at", "ended_at",
    }  # fmt: skip


def test_ratios_are_taken_within_each_repeat() -> None:
    [ratio] = compare.ratios({"hub_counting": [100.0, 300.0, 200.0], "bytewax": [10.0, 100.0, 50.0]})
    assert (ratio.median, ratio.least, ratio.most) == (4.0, 3.0, 10.0)


def test_a_send_is_visible_when_its_partition_shows_all_sent_by_then() -> None:
    sent = [(0, 10.0, 5), (1, 10.1, 5), (0, 10.2, 10)]
    looks = [(0, 10.04, 10.05, 4), (1, 10.28, 10.3, 5), (0, 10.31, 10.35, 5), (0, 10.47, 10.5, 10)]
    found = {delay[:2]: delay[2:] for delay in pace.delays(sent, [pace.Look(*look) for look in looks], 10.05)}
    assert found == {(1, 10.1): pytest.approx((0.18, 0.2)), (0, 10.2): pytest.approx((0.27, 0.3))}


def test_a_send_that_never_became_visible_is_an_error() -> None:
    with pytest.raises(AssertionError, match="partition 0 never became visible"):
        pace.delays([(0, 10.0, 5)], [pace.Look(0, 10.09, 10.1, 4)], 0.0)


@pytest.mark.parametrize(
    ("change", "name", "is_one"),
    [
        (Change.added, "all_7_7_0", True),
        (Change.added, "tmp_insert_all_7_7_0", False),
        (Change.added, "all_1_6_1", False),
        (Change.deleted, "all_7_7_0", False),
    ],
)
def test_the_watch_looks_when_an_insert_has_put_a_part_in_its_place(change: Change, name: str, is_one: bool) -> None:
    assert pace.is_new_part(change, f"/tmp/store/{name}") is is_one


def test_the_rate_of_several_workers_is_that_of_the_middle_of_the_topic() -> None:
    fast = [(float(second), second * 60) for second in range(1, 8)]
    slow = [(second + 0.5, second * 40) for second in range(1, 8)]
    assert workers.together([fast, slow], 700) == pytest.approx(100, rel=0.15)


def test_a_rate_is_taken_between_two_counts() -> None:
    told = [(0.0, 0), (1.0, 100), (2.0, 200), (3.0, 1_000)]
    assert stand.rate_between(told, 100, 200) == 100
    assert stand.rate_between(told, 300, 400) == 800


def test_the_table_names_every_system_with_its_range_and_what_was_missed() -> None:
    table = present.markdown(FIGURES)
    assert "| Faust, its table | 3,000 | 2,900–3,100 | 1.0 |" in table
    assert "≥ 25 |" in table
    assert "≥ 1 (missed) |" in table
    assert "Not measured: Quix Streams, a dict: not finished" in table


def test_the_chart_is_readable_without_seeing_it() -> None:
    root = ElementTree.fromstring(present.chart(FIGURES["events_per_s"], "two cores & a subtitle"))
    names = {"svg": "http://www.w3.org/2000/svg"}
    texts = [text.text for text in root.iterfind("svg:text", names)]
    described = root.findtext("svg:desc", "", names)
    assert root.get("role") == "img"
    assert root.findtext("svg:title", "", names)
    for label, figure in (("Faust, its table", "3,000"), ("new <one>", "5")):
        assert label in texts
        assert figure in texts
        assert f"{label} {figure}" in described


def test_every_system_has_a_label_of_its_own() -> None:
    assert len({label for _, label in present.LABELS.values()}) == len(present.LABELS) == len(SYSTEMS) + 2


def test_the_peers_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    text = LOCK.read_text(encoding="utf-8")
    packages = re.split(r"^(?=[a-z0-9][\w.-]*==)", text, flags=re.MULTILINE)[1:]
    assert {"bytewax", "quixstreams", "py-spy"} <= {package.split("==")[0] for package in packages}
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text
