"""A whole stack that has loaded a small history: its figures are the ledgers', every record counts once, nobody is
named anywhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from functools import cached_property

import httpx2
import polars as pl
import pytest

from deploy.demo import emitted
from tests import books
from tests.books import Books
from tests.stack import RunningStack

FACES = ("API", "REGISTRY", "CONNECT", "STREAM", "MONITOR", "WAREHOUSE")


@pytest.fixture(scope="module")
def settled(stack: RunningStack) -> Iterator[Books]:
    with books.opened(stack) as opened:
        books.wait_until_settled(opened)
        yield opened


@pytest.mark.parametrize("period", [books.REFERENCE, books.this_year()], ids=["reference", "this year"])
def test_all_ten_kpis_are_the_ones_of_the_ledgers(settled: Books, period: tuple[books.date, books.date]) -> None:
    books.check_figures(settled, *period)


@pytest.mark.parametrize("entity", books.SYSTEMS)
async def test_every_emitted_record_is_accounted_for_once(settled: Books, entity: str) -> None:
    await books.check_accounts(settled, entity)


@pytest.mark.parametrize("entity", books.SYSTEMS)
def test_current_states_are_the_last_ones_of_the_ledgers(settled: Books, entity: str) -> None:
    books.check_states(settled, entity)


@pytest.mark.parametrize("entity", books.SYSTEMS)
def test_derived_tables_are_the_signed_sums_of_the_changes(settled: Books, entity: str) -> None:
    books.check_sums(settled, entity)


def test_bad_records_are_in_quarantine_once_each_with_a_reason_in_both_languages(settled: Books) -> None:
    books.check_refusals(settled)


@pytest.mark.parametrize("face", FACES)
def test_metrics_of_every_role_pass_promtool(stack: RunningStack, face: str) -> None:
    answer = httpx2.get(f"http://127.0.0.1:{stack.environment[f'IOC_{face}__PORT']}/metrics", timeout=20)
    assert answer.status_code == 200
    assert b"# TYPE ioc_" in answer.content
    checked = subprocess.run(["promtool", "check", "metrics"], input=answer.content, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


# --- personal values -----------------------------------------------------------------------------------------


class Persons:
    """Everybody's names, citizen ids and phone numbers, and a search for any of them in raw bytes."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = sorted(value for value in values if value)

    @cached_property
    def _patterns(self) -> list[str]:
        """As UTF-8 and as JSON may escape it, one character a byte."""
        escaped = (value.encode("ascii", "backslashreplace").decode() for value in self.values)
        return sorted({*(value.encode().decode("latin-1") for value in self.values), *escaped})

    def named_in(self, texts: Iterable[bytes]) -> list[str]:
        """The values that occur; digits count only as a number of their own, not within a longer one."""
        series = pl.Series("texts", [text.decode("latin-1") for text in texts], dtype=pl.String)
        suspects = series.filter(series.str.contains_any(self._patterns))
        named: set[str] = set()
        for pattern in self._patterns if len(suspects) else ():
            whole = rf"(?<!\d){pattern}(?!\d)" if pattern.isdigit() else re.escape(pattern)
            for text in suspects.filter(suspects.str.contains(pattern, literal=True)):
                if re.search(whole, text):
                    named.add(f"{pattern} in {text[:300]}")
        return sorted(named)


MAY_BE_EMPTY = {"ioc.alerts", "ioc.codes", "ioc.connect.audit", "ioc.health.incidents"}
"""Nobody has acted on a connector or changed a code table in a stack that was only started."""


@pytest.fixture(scope="module")
def persons(stack: RunningStack) -> Persons:
    found = Persons(emitted.personal_values(stack.ledgers))
    assert len(found.values) > 1000
    return found


def test_the_search_finds_a_value_where_there_is_one(persons: Persons) -> None:
    name = next(value for value in persons.values if not value.isascii())
    number = next(value for value in persons.values if value.isdigit())
    assert persons.named_in([f'{{"x":"{name}"}}'.encode()])
    assert persons.named_in([name.encode("ascii", "backslashreplace")])
    assert persons.named_in([f"\x00{number}\x02".encode()])
    assert not persons.named_in([f"9{number}9".encode(), b"nobody"])


async def test_no_topic_names_a_person(settled: Books, persons: Persons) -> None:
    names = await books.topics(settled.bootstrap)
    assert {"ioc.quarantine", "_schemas", "ioc.connect.status", "ioc.citizen.feedback"} <= set(names)
    for name in (*names, "__consumer_offsets"):
        found = await books.messages(settled.bootstrap, name)
        texts = [
            b"\n".join((message.key or b"", message.value or b"", *(value for _, value in message.headers)))
            for message in found
        ]
        assert texts or name in MAY_BE_EMPTY, f"{name} is empty"
        assert persons.named_in(texts) == [], name


def test_no_table_names_a_person(settled: Books, persons: Persons) -> None:
    rows = settled.warehouse.rows("SELECT name FROM system.tables WHERE database = currentDatabase()")
    tables = {str(row[0]) for row in rows}
    assert {"dossier_changes", "dossier_current", "feedback_changes", "feedback_current", "quarantine"} <= tables
    for table in sorted(tables):
        content: bytes = settled.warehouse.client.raw_query(f"SELECT * FROM {table}", fmt="TSVRaw")
        assert persons.named_in(content.splitlines()) == [], table


def test_no_log_names_a_person(stack: RunningStack, persons: Persons) -> None:
    files = books.log_files(stack)
    assert {"hub.log", "stream.log", "connect.log", "warehouse.log", "kafka.log"} <= {file.name for file in files}
    for file in files:
        assert persons.named_in(file.read_bytes().splitlines()) == [], file.name
