"""What happens to a topic, its group or its warehouse behind the worker's back is absorbed, and losses are counted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import warehouse_process
from tests.core_figures import assert_every_offset_once, measured
from tests.dossiers import dossier, figures, life_cycles
from tests.oracle import Sent, evaluate
from tests.stream_worker import Bench, bench, value_of
from tests.topic_tools import add_partitions, delete_records, delete_topic, members, sent, set_group_offsets

Event = dict[str, Any]


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"l{uuid.uuid4().hex[:8]}", tmp_path, partitions=2) as ready:
        yield ready


async def publish(table: Bench, events: Sequence[Event]) -> None:
    await table.produce([(event["entity_key"].encode(), value_of(event)) for event in events])


def stop(worker: subprocess.Popen[bytes], table: Bench) -> None:
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    table.wait(lambda: members(table) == 0)


def taken_over(table: Bench, times: int) -> None:
    """Wait until partitions of the topic were taken over so often."""
    table.wait(
        lambda: sum(table.contract.topic in line for line in table.log().splitlines() if "taken_over" in line) >= times
    )


def kill(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()


def settle(table: Bench, events: Sequence[Event], rows: int | None = None) -> None:
    """Wait until the figures are those of the events, and hold every offset and sign against them."""
    wanted = len(events) if rows is None else rows
    table.wait(lambda: table.primary_rows() >= wanted)
    table.wait(lambda: measured(table) == figures(events), within_s=15)
    assert table.primary_rows() == wanted
    signed = table.warehouse.rows(
        f"SELECT count() FROM (SELECT entity_key, state_offset, sum(sign) AS s FROM {table.name}_changes "
        "WHERE sign != 0 GROUP BY entity_key, state_offset HAVING s NOT IN (0, 1))"
    )
    assert signed[0][0] == 0


def lost(table: Bench) -> dict[int, tuple[int, int]]:
    """Losses on record by partition: first and last offset."""
    rows = table.warehouse.rows(
        f"SELECT partition, first, last, records FROM losses FINAL WHERE topic = '{table.contract.topic}'"
    )
    assert all(count == last - first + 1 for _, first, last, count in rows)
    return {partition: (first, last) for partition, first, last, _ in rows}


def kinds(table: Bench) -> dict[tuple[int, int], str]:
    rows = table.warehouse.rows(f"SELECT partition, `offset`, kind FROM {table.name}_changes WHERE kind != 'retracted'")
    return {(partition, offset): kind for partition, offset, kind in rows}


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_offsets_set_back_or_ahead_by_hand_count_nothing_twice_and_skip_nothing(table: Bench) -> None:
    events = life_cycles(600, seed=21)
    half, most = len(events) // 2, len(events) * 3 // 4
    await publish(table, events[:half])
    worker = table.start()
    settle(table, events[:half])
    stop(worker, table)
    set_group_offsets(table, {0: 0, 1: 17})
    await publish(table, events[half:most])
    worker = table.start()
    settle(table, events[:most])
    stop(worker, table)
    await publish(table, events[most:])
    ends = Counter(record.partition for record in sent(table))
    set_group_offsets(table, ends)
    worker = table.start()
    try:
        settle(table, events)
        assert_every_offset_once(table, len(events))
        assert kinds(table) == evaluate(sent(table)).kinds
        assert lost(table) == {}
    finally:
        kill(worker)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_what_retention_took_is_counted_once_and_the_rest_is_exact(table: Bench) -> None:
    events = life_cycles(500, seed=22)
    half = len(events) // 2
    await publish(table, events[:half])
    worker = table.start()
    settle(table, events[:half])
    stop(worker, table)
    done = Counter(record.partition for record in sent(table))
    await publish(table, events[half:])
    everything = sent(table)
    gone = {0: done[0] + 40, 1: done[1] + 25}
    delete_records(table, gone)
    kept = [r for r in everything if r.offset < done[r.partition] or r.offset >= gone[r.partition]]
    for starts in (2, 3):
        worker = table.start()
        taken_over(table, 2 * starts)
        settle(table, by_value(events, kept), rows=len(kept))
        assert lost(table) == {0: (done[0], done[0] + 39), 1: (done[1], done[1] + 24)}
        stop(worker, table)
    assert kinds(table) == evaluate(kept).kinds
    told = [line for line in table.log().splitlines() if "records_lost_by_retention" in line]
    assert len(told) == 2


def by_value(events: Sequence[Event], records: Sequence[Sent]) -> list[Event]:
    """The events of these records."""
    known = {value_of(event): event for event in events}
    return [known[record.value] for record in records if record.value is not None]


@pytest.mark.long
async def test_what_retention_takes_from_a_running_worker_is_counted(table: Bench) -> None:
    first = [dossier(number, 1) for number in range(100)]
    await publish(table, first)
    worker = table.start()
    try:
        settle(table, first)
        os.kill(worker.pid, signal.SIGSTOP)
        more = [dossier(number, 1, status=10) for number in range(100, 700)]
        await publish(table, more)
        ends = Counter(record.partition for record in sent(table))
        delete_records(table, {partition: end - 10 for partition, end in ends.items()})
        os.kill(worker.pid, signal.SIGCONT)
        table.wait(lambda: table.primary_rows() + sum(b - a + 1 for a, b in lost(table).values()) == 700)
        assert set(lost(table)) == {0, 1}
        assert all(last == ends[partition] - 11 for partition, (_, last) in lost(table).items())
        table.wait(lambda: measured(table)["states"] == table.primary_rows(), within_s=10)
    finally:
        kill(worker)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_topic_made_anew_under_its_name_begins_a_new_life(table: Bench) -> None:
    events = life_cycles(400, seed=23)
    half = len(events) // 2
    await publish(table, events[:half])
    worker = table.start()
    settle(table, events[:half])
    delete_topic(table)
    table.create_topic(3)
    await publish(table, events[half:])
    try:
        # It finds out when the topic is gone from the cluster's answers, or else by its id, and then ends.
        table.wait(lambda: table.primary_rows() > half or worker.poll() is not None)
        if worker.poll() is not None:
            worker = table.start()
        settle(table, events)
        lives = table.warehouse.rows(f"SELECT DISTINCT life, topic_id FROM {table.name}_changes ORDER BY life")
        assert [life for life, _ in lives] == [0, 1]
        assert lives[0][1] != lives[1][1]
    finally:
        kill(worker)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_partitions_added_by_another_tool_keep_the_order_of_each_entity(table: Bench) -> None:
    """Records of an entity lie in its old partition, unread, and newer ones in its new one."""
    events = life_cycles(1_500, seed=24)
    third = len(events) // 3
    await publish(table, events[:third])
    worker = table.start()
    settle(table, events[:third])
    stop(worker, table)
    await publish(table, events[third : 2 * third])
    add_partitions(table, 4)
    await publish(table, events[2 * third :])
    worker = table.start()
    try:
        settle(table, events)
        lives = table.warehouse.rows(
            f"SELECT partition, groupUniqArray(life) FROM {table.name}_changes GROUP BY partition ORDER BY partition"
        )
        assert [sorted(found) for _, found in lives] == [[0], [0], [1], [1]]
        assert "new_partitions_wait" in table.log()
    finally:
        kill(worker)
    # The next owner goes on in the new life everywhere, and a batch in doubt finds its states in all partitions.
    late = [dossier(number, 9, status=10) for number in range(300)]
    worker = table.start()
    await publish(table, late)
    table.wait(lambda: table.primary_rows() > len(events))
    kill(worker)
    worker = table.start()
    try:
        settle(table, [*events, *late])
    finally:
        kill(worker)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_running_worker_takes_up_partitions_that_are_added(table: Bench) -> None:
    events = life_cycles(600, seed=25)
    half = len(events) // 2
    worker = table.start()
    try:
        await publish(table, events[:half])
        table.wait(lambda: table.primary_rows() > 0)
        add_partitions(table, 4)
        await publish(table, events[half:])
        settle(table, events)
    finally:
        kill(worker)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_warehouse_restored_from_an_older_backup_is_caught_up(kafka: str, tmp_path: Path) -> None:
    events = life_cycles(600, seed=26)
    third = len(events) // 3
    state, backup, name = tmp_path / "w", tmp_path / "backup", f"l{uuid.uuid4().hex[:8]}"
    state.mkdir()
    with warehouse_process(state) as url, bench(kafka, url, name, tmp_path, partitions=2) as table:
        await publish(table, events[:third])
        worker = table.start()
        settle(table, events[:third])
        kill(worker)
    shutil.copytree(state, backup, symlinks=True)
    with warehouse_process(state) as url, bench(kafka, url, name, tmp_path, partitions=2) as table:
        await publish(table, events[third : 2 * third])
        worker = table.start()
        settle(table, events[: 2 * third])
        stop(worker, table)  # so that the group's position is beyond the backup, and no batch is announced
    shutil.rmtree(state)
    shutil.copytree(backup, state, symlinks=True)
    with warehouse_process(state) as url, bench(kafka, url, name, tmp_path, partitions=2) as table:
        assert table.primary_rows() == third
        await publish(table, events[2 * third :])
        worker = table.start()
        try:
            settle(table, events)
            assert_every_offset_once(table, len(events))
            assert kinds(table) == evaluate(sent(table)).kinds
            assert "replay" in table.log()
        finally:
            kill(worker)
