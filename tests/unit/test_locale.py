"""Every text exists in both languages, and no text is left over."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import get_args

import pytest

from connectors.configs import TARGET_STATES
from connectors.manifest import source_kinds
from connectors.personal_data import PERSONAL_KINDS
from connectors.registrar import ACTS as CONNECTOR_ACTS
from hub.alerts.alert import ACTS
from hub.alerts.alert import STATES as ALERT_STATES
from hub.alerts.finding import FACTS as FINDING_FACTS
from hub.alerts.rule import PeriodName, Severity
from hub.alerts.sending import OUTCOMES
from hub.api.problems import STATUSES
from hub.catalogue.downloads import FORMATS
from hub.health.evidence import FACTS
from hub.health.states import CHAIN, STATES
from hub.kpi.badges import BADGES, REASONS
from hub.kpi.delta import REASONS as REASONS_OF_CHANGE
from hub.kpi.period import PRESETS
from hub.kpi.units import VIEWS
from hub.locale.catalogue import LANGUAGES, catalogue, preferred
from hub.web.connector_pages import EDITOR_ACTS, OPERATIONS
from hub.web.connector_views import GROUPS
from hub.web.observation_views import UNITS as TIME_UNITS
from hub.web.sql_views import EXAMPLES
from hub.web.tile_view import BADGE_ICONS
from hub.web.views import ICONS
from schemas.codes_table import load_code_tables
from schemas.contract import KINDS, load_contracts
from schemas.personal import CLASSES
from streams.audit_sql import PRIMARY
from streams.plan import load_plans

HUB = Path(__file__).parents[2] / "hub"
SOURCES = [*HUB.glob("web/**/*.html"), *HUB.glob("web/*.py"), *HUB.glob("api/*.py"), *HUB.glob("locale/*.py")]

# t("key") and reader.t("key") in code and templates; keys also stand in tables and as arguments.
KEY = re.compile(r'["\']((?:%s)\.[A-Za-z0-9_.-]+)["\']')


def test_both_catalogues_have_the_same_keys_and_no_empty_text() -> None:
    vi, en = (catalogue(language).texts for language in LANGUAGES)
    assert set(vi) == set(en)
    assert not [key for key, text in [*vi.items(), *en.items()] if not text.strip()]


def test_both_languages_fill_the_same_places() -> None:
    for key in catalogue("vi").texts:
        places = [
            {name for _, name, _, _ in string.Formatter().parse(catalogue(language).texts[key]) if name}
            for language in LANGUAGES
        ]
        assert places[0] == places[1], key


def test_every_text_that_code_and_templates_ask_for_exists() -> None:
    missing = sorted(key for key in _asked_for() if key not in catalogue("vi").texts)
    assert not missing, "add these to both messages.po"


def test_no_text_is_left_that_nothing_asks_for() -> None:
    used = _asked_for()
    left = sorted(key for key in catalogue("vi").texts if key not in used)
    assert not left


def test_every_kpi_is_named_and_explained_in_both_languages() -> None:
    for plan in load_plans(load_contracts()).values():
        for kpi in plan.kpis:
            for texts in (kpi.name, kpi.explanation, kpi.unit):
                assert all(texts.get(language) for language in LANGUAGES), kpi.id


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "vi"),
        ("en-GB,en;q=0.9", "en"),
        ("fr, en;q=0.5, vi;q=0.4", "en"),
        ("en;q=0.3, vi-VN;q=0.9", "vi"),
        ("fr", "vi"),
        ("en;q=x", "vi"),
        ("en;q=0, vi;q=0.1", "vi"),
    ],
)
def test_the_language_follows_accept_language(header: str, language: str) -> None:
    assert preferred(header) == language


def _asked_for() -> set[str]:
    groups = "|".join(sorted({key.partition(".")[0] for key in catalogue("vi").texts}))
    pattern = re.compile(KEY.pattern % groups)
    found = {key for path in SOURCES for key in pattern.findall(path.read_text(encoding="utf-8"))}
    return {key for key in found if not key.endswith((".", ".html", ".css", ".js", ".svg"))} | _computed()


def _computed() -> set[str]:
    """Keys that are put together from something declared."""
    contracts = load_contracts()
    plans = load_plans(contracts)
    keys = {f"problem.{slug}.{part}" for slug in STATUSES for part in ("title", "detail")}
    keys |= {f"state.{state}" for state in {*STATES, *ICONS}}
    keys |= {f"health.stage.{stage}" for stage in CHAIN} | {f"health.mark.{mark}" for mark in ("ok", "bad", "unknown")}
    keys |= {f"health.fact.{fact}" for fact in FACTS} | {f"health.unit.{unit}" for unit, _ in TIME_UNITS}
    keys |= {f"alert.state.{state}" for state in ALERT_STATES} | {f"alert.severity.{one}" for one in get_args(Severity)}
    keys |= {f"alert.act.{act}" for act in ACTS} | {f"alert.result.{outcome}" for outcome in OUTCOMES}
    keys |= {f"alert.fact.{fact}" for fact in FINDING_FACTS}
    keys |= {f"alert.period.{name}" for name in get_args(PeriodName)}
    keys |= {f"alert.kind.{kind}" for kind in ("opened", "ended", "escalated")}
    keys |= {f"period.{name}" for name in PRESETS}
    keys |= {f"badge.{name}" for name in (*BADGES, *REASONS)} | {f"badge.state.{state}" for state in BADGE_ICONS}
    keys |= {f"tile.level.{level}" for level in ("warn", "alarm")} | {f"dimension.{view}" for view in VIEWS}
    keys |= {f"role.{role}" for role in ("numerator", "denominator", "value", "less", "done", "kept", "left")}
    keys |= {f"reason.{reason}" for reason in REASONS_OF_CHANGE} | {f"record.kind.{kind}" for kind in PRIMARY}
    keys |= {f"cause.{code}" for code in ("no_connection", "timed_out", "refused")}
    keys |= {f"value.online.{flag}" for flag in (0, 1)} | {f"value.level.{level}" for level in (2, 3, 4)}
    keys |= {f"catalogue.form.{form}" for form in FORMATS} | {f"catalogue.kind.{kind}" for kind in KINDS}
    keys |= {f"catalogue.{part}.{pii}" for part in ("short", "personal") for pii in CLASSES}
    keys |= {f"connector.kind.{kind}" for kind in source_kinds()} | {f"connector.group.{name}" for name, _ in GROUPS}
    keys |= {f"connector.act.{act}" for act in EDITOR_ACTS + OPERATIONS}
    keys |= {
        f"connector.done.{act}" for act in (*CONNECTOR_ACTS.values(), "applied", "approved", "restarted", "removed")
    }
    keys |= {f"connector.done.{act}" for act in ("position_set", "replayed", "record_mended")}
    keys |= {f"connector.target.{state}" for state in TARGET_STATES}
    keys |= {f"connector.personal.{kind}" for kind in PERSONAL_KINDS}
    keys |= {f"department.kind.{kind}" for kind in PRIMARY if kind != "quarantined"}
    own = {"code", "valid_from", "valid_to", "name_vi"}
    keys |= {f"entity.{name}" for name in contracts}
    fields = [field for contract in contracts.values() for field in contract.by_name.values() if field.pii is None]
    keys |= {f"value.{field.name}.{symbol}" for field in fields for symbol in field.symbols}
    # Symbols such as km/h and VND are the same in both languages.
    keys |= {f"unit.{field.unit}" for field in fields if field.unit and re.fullmatch(r"[a-z]{4,}", field.unit)}
    keys |= {key for key, _, _ in EXAMPLES}
    for plan in plans.values():
        keys |= {f"dimension.{name}" for name in plan.dimensions}
        for name in plan.dimensions:
            keys |= {f"value.{name}.{symbol}" for symbol in contracts[plan.entity].by_name[name].symbols}
        for kpi in plan.kpis:
            keys |= {f"dimension.{name}" for name in kpi.dimensions}
            if kpi.codes is not None and kpi.codes in (tables := load_code_tables()):
                keys |= {f"dimension.{name}" for name in tables[kpi.codes].columns if name not in own}
    return keys
