"""Every producer puts a key into the same partition."""

from __future__ import annotations

from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from connectors.partition import murmur2, partition_of


@given(st.binary(max_size=300))
def test_murmur2_is_the_java_clients(key: bytes) -> None:
    assert murmur2(key) == reference(key)


def test_known_values_of_the_java_client() -> None:
    assert murmur2(b"21") - (1 << 32) == -973932308
    assert murmur2(b"foobar") - (1 << 32) == -790332482
    assert 0 <= partition_of(b"H53.14-220823-0001", 12) < 12
