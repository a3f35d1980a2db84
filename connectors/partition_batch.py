"""`connectors.partition` for many keys at once. Apart from it: who asks for one key alone does not load NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from connectors.partition import partition_of

WORTH = 32
"""Keys from which on hashing them at once is quicker."""
_M = 0x5BD1E995


def partitions_of(keys: Sequence[bytes], partitions: int) -> list[int]:
    """`partition_of` for many keys: those of one length are hashed at once."""
    if len(keys) < WORTH:
        return [partition_of(key, partitions) for key in keys]
    sizes = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
    found = np.empty(len(keys), dtype=np.int64)
    for length in np.unique(sizes).tolist():
        places = np.flatnonzero(sizes == length)
        group = keys if len(places) == len(keys) else [keys[place] for place in places.tolist()]
        if len(group) < WORTH or length == 0:
            found[places] = [partition_of(key, partitions) for key in group]
        else:
            hashed = _murmur2_of_many(b"".join(group), length)
            found[places] = (hashed & np.uint32(0x7FFFFFFF)).astype(np.int64) % partitions
    made: list[int] = found.tolist()
    return made


def _murmur2_of_many(joined: bytes, length: int) -> npt.NDArray[np.uint32]:
    """The hashes of keys of one length that stand one after the other; 32-bit arithmetic wraps around."""
    octets = np.frombuffer(joined, dtype=np.uint8).reshape(-1, length)
    whole = length & ~3
    m = np.uint32(_M)
    h = np.full(len(octets), 0x9747B28C ^ length, dtype=np.uint32)
    if whole:
        words = np.ascontiguousarray(octets[:, :whole]).view("<u4")
        for column in range(words.shape[1]):
            k = words[:, column] * m
            h = (h * m) ^ ((k ^ (k >> np.uint32(24))) * m)
    if length > whole:
        rest = np.zeros(len(octets), dtype=np.uint32)
        for place in range(whole, length):
            rest |= octets[:, place].astype(np.uint32) << np.uint32(8 * (place - whole))
        h = (h ^ rest) * m
    h = (h ^ (h >> np.uint32(13))) * m
    return h ^ (h >> np.uint32(15))
