"""The integration page: connectors by the system that they read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from connectors.manifest import load_manifests
from hub.api.connector_board import ConnectorRow
from hub.feeds import feed_of
from hub.kpi.feed import Feed, Freshness
from hub.locale.catalogue import catalogue
from hub.web.views import Reader, by_system, connector_view

ROOT = Path(__file__).parents[2]
FEEDS = [feed_of(manifest) for manifest in load_manifests(ROOT / "deploy" / "departments").values()]


def _row(feed: Feed) -> ConnectorRow:
    return ConnectorRow(
        feed=feed,
        freshness=Freshness(feed.connector, None, None, "on_time"),
        received=1, published=1, events_per_second=None, lag=0, in_warehouse=1, quarantined=0, errors=0,
        last_error=None, reported_at=None,
    )  # fmt: skip


def test_the_provinces_connectors_are_fourteen_systems_each_with_owner_and_promise() -> None:
    reader = Reader(catalogue("vi"), datetime(2026, 11, 27, tzinfo=UTC), "Asia/Ho_Chi_Minh")
    systems = by_system([connector_view(_row(feed), reader) for feed in FEEDS])
    assert len(systems) == 14
    assert sorted(one.id for system in systems for one in system) == sorted(feed.connector for feed in FEEDS)
    assert all(one.department and one.promise for system in systems for one in system)
    together = {system[0].system: [one.id for one in system] for system in systems if len(system) > 1}
    assert together["Camera giám sát giao thông"] == ["camera-heartbeats", "traffic-violations"]
    assert len(together) == 4


def test_a_connector_alone_is_its_system() -> None:
    portal = next(feed for feed in FEEDS if feed.connector == "portal")
    assert _row(portal).system("en") == _row(portal).name("en")
