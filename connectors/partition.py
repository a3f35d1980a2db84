"""Kafka's default partitioning of keys: murmur2 as in the Java client, so every producer agrees."""

from __future__ import annotations

import struct

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_WORDS = tuple(struct.Struct(f"<{count}I") for count in range(65))


def murmur2(key: bytes) -> int:
    """The 32-bit hash; equal to `org.apache.kafka.common.utils.Utils.murmur2`."""
    length = len(key)
    count = length >> 2
    h = 0x9747B28C ^ length
    words = _WORDS[count] if count < 65 else struct.Struct(f"<{count}I")
    for k in words.unpack_from(key):
        k = (k * _M) & _MASK
        h = ((h * _M) & _MASK) ^ (((k ^ (k >> 24)) * _M) & _MASK)
    rest = length & 3
    if rest:
        h = ((h ^ int.from_bytes(key[-rest:], "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key among `partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
