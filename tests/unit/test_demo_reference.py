"""The reference history shows the meeting's figures, whatever happened on the way."""

from __future__ import annotations

import re
import time
from datetime import date
from pathlib import Path

import orjson
import polars as pl
import pytest

from deploy.demo import emitted, oracle
from deploy.demo.feed import Feed, HistorySegment
from deploy.demo.ledger import (
    FEEDBACK,
    PORTAL,
    DemoError,
    open_histories,
    open_origin,
    open_reports,
    read_histories,
)
from deploy.demo.reference import generate, reference_period
from deploy.demo.reports import reference_reports
from deploy.demo.worktime import local_date

SEED = 2022
PERIOD = (date(2022, 1, 1), date(2022, 9, 30))
MIDSUMMER_2026 = 1_782_000_000


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    open_histories(folder, open_origin(folder, PORTAL, SEED, 1.0, MIDSUMMER_2026))
    open_reports(folder, open_origin(folder, FEEDBACK, SEED, 1.0, MIDSUMMER_2026))
    return folder


@pytest.fixture(scope="module")
def figures(state: Path) -> dict[str, dict[str, float]]:
    return oracle.kpis(state, *PERIOD)


def test_feedback_has_the_figures_of_the_meeting(figures: dict[str, dict[str, float]]) -> None:
    assert figures["feedback.received"]["value"] == 493
    assert figures["feedback.open"]["value"] == 113
    assert figures["feedback.processed_share"] == {"value": 77.08, "numerator": 380, "denominator": 493}
    assert figures["feedback.on_time_of_processed"] == {"value": 72.37, "numerator": 275, "denominator": 380}
    assert figures["feedback.on_time_of_received"] == {"value": 55.78, "numerator": 275, "denominator": 493}


def test_dossiers_have_the_figures_of_the_meeting(figures: dict[str, dict[str, float]]) -> None:
    assert figures["dossier.online_share"]["value"] == 22.00
    assert figures["dossier.result_electronic_share"]["value"] == 9.50
    assert figures["procedure.online_with_dossier_share"] == {"value": 28.61, "numerator": 347, "denominator": 1213}
    assert 95 <= figures["dossier.on_time_share"]["value"] <= 97
    assert 94_000 <= figures["dossier.received"]["value"] <= 97_000


def test_there_are_about_600_000_events_of_100_000_dossiers_within_the_nine_months(state: Path) -> None:
    reference = read_histories(state)["r"]
    assert reference.dossiers.height == 100_000
    assert 590_000 <= reference.events.height <= 630_000
    assert reference.events["at"].is_sorted()
    first, last = reference.events["at"][0], reference.events["at"][-1]
    assert PERIOD[0] <= local_date(first) <= local_date(last) <= PERIOD[1]


def test_both_formats_of_dossier_and_procedure_codes_occur(state: Path) -> None:
    dossiers = read_histories(state)["r"].dossiers
    new, old = r"^H53\.\d+-\d{6}-\d{4,}$", r"^000\.\d\d\.22\.H53-\d{6}-\d{4,}$"
    assert dossiers["key"].is_duplicated().any() is False
    for form in (new, old):
        assert dossiers["key"].str.contains(form).sum() > 10_000
    assert dossiers["key"].str.contains(f"{new}|{old}").all()
    for form in (r"^\d\.\d{6}\.000\.00\.00\.H53$", r"^\d\.\d{6}\.H53$"):
        assert dossiers["portal_code"].str.contains(form).sum() > 10_000


def test_dossiers_are_reopened_corrected_recalled_restored_and_sent_again(state: Path) -> None:
    events = emitted.dossiers(state).filter(pl.col("event_id").str.starts_with("dvc-r"))
    events = events.sort("event_id").with_columns(
        last_op=pl.col("op").shift(1).over("entity_key"),
        last_status=pl.col("status").shift(1).over("entity_key"),
        last_revision=pl.col("revision").shift(1).over("entity_key"),
    )
    kinds = {
        "re-opened": (pl.col("last_status") == 10) & (pl.col("status") == 4) & (pl.col("op") == "UPSERT"),
        "corrected": pl.col("op") == "CORRECT",
        "corrected in place": (pl.col("op") == "CORRECT") & (pl.col("revision") == pl.col("last_revision")),
        "recalled": pl.col("op") == "DELETE",
        "restored": (pl.col("last_op") == "DELETE") & (pl.col("op") == "UPSERT"),
        "sent again": pl.col("revision") < pl.col("last_revision"),
    }
    counts = events.select(expression.sum().alias(kind) for kind, expression in kinds.items()).row(0, named=True)
    assert min(counts.values()) > 300, counts


