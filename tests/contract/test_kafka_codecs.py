"""A department's topic is read whatever codec its producer or its broker compresses it with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import Reading
from tests.worlds.streams import KafkaWorld, SecondCluster


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_a_compressed_topic_is_read(gated_kafka: SecondCluster, tmp_path: Path, codec: str) -> None:
    world = KafkaWorld(tmp_path, gated_kafka, {"compression.type": codec})
    world.add(0, 35)
    async with Reading(world) as reading:
        assert sorted(await reading.read_until(world.ids(0, 35))) == sorted(world.ids(0, 35))
