"""What the templates show: every number, time and state as text in the reader's language. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.api.connector_board import ConnectorRow
from hub.health.states import VOCABULARY
from hub.kpi.answer import Figures, Row
from hub.kpi.feed import Feed
from hub.locale.catalogue import Catalogue
from hub.promise_words import in_words
from hub.web import formats

ICONS = (
    {state.code: state.icon for state in VOCABULARY[:-4]}
    | {
        "warehouse_away": "plug",
        "broken": "plug",
        "not_computed": "hourglass",
        "computing": "hourglass",
    }
    | {state.code: state.icon for state in VOCABULARY[-4:]}
)
"""In the order of precedence, with the states that only KPIs have after those that a connector's fault gives them."""
ERRORS_SHOWN = frozenset({"credentials", "source_down", "stuck_connector"})
"""States that a connector's last error explains; beside another one it is an old one, overcome."""
SEVERITIES = {state.code: state.severity for state in VOCABULARY if state.severity != "alarm"} | {
    "not_computed": "warn",
    "computing": "muted",
}
"""How loud a state is; what is not named here is an alarm."""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a view is made."""

    t: Catalogue
    now: datetime
    timezone: str

    @property
    def language(self) -> str:
        return self.t.language

    def clock(self, time: datetime | None) -> str:
        return formats.clock_text(time, self.now, self.timezone, self.language)

    def clock_ms(self, millis: int | None) -> str:
        return self.clock(None if millis is None else datetime.fromtimestamp(millis / 1000, UTC))

    def number(self, value: float | None) -> str:
        return formats.number_text(value, self.language)


@dataclass(frozen=True, slots=True)
class StateView:
    """A state: text and icon always, a colour only if it is abnormal (`severity` calm|muted|warn|alarm)."""

    code: str
    text: str
    icon: str
    severity: str


@dataclass(frozen=True, slots=True)
class ConnectorView:
    """One connector as shown."""

    id: str
    name: str
    system: str
    department: str
    promise: str
    last_event: str
    age: str
    rate: str
    lag: str
    quarantined: str
    has_quarantined: bool
    received: str
    state: StateView
    error: str | None


def state_view(code: str, t: Catalogue) -> StateView:
    return StateView(code, t(f"state.{code}"), ICONS[code], SEVERITIES.get(code, "alarm"))


def connector_view(row: ConnectorRow, reader: Reader) -> ConnectorView:
    """One line of the connectors' table."""
    t = reader.t
    return ConnectorView(
        id=row.feed.connector,
        name=row.name(t.language),
        system=row.system(t.language),
        department=row.feed.department,
        promise=promise_text(row.feed, reader),
        last_event=reader.clock(row.freshness.last_event_time),
        age=formats.age_text(row.freshness.age_s, t),
        rate=formats.number_text(row.events_per_second, t.language, 1),
        lag=reader.number(row.lag),
        quarantined=reader.number(row.quarantined),
        has_quarantined=bool(row.quarantined),
        received=reader.number(row.received),
        state=state_view(row.freshness.state, t),
        error=row.error_text(t.language) if row.freshness.state in ERRORS_SHOWN else None,
    )


def by_system(connectors: Sequence[ConnectorView]) -> list[list[ConnectorView]]:
    """The connectors of each system, systems in the order of their first connector."""
    systems: dict[str, list[ConnectorView]] = {}
    for connector in connectors:
        systems.setdefault(connector.system, []).append(connector)
    return list(systems.values())


def promise_text(feed: Feed, reader: Reader) -> str:
    """How fresh the data are to be."""
    if feed.rule is None:
        return formats.age_text(feed.promise.total_seconds(), reader.t)
    return in_words(feed.rule).to(reader.language)


def breakdown_view(
    rows: Sequence[Row], by: str, percent: bool, name_of: Callable[[str], str | None], reader: Reader
) -> list[dict[str, str | None]]:
    """Lines of a breakdown's table: the value's name, and its code if it has both."""
    return [
        {
            "name": name_of(row.key) or value_name(by, row.key, reader),
            "code": row.key if name_of(row.key) else None,
            "value": figures_text(row.figures, percent, reader),
            "numerator": reader.number(row.figures.numerator),
            "denominator": reader.number(row.figures.denominator),
        }
        for row in rows
    ]


def value_name(by: str, key: str, reader: Reader) -> str:
    """The words for a dimension's value that no code table names."""
    return reader.t.texts.get(f"value.{by}.{key}", key) or reader.t("kpi.empty_key")


def figures_text(figures: Figures, percent: bool, reader: Reader) -> str:
    """A value as shown, without its unit; why there is none."""
    if figures.unserved is not None:
        return reader.t(f"state.{figures.unserved.state}")
    if figures.value is None:
        return reader.t("tile.no_data")
    return formats.number_text(figures.value, reader.language, 2 if percent else None)
