"""Tokens without their part are dropped from the de-duplication logs before the directory is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pytest

from streams.warehouse.scrub import LOGS, live_tokens, parse_part, scrub, scrub_table, without_part
from tests import scrub_scenarios

T = TypeVar("T")


def lines(*records: tuple[int, str, str]) -> str:
    return "".join(f"{operation}\t{part}\t{block}\n" for operation, part, block in records)


def table(data: Path, logs: Sequence[str], folders: Sequence[str], number: int = 1) -> Path:
    """A table's directory as the engine lays it out."""
    place = data / "store" / f"{number:03d}" / f"{number:08d}-0000"
    (place / LOGS).mkdir(parents=True)
    for index, text in enumerate(logs, start=1):
        (place / LOGS / f"deduplication_log_{index}.txt").write_text(text, encoding="utf-8")
    for name in folders:
        (place / name).mkdir()
    return place


def test_a_token_whose_part_is_there_stays() -> None:
    assert without_part([lines((1, "202201_1_1_0", "a"))], ["202201_1_1_0"]) == []


def test_a_token_whose_part_never_came_is_dropped() -> None:
    logs = [lines((1, "202201_1_1_0", "a"), (1, "202201_2_2_0", "b"))]
    assert [token.block for token in without_part(logs, ["202201_1_1_0"])] == ["b"]


def test_a_merged_part_stands_for_the_blocks_it_covers_in_its_own_table_partition_alone() -> None:
    logs = [lines(*((1, f"202201_{n}_{n}_0", f"b{n}") for n in range(1, 7)), (1, "202202_7_7_0", "c"))]
    found = without_part(logs, ["202201_1_5_2", "202203_6_9_1"])
    assert [token.block for token in found] == ["b6", "c"]


def test_a_part_of_a_mutation_stands_for_the_part_it_was_made_of() -> None:
    assert without_part([lines((1, "all_3_3_0", "a"))], ["all_3_3_0_9"]) == []


@pytest.mark.parametrize("folder", ["tmp_insert_all_1_1_0", "tmp_merge_all_1_3_1", "delete_tmp_all_1_1_0", "detached"])
def test_a_folder_that_is_still_written_or_set_aside_is_no_part(folder: str) -> None:
    assert parse_part(folder) is None
    assert len(without_part([lines((1, "all_1_1_0", "a"))], [folder])) == 1


def test_a_token_that_was_dropped_already_is_not_looked_at_in_whichever_log_it_was() -> None:
    logs = [lines((1, "all_1_1_0", "a"), (1, "all_2_2_0", "b")), lines((2, "all_1_1_0", "a"), (1, "all_3_3_0", "a"))]
    assert [(token.part, token.block) for token in live_tokens(logs)] == [("all_2_2_0", "b"), ("all_3_3_0", "a")]


def test_the_drop_is_written_to_the_last_log_by_number_and_not_by_name(tmp_path: Path) -> None:
    place = table(tmp_path, [lines((1, f"all_{n}_{n}_0", f"b{n}")) for n in range(1, 12)], ["all_2_11_3"])
    (found,) = scrub(tmp_path)
    assert [token.block for token in found.dropped] == ["b1"]
    last = (place / LOGS / "deduplication_log_11.txt").read_text()
    assert last == lines((1, "all_11_11_0", "b11"), (2, "all_1_1_0", "b1"))
    assert (place / LOGS / "deduplication_log_9.txt").read_text() == lines((1, "all_9_9_0", "b9"))


def test_a_torn_last_line_is_cut_off_before_anything_is_appended(tmp_path: Path) -> None:
    place = table(tmp_path, [lines((1, "all_1_1_0", "a"), (1, "all_2_2_0", "b")) + "1\tall_3_3"], ["all_2_2_0"])
    (found,) = scrub(tmp_path)
    assert found.torn
    text = (place / LOGS / "deduplication_log_1.txt").read_text()
    assert text == lines((1, "all_1_1_0", "a"), (1, "all_2_2_0", "b"), (2, "all_1_1_0", "a"))


def test_a_second_scrub_finds_nothing_to_do(tmp_path: Path) -> None:
    place = table(tmp_path, [lines((1, "all_1_1_0", "a"))], [])
    assert len(scrub(tmp_path)) == 1
    before = (place / LOGS / "deduplication_log_1.txt").read_bytes()
    assert scrub(tmp_path) == []
    assert (place / LOGS / "deduplication_log_1.txt").read_bytes() == before


def test_every_table_is_scrubbed_and_an_empty_directory_is_left_alone(tmp_path: Path) -> None:
    assert scrub(tmp_path) == []
    table(tmp_path, [lines((1, "all_1_1_0", "a"))], [], number=1)
    table(tmp_path, [lines((1, "all_1_1_0", "a"))], ["all_1_1_0"], number=2)
    table(tmp_path, [lines((1, "all_1_1_0", "a"))], ["all_2_2_0"], number=3)
    assert [found.table for found in scrub(tmp_path)] == ["00000001-0000", "00000003-0000"]


def test_a_table_without_a_log_file_is_no_error(tmp_path: Path) -> None:
    assert scrub_table(table(tmp_path, [], ["all_1_1_0"])).dropped == ()


def in_a_process_of_its_own(scenario: Callable[[Path], T], place: Path) -> T:
    """The engine opens one directory a process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(scenario, place).result()


def test_a_lost_block_comes_back_by_its_retry_and_merged_ones_do_not_come_twice(tmp_path: Path) -> None:
    sums, dropped = in_a_process_of_its_own(scrub_scenarios.lost_beside_merged_parts, tmp_path)
    assert dropped == 3
    assert sums == [21, 21, 21]


def test_with_several_logs_a_table_a_lost_block_comes_back_once(tmp_path: Path) -> None:
    before, after, logs = in_a_process_of_its_own(scrub_scenarios.lost_after_several_logs, tmp_path)
    assert logs > 1
    assert before == [435, 435, 435]
    assert after == [465, 465, 465]


def test_without_the_scrub_the_retry_would_be_dropped_and_the_block_lost(tmp_path: Path) -> None:
    assert in_a_process_of_its_own(scrub_scenarios.lost_part_without_scrub, tmp_path) == 0


def test_a_directory_that_is_open_is_neither_scrubbed_nor_opened_again(tmp_path: Path) -> None:
    said = in_a_process_of_its_own(scrub_scenarios.opened_twice, tmp_path)
    assert said == f"{tmp_path / 'data'} is open in another process: stop that warehouse first"
