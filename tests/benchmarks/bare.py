"""The bare limit: fetch, decode, insert the same columns into the same tables and views – and nothing else.

No states are looked up, no changes computed, nothing is committed or de-duplicated: what is left between this and
the hub's rate is the price of being right. `python -m tests.benchmarks.bare BOOTSTRAP WAREHOUSE_URL NAME COUNT`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from concurrent.futures import ThreadPoolExecutor

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import ROW, Decoder
from streams.block import Bounds, arrow_stream
from streams.fetched import ColumnarFetches
from streams.garbage import THRESHOLDS
from streams.ownership import MAX_WAITING_BYTES
from streams.partition import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from streams.places import BATCHES_AT_ONCE
from streams.records import Records, Waiting, joined
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import BOOKKEEPING
from tests.benchmarks.events import PARTITIONS, contract, schema_text

FETCH_BYTES = 4 * 1024 * 1024


class Bare:
    """Decodes and inserts batches in threads."""

    def __init__(self, url: str, name: str) -> None:
        self._contract = contract(name)
        self._warehouse = Warehouse(url)
        self._columns = [field.name for field in self._contract.fields] + [column for column, _ in BOOKKEEPING]

    def insert(self, decoder: Decoder, partition: int, records: Records) -> None:
        """One batch, as one block."""
        bounds = Bounds(self._contract.topic, "bare", 0, partition, records.offsets[0], records.offsets[-1], 1)
        arrivals = records.arrivals
        times = arrivals["kafka_time"]
        frame = decoder.decode(records.keys, records.values).frame.drop(ROW)
        offsets = arrivals["offset"]
        constants: dict[str, object] = {
            "kind": "applied", "sign": 1, "reason": "", "topic_id": bounds.topic_id, "life": 0, "epoch": bounds.epoch,
            "partition": partition, "first": bounds.first, "last": bounds.last, "heal": 0, "batch_time": times[0],
        }  # fmt: skip
        frame = frame.with_columns(offsets, offsets.alias("state_offset"), times)
        missing = [column for column in self._columns if column not in frame.columns]
        frame = frame.with_columns(pl.lit(constants.get(column, 0)).alias(column) for column in missing)
        self._warehouse.insert(
            self._contract.changes_table, self._columns, arrow_stream(frame.select(self._columns)), None
        )

    async def run(self, bootstrap: str, count: int) -> None:
        """Until so many records are inserted."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, max_partition_fetch_bytes=FETCH_BYTES, enable_auto_commit=False
        )
        await consumer.start()
        topic = self._contract.topic
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        consumer._fetcher._records = ColumnarFetches()
        await consumer.seek_to_beginning()
        pool = ThreadPoolExecutor(BATCHES_AT_ONCE)
        decoders = {number: Decoder(self._contract, schema_text) for number in range(PARTITIONS)}
        waiting = {number: Waiting() for number in range(PARTITIONS)}
        busy: dict[int, asyncio.Future[None]] = {}
        done = 0
        loop = asyncio.get_running_loop()
        while done < count:
            fetched = await consumer._fetcher.fetched_records([], timeout=0.005 if busy or any(waiting.values()) else 1)
            for tp, batches in fetched.items():
                waiting[tp.partition].push(joined(batches))
            for number in [number for number, future in busy.items() if future.done()]:
                busy.pop(number).result()
            for number, queue in waiting.items():
                if queue and number not in busy and len(busy) < BATCHES_AT_ONCE:
                    records, _ = queue.take(MAX_BATCH_RECORDS, MAX_BATCH_BYTES)
                    done += len(records)
                    busy[number] = loop.run_in_executor(pool, self.insert, decoders[number], number, records)
            if busy and sum(queue.size for queue in waiting.values()) > MAX_WAITING_BYTES:
                await asyncio.wait(busy.values(), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*busy.values())
        await consumer.stop()


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    asyncio.run(Bare(sys.argv[2], sys.argv[3]).run(sys.argv[1], int(sys.argv[4])))