def test_which_state_is_final_never_hangs_on_a_hash(state: Path) -> None:
    for events in (emitted.dossiers(state), emitted.feedback(state)):
        rank = pl.col("op").replace_strict(oracle.RANK, return_dtype=pl.Int64)
        place = events.select("entity_key", place=pl.col("revision") * 3 + rank)
        highest = place.filter(pl.col("place") == pl.col("place").max().over("entity_key"))
        assert highest.height == events["entity_key"].n_unique()


def test_the_feed_says_what_the_ledger_says(state: Path) -> None:
    history = read_histories(state)["r"]
    page, following = Feed([HistorySegment(history, "r")]).page(300_000, 500)
    rows = emitted.dossier_frame(emitted.dossier_row(raw) for raw in orjson.loads(b"[" + page + b"]"))
    assert following == 300_500
    assert rows.equals(emitted.dossiers(state)[300_000:300_500])


def test_this_year_has_dossiers_and_reports_of_every_kind(state: Path) -> None:
    answers = oracle.kpis(state, date(2026, 1, 1), date(2026, 6, 21))
    # What is due depends on the minute of asking, and arrivals on how the history was loaded.
    due = [id for id, answer in answers.items() if "due_minutes" in answer]
    forecast = answers.pop("dossier.on_time_forecast")["forecast"]
    assert forecast["open"]
    arrivals = [id for id in answers if id.endswith((".clock_skew", ".late_corrections"))]
    assert all(answers[id]["due_minutes"] for id in due)
    assert (len(due), len(arrivals)) == (4, 4)
    assert [id for id, answer in answers.items() if not answer["value"] and id not in {*due, *arrivals}] == []
    assert answers["dossier.online_share"]["value"] > 50


def test_personal_values_are_known_and_look_like_what_they_are(state: Path) -> None:
    values = emitted.personal_values(state)
    phones = {value for value in values if re.fullmatch(r"0\d{9}", value)}
    ids = {value for value in values if re.fullmatch(r"072\d{9}", value)}
    assert len(phones) > 50_000
    assert len(ids) > 50_000
    assert "Người Thử Lỗi A" in values
    assert not any(phone.endswith("000") for phone in phones)


def test_the_seed_alone_determines_the_history() -> None:
    first, again, other = (generate(reference_period(seed, 0.01)) for seed in (5, 5, 6))
    assert first.dossiers.equals(again.dossiers)
    assert first.events.equals(again.events)
    assert not first.dossiers.equals(other.dossiers)
    assert reference_reports(5, 0.1) == reference_reports(5, 0.1) != reference_reports(6, 0.1)


@pytest.mark.parametrize("seed", [1, 7])
def test_the_figures_hold_for_any_seed(seed: int) -> None:
    states = oracle.final_states(emitted.feedback_frame(map(emitted.feedback_row, reference_reports(seed, 1.0))))
    processed = states.filter(pl.col("status").is_in(["RESOLVED", "CLOSED"]))
    assert states.filter(~pl.col("status").is_in(["DUPLICATE", "REJECTED"])).height == 493
    assert processed.height == 380
    late = processed.filter(pl.col("resolved_at") > pl.col("due_at")).height
    assert processed.height - late == 275


def test_generating_the_history_is_quick() -> None:
    started = time.process_time()
    generate(reference_period(3, 1.0))
    assert time.process_time() - started < 8


def test_another_seed_on_the_same_state_is_refused_with_the_cure(state: Path) -> None:
    with pytest.raises(DemoError, match="another --state"):
        open_origin(state, PORTAL, SEED + 1, 1.0, MIDSUMMER_2026)


@pytest.mark.parametrize("now", [1_798_736_400, 1_798_736_401, 1_798_750_000, 1_799_000_000])
def test_a_year_that_has_just_begun_has_a_stock_too(tmp_path: Path, now: int) -> None:
    origin = open_origin(tmp_path, PORTAL, SEED, 0.02, now)
    stock = open_histories(tmp_path, origin)["s"]
    reports = open_reports(tmp_path, open_origin(tmp_path, FEEDBACK, SEED, 0.02, now))
    assert stock.events.height > 100
    assert stock.events["at"].max() <= now
    assert reports
