"""The embedded ClickHouse engine (chDB): the home module of `chdb`.

One process owns a data directory. A connection releases the GIL while it works, so every request has its own and two
queries run side by side. Those that read, and those of small inserts, are kept with their settings for the next that
has the same: to open one and to set it up took 1.2 of the 4.3 ms of a small sum, and of a small insert 1.2 of 27.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import chdb

from streams.warehouse.scrub import scrub

_CODE = re.compile(r"Code: (\d+)")
_INSERT = re.compile(r"^\s*INSERT\b", re.IGNORECASE)
_READING = re.compile(r"^\s*(SELECT|WITH|SHOW|DESCRIBE|DESC|EXISTS|EXPLAIN)\b", re.IGNORECASE)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)

# merge_selector_base: parts are merged ten at a time, not five. Four interleaved pairs of 180 inserts: 33 s of
# processor time instead of 40, on average; 2.6 million rows merged instead of 6.1. A sum over a rollup costs the same
# (11 and 9 ms); 2,000 current states by their keys cost more (FINAL, 53 ms instead of 28): a table has some parts more.
#
# min_bytes_for_full_part_storage: a part that is not wide yet is one file instead of ten. An insert of one row makes
# seven parts: 150 such inserts in each of three interleaved pairs took 60 ms instead of 85 at the median, the system's
# share 27 ms instead of 58; blocks of 10,000 rows take as long as before.
#
# os_threads_nice_value_merge_mutate: nobody waits for a merge, so merges, a good quarter of the warehouse's processor
# time at 20,000 events/s, give way to inserts and questions. Half of all events were then visible after 0.77 instead of
# 0.87 s (three and two runs). With 10 it was 0.72, but at full load they must still keep up.
CONFIG = """<clickhouse>
    <background_pool_size>2</background_pool_size>
    <os_threads_nice_value_merge_mutate>5</os_threads_nice_value_merge_mutate>
    <background_schedule_pool_size>4</background_schedule_pool_size>
    <mark_cache_size>67108864</mark_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
    <merge_tree>
        <merge_selector_base>10</merge_selector_base>
        <min_bytes_for_full_part_storage>10485760</min_bytes_for_full_part_storage>
        <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
        <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
        <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
    </merge_tree>
