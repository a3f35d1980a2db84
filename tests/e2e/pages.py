"""The running hub of the tests of pages: its processes, a hand on their tables, and ways into its pages."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from streams.warehouse.client import Warehouse
from tests.e2e import reference_feedback
from tests.e2e.hub_process import Processes

LIVE_MS = 60_000
"""Deadlines of a machine that is busy with other tests; how soon things show is a benchmark's to measure."""
ZONE = "Asia/Ho_Chi_Minh"


class Hub:
    """The running processes and a hand on their tables."""

    def __init__(self, made: Processes) -> None:
        self.processes = made
        self.warehouse = Warehouse(made.warehouse_url, 20)

    def insert(self, table: str, **values: object) -> None:
        shown = ", ".join(repr(value) for value in values.values())
        self.warehouse.command(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({shown})", {"insert_deduplicate": 0})

    def wrote(self) -> None:
        """A line in the ledger for each entity, as a batch leaves it."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        times = dict.fromkeys(("max_event_time", "max_ingest_time", "max_kafka_time", "written_at"), now)
        for entity, source in (("feedback", "1022"), ("dossier", "portal")):
            self.insert(
                "ledger", entity=entity, source_system=source, partition=0, day="2026-01-01", applied=1, **times
            )


def fill(hub: Hub) -> None:
    """The figures of the reference period, as the meeting had them."""
    for statement in reference_feedback.statements():
        hub.warehouse.command(statement)
    hub.insert("dossier_by_received_at", day="2022-04-01", org_code="H53.14", received=1000, received_online=220)
    hub.insert("dossier_by_ended_at", day="2022-04-05", org_code="H53.14", finished=1000, finished_on_time=900,
               result_electronic=95)  # fmt: skip
    hub.wrote()
    for number in range(60):
        hub.insert("quarantine", id=f"portal:{number:04d}", connector="portal", stage="map", reason_code="bad_date",
                   reason="Ngày tiếp nhận không hợp lệ", reason_en="The date received is not valid", entity="dossier",
                   at=f"2026-11-20 01:00:{number:02d}.000", payload='{"hoTen":"***"}')  # fmt: skip


def sign_in(page: Page, key: str) -> None:
    page.goto("/signin")
    page.locator("#key").fill(key)
    page.locator("form button[type=submit]").click()
    expect(page.locator("h1")).to_be_visible()


def figure(page: Page, kpi: str) -> str:
    return page.locator(f'[id="kpi-{kpi}"] .figure').inner_text()
