"""Losses and marks on record, on the real warehouse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from streams.intent import NOTHING, Loss, Written
from streams.losses import TOPIC_TABLES, LossBook, MarkBook, lost_records
from streams.warehouse.client import Warehouse


@pytest.fixture
def opened(warehouse: str) -> Iterator[Warehouse]:
    with closing(Warehouse(warehouse)) as client:
        for statement in TOPIC_TABLES:
            client.command(statement)
        yield client


def test_losses_that_follow_the_last_batch_without_a_gap_count_as_done_with(opened: Warehouse) -> None:
    topic = f"t{uuid.uuid4().hex}"
    book = LossBook(opened, topic)
    for loss in (Loss(3, 7), Loss(8, 9), Loss(20, 29)):
        book.record("id", 0, loss)
        book.record("id", 0, loss)
    assert book.following("id", 0, 0, 2) == Written(0, 2, 9)
    assert book.following("id", 0, 10, 19) == Written(10, 19, 29)
    assert book.following("id", 0, 30, 40) == Written(30, 40)
    assert book.following("id", 0, 0, -1) == NOTHING
    assert book.following("id", 1, 0, 2) == book.following("another", 0, 0, 2) == Written(0, 2)
    assert lost_records(opened)[topic, 0] == 5 + 2 + 10


def test_a_loss_that_has_grown_replaces_what_was_on_record(opened: Warehouse) -> None:
    topic = f"t{uuid.uuid4().hex}"
    book = LossBook(opened, topic)
    book.record("id", 0, Loss(3, 7))
    book.record("id", 0, Loss(3, 11))
    assert book.following("id", 0, 0, 2) == Written(0, 2, 11)
    assert lost_records(opened)[topic, 0] == 9


def test_marks_tell_how_far_a_table_without_offsets_is_written(opened: Warehouse) -> None:
    topic = table = f"t{uuid.uuid4().hex}"
    opened.command(f"CREATE TABLE {table} (id String) ENGINE = MergeTree ORDER BY id")
    book = MarkBook(opened, topic, table)
    assert book.last("id", 0) == NOTHING
    opened.command(f"INSERT INTO {table} VALUES ('written before there were marks')")
    assert book.last("id", 0) is None
    book.put("id", 0, 5, 9)
    book.put("id", 0, 10, 12)
    book.put("id", 0, 10, 12)
    assert book.last("id", 0) == Written(10, 12)
    assert book.last("made anew", 0) == NOTHING