</clickhouse>
"""


PROFILE = {
    "max_threads": "2",
    # To start a second thread costs more than to look into ten parts: a sum over a rollup of ten parts took 10.0 to
    # 10.5 instead of 12.6 ms, the system's share 1.0 instead of 2.8.
    "max_threads_for_indexes": "1",
    "async_insert": "0",
    "parallel_view_processing": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    # Otherwise this engine passes over `insert_deduplicate`, and a block like one before is left out though it has no
    # token.
    "deduplicate_insert": "backward_compatible_choice",
}
"""Settings of every statement that does not bring its own: chDB passes over the profiles of its configuration."""

KEPT_BODY_BYTES = 4 * 1024 * 1024
"""Of an insert whose connection is kept: what one leaves behind in it must stay small."""

OF_ONE_INSERT = "insert_deduplication_token"
"""The setting that differs from each insert to the next, and so stands in the statement instead."""

KEPT = 16
"""Idle connections: twice as many as statements run at once; the one that was idle longest gives way."""


class EngineError(Exception):
    """A statement failed; `code` is ClickHouse's error code, 0 if the message names none."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        match = _CODE.search(message)
        self.code = int(match.group(1)) if match else 0


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` in `format`; `rows_read` as the engine counted."""

    body: bytes
    format: str
    rows_read: int


def _quote(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _native_header(names_and_types: list[tuple[str, str]]) -> bytes:
    """A Native block of no rows; chDB answers an empty result with no bytes and the names would be lost."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return _varint(len(raw)) + raw

    return b"".join(
        (_varint(len(names_and_types)), _varint(0), *(text(name) + text(kind) for name, kind in names_and_types))
    )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _locked(data: Path) -> TextIO:
    """A lock on `data` for as long as the file is open, the process's death included; `EngineError` if another has it.

    The engine would notice by itself, but only after this process had scrubbed the directory of the running one.
    """
    lock = (data.parent / f"{data.name}.lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise EngineError(f"{data} is open in another process: stop that warehouse first") from error
    return lock


class Engine:
    """Owns a data directory. Methods block; call them from threads."""

    def __init__(self, data: Path, spool: Path) -> None:
        """Open or create `data`; `spool` (best on a memory disk) takes insert bodies and is emptied first."""
        data.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(data)
        scrub(data)
        shutil.rmtree(spool, ignore_errors=True)
        spool.mkdir(parents=True)
        self.spool = spool
        config = data.parent / f"{data.name}.config.xml"
        config.write_text(CONFIG, encoding="utf-8")
        # chDB loads a config.xml of the working directory silently; ours is named instead.
        self._address = f"{data}?config-file={config}"
        os.environ.setdefault("TZ", "UTC")
        # Kept open: the engine stops when its last connection closes.
        self._anchor = chdb.connect(self._address)
        self._anchor.query("SELECT 1")
        self._idle: list[tuple[str, Any]] = []
        self._idle_lock = threading.Lock()

    def close(self) -> None:
        """Flush and release the directory."""
        for _, connection in self._idle:
            connection.close()
        self._anchor.close()
        shutil.rmtree(self.spool, ignore_errors=True)
        self._lock.close()

    def run(
        self,
        sql: str,
        settings: dict[str, str],
        parameters: dict[str, str],
        default_format: str = "TabSeparated",
        read_only: bool = False,
        keep: bool = False,
    ) -> Answer:
        """Run one statement; raises `EngineError`. `parameters` are texts for `{name:Type}`. `keep`: its connection, as
        is done if it reads."""
        match = _FORMAT.search(sql)
        wanted = match.group(1) if match else default_format
        assignments = [f"{key}={_quote(value)}" for key, value in (PROFILE | settings).items()]
        if read_only:
            assignments.append("readonly=1")
        reading = _READING.match(sql) is not None
        try:
            with self._connection(", ".join(assignments), keep=keep or reading) as connection:
                result = connection.query(sql, wanted, params=parameters)
                body = result.bytes() if result.has_error() is False else b""
                if result.has_error():
                    raise EngineError(str(result.error_message()))
                if not body and wanted.lower() == "native" and reading:
                    body = self._empty(connection, sql[: match.start()] if match else sql, parameters)
                return Answer(body or b"", wanted, int(result.rows_read() or 0))
        except RuntimeError as error:
            raise EngineError(str(error)) from error

    @contextmanager
    def _connection(self, assignments: str, keep: bool) -> Iterator[Any]:
        """A connection with these settings, for one statement. To `keep`: the statement leaves nothing behind in it,
        and the connection is kept unless it fails."""
        connection = self._taken(assignments) if keep else None
        if connection is None:
            connection = chdb.connect(self._address)
            try:
                connection.query("SET " + assignments)
            except BaseException:
                connection.close()
                raise
        done = False
        try:
            yield connection
            done = True
        finally:
            if keep and done:
                self._put_back(assignments, connection)
            else:
                connection.close()

    def _taken(self, assignments: str) -> Any:
        """An idle connection with these settings, the one used last, or None."""
        with self._idle_lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][0] == assignments:
                    return self._idle.pop(place)[1]
        return None

    def _put_back(self, assignments: str, connection: Any) -> None:
        """Keep it; the one that was idle longest gives way."""
        with self._idle_lock:
            self._idle.append((assignments, connection))
            oldest = self._idle.pop(0)[1] if len(self._idle) > KEPT else None
        if oldest is not None:
            oldest.close()

    def _empty(self, connection: Any, sql: str, parameters: dict[str, str]) -> bytes:
        described = connection.query(f"DESCRIBE TABLE ({sql.rstrip().rstrip(';')})", "TSVRaw", params=parameters)
        lines = (described.bytes() or b"").decode().splitlines()
        return _native_header([(line.split("\t")[0], line.split("\t")[1]) for line in lines])

    def insert(self, sql: str, body: Path, settings: dict[str, str]) -> Answer:
        """Insert the file `body`; `sql` ends in `FORMAT X`. One statement, all errors reported.

        From a file and not inline: binary bodies over about 1 MB are cut, and the streaming insert hides errors.
        """
        match = _FORMAT.search(sql)
        if match is None:
            raise EngineError("Code: 62. An insert with a body must end in FORMAT <name>")
        general = {name: value for name, value in settings.items() if name != OF_ONE_INSERT}
        own = f" SETTINGS {OF_ONE_INSERT} = {_quote(settings[OF_ONE_INSERT])}" if OF_ONE_INSERT in settings else ""
        from_file = f"{sql[: match.start()]} FROM INFILE '{body}' COMPRESSION 'none'{own} FORMAT {match.group(1)}"
        return self.run(from_file, general, {}, keep=body.stat().st_size < KEPT_BODY_BYTES)


def is_insert(sql: str) -> bool:
    """Whether `sql` is an INSERT."""
    return _INSERT.match(sql) is not None
