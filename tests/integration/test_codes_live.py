"""A code table that is applied takes effect in what runs: mappings and the warehouse; history keeps its codes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from connectors.compacted import CompactedTopic
from connectors.live_codes import LiveCodes
from connectors.mapping import compile_mapping
from connectors.pseudonym import Pseudonymiser
from connectors.seeds import parse_manifest
from schemas.codes_table import CodeTable, as_csv, load_code_tables, read_table
from schemas.contract import load_contracts
from streams.warehouse.client import Warehouse
from streams.warehouse.code_tables import load_codes
from tests.stack import ROOT

SEEDS = load_code_tables()
CONTRACTS = load_contracts()
ARCHIVE = (ROOT / "deploy" / "departments" / "digital-archive.yaml").read_text("utf-8")


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"codes-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(name, 1, 1, topic_configs={"cleanup.policy": "compact"})])
    admin.close()
    return name


@asynccontextmanager
async def following(kafka: str, topic: str) -> AsyncIterator[LiveCodes]:
    codes = LiveCodes(CompactedTopic(kafka, topic, keep_values=False), SEEDS)
    await codes.topic.start()
    try:
        yield codes
    finally:
        await codes.topic.stop()


@pytest.fixture
def store(warehouse: str) -> Iterator[Warehouse]:
    client = Warehouse(warehouse)
    yield client
    client.close()


def split_fonds() -> CodeTable:
    """A fonds that is handed over to another unit on a day, and a new one."""
    text = as_csv(SEEDS["fonds"]).replace("H53.12,150000,2021-01-01,\n", "H53.12,150000,2021-01-01,2025-02-28\n")
    return read_table("fonds", f"{text}PLT-0012,Phông Sở Nội vụ,Home affairs,H53.01,1,2025-03-01,\n"
                      "PLT-0099,Phông mới,New,H53.01,1,2025-03-01,\n", "fonds.csv")  # fmt: skip


def document(fonds: str, at: str) -> dict[str, object]:
    return {
        "ma_su_kien": "lt-1", "ma_tai_lieu": "LT.053.0012.000001", "phien_ban": 1, "hanh_dong": "capnhat",
        "cap_nhat_luc": at, "co_quan": "H53.12", "ma_xa": "25459", "phong": fonds, "loai": "khac",
        "trang_thai": "da_nhan", "so_trang": 4, "so_trang_so_hoa": 0, "nhan_luc": at, "so_hoa_luc": None,
    }  # fmt: skip


async def test_a_table_applied_by_one_process_maps_records_in_another_and_old_days_keep_what_held(
    kafka: str, topic: str
) -> None:
    manifest = parse_manifest(ARCHIVE, "digital-archive.yaml")
    assert "fonds" in manifest.tables
    early, late = document("PLT-0099", "2022-09-14T08:00:00+07:00"), document("PLT-0099", "2026-03-02T08:00:00+07:00")
    async with following(kafka, topic) as here, following(kafka, topic) as there:
        heard: list[str] = []
        there.on_table(lambda table: heard.append(table.name))
        before = compile_mapping(manifest, CONTRACTS["archive_document"], Pseudonymiser(b"k" * 32), there)
        assert len(before([dict(early), dict(late)], 0).refused) == 2
        assert await here.apply(split_fonds(), "tester", 1) == 1
        await there.topic.catch_up()
        assert heard == ["fonds"]
        after = compile_mapping(manifest, CONTRACTS["archive_document"], Pseudonymiser(b"k" * 32), there)
        mapped = after([dict(early), dict(late), document("PLT-0012", "2022-09-14T08:00:00+07:00")], 0)
        assert [row["fonds"] for row in mapped.rows] == ["PLT-0099", "PLT-0012"]
        assert [refusal.error.code for refusal in mapped.refused] == ["unknown_code"]
        assert there.applied("fonds") == {"version": 1, "by": "tester", "at": 1}


async def test_a_process_that_starts_later_has_the_applied_table_and_a_broken_record_leaves_it(
    kafka: str, topic: str
) -> None:
    async with following(kafka, topic) as first:
        await first.apply(split_fonds(), "tester", 1)
        await first.topic.put("fonds", b"not json")
        await first.topic.put("org", b'{"version": 3, "text": "code\\nA\\n", "by": "x", "at": 1}')
        assert first["fonds"] == split_fonds()
        assert first["org"] == SEEDS["org"]
        await first.apply(split_fonds(), "tester", 2)
    async with following(kafka, topic) as second:
        assert second["fonds"] == split_fonds()
        await second.withdraw("fonds")
        await second.topic.catch_up()
        assert second["fonds"] == SEEDS["fonds"]


async def test_the_warehouse_has_an_applied_table_whole_and_both_code_sets_side_by_side(store: Warehouse) -> None:
    await asyncio.to_thread(load_codes, store, split_fonds())
    await asyncio.to_thread(load_codes, store, SEEDS["admin_unit"])
    rows = store.rows("SELECT org_code FROM code_fonds WHERE code = 'PLT-0012' ORDER BY valid_from")
    assert [row[0] for row in rows] == ["H53.12", "H53.01"]
    old = store.rows(
        "SELECT p.name_vi FROM code_admin_unit u JOIN code_admin_unit p ON p.code = u.parent AND p.codeset = u.codeset"
        " WHERE u.code = '25459' AND u.valid_from <= '2022-09-19' AND u.valid_to >= '2022-09-19'"
    )
    new = store.rows(
        "SELECT p.name_vi FROM code_admin_unit u JOIN code_admin_unit p ON p.code = u.parent AND p.codeset = u.codeset"
        " WHERE u.code = '25459' AND u.valid_from > '2025-06-30'"
    )
    assert ([row[0] for row in old], [row[0] for row in new]) == (["Thành phố Tây Ninh"], ["Tỉnh Tây Ninh"])
