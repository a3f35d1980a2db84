"""Record batches made at once are, octet for octet, those that the client library makes one message after the other."""

from __future__ import annotations

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.record_batch import record_batches

AT_MS = 1_661_240_000_000
Pairs = list[tuple[bytes, bytes]]


def one_by_one(pairs: Pairs) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 2**30)
    for place, (key, value) in enumerate(pairs):
        builder.append(place, AT_MS, key, value, [])
    return bytes(builder.build())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=70), st.binary(max_size=200)), min_size=1, max_size=20), st.integers(1, 9))
def test_a_batch_is_what_the_client_would_make(pairs: Pairs, times: int) -> None:
    many = pairs * times
    assert list(record_batches(many, AT_MS, 2**20, calc_crc32c)) == [(one_by_one(many), len(many))]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=400)), min_size=1, max_size=60), st.integers(0, 900)
)
def test_batches_hold_all_in_order_and_none_is_too_large(pairs: Pairs, most_bytes: int) -> None:
    found: Pairs = []
    for octets, count in record_batches(pairs, AT_MS, most_bytes, calc_crc32c):
        assert len(octets) <= most_bytes or count == 1
        batch = DefaultRecordBatch(octets)
        assert batch.validate_crc()
        found += [(record.key or b"", record.value or b"") for record in batch]
    assert found == pairs


def test_nothing_is_no_batch() -> None:
    assert list(record_batches([], AT_MS, 2**20, calc_crc32c)) == []


def test_long_messages_keep_their_lengths() -> None:
    pairs = [(b"k" * size, b"v" * (size * 300)) for size in (1, 63, 64, 127, 128, 2048, 5000)]
    assert list(record_batches(pairs, AT_MS, 2**30, calc_crc32c)) == [(one_by_one(pairs), len(pairs))]
