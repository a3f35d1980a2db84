"""The REST source against a real HTTP server with the faults of real ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import CredentialsError, SourceRefusedError, SourceUnavailableError
from connectors.hosts import HostRefusedError
from connectors.http_client import retry_after_s
from connectors.manifest import load_manifests
from connectors.secrets import SecretResolver
from connectors.source import Cursor, Surroundings
from connectors.sources.rest import RestSource
from tests.deadline import eventually
from tests.portal_server import CLIENT_ID, CLIENT_SECRET, LOOPBACK, Portal, portal_server, record

MANIFEST = load_manifests()["portal"]
CONFIG = MANIFEST.source
NOW = datetime(2022, 9, 1, tzinfo=UTC)


def at(second: int) -> str:
    return (datetime(2022, 8, 23, 1, 15, tzinfo=UTC) + timedelta(seconds=second)).isoformat()


@pytest.fixture
def portal() -> Iterator[Portal]:
    with portal_server([record(number, at(number)) for number in range(25)]) as running:
        yield running


class Reader:
    """A source with page size 10, and what it reported."""

    def __init__(self, portal: Portal, secret: str = CLIENT_SECRET) -> None:
        self.reports: list[SourceUnavailableError] = []
        config = CONFIG.model_copy(update={"page_size": CONFIG.page_size.model_copy(update={"value": 10})})
        environ = {
            "IOC_PORTAL_URL": portal.url,
            "IOC_SECRET_PORTAL_CLIENT_ID": CLIENT_ID,
            "IOC_SECRET_PORTAL_CLIENT_SECRET": secret,
        }
        around = Surroundings(SecretResolver(environ), self.reports.append, LOOPBACK, now=lambda: NOW)
        self.source = RestSource(config, MANIFEST.zone, around)

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.close()

    async def all(self, cursor: Cursor | None) -> tuple[list[str], Cursor]:
        """Event ids in order, and the last position."""
        found: list[str] = []
        async with aclosing(self.source.read(cursor)) as pages:
            async for page in pages:
                found += [item["maSuKien"] for item in page.records]
                cursor = page.cursor_after
        assert cursor is not None
        return found, cursor

    async def outdated(self, cursor: Cursor) -> str | None:
        """What the end of a read says of it."""
        told = None
        async with aclosing(self.source.read(cursor)) as pages:
            async for page in pages:
                told = page.outdated_ms
        return None if told is None else datetime.fromtimestamp(told / 1000, UTC).isoformat()


def ids(*numbers: int) -> list[str]:
    return [f"sk-{number:06d}" for number in numbers]


async def test_all_pages_are_read_in_order_once(portal: Portal) -> None:
    async with Reader(portal) as reader:
        found, cursor = await reader.all(None)
        assert found == ids(*range(25))
        assert cursor == {"since": at(24)}
        assert portal.tokens_issued == 1
        assert [asked.get("page_token") for asked in portal.asked] == [None, "10", "20"]


async def test_the_next_read_brings_only_what_is_new(portal: Portal) -> None:
    async with Reader(portal) as reader:
        _, cursor = await reader.all(None)
        assert (await reader.all(cursor))[0] == []
        portal.feed.append(record(25, at(24)))  # at the very moment of the last one
        portal.feed.insert(24, record(26, at(20)))  # became visible late, within the lookback
        found, cursor = await reader.all(cursor)
        assert sorted(found) == ids(25, 26)
        assert (await reader.all(cursor))[0] == []


async def test_a_new_process_reads_the_lookback_again_and_misses_nothing(portal: Portal) -> None:
    async with Reader(portal) as reader:
        _, cursor = await reader.all(None)
    portal.feed.append(record(25, at(24)))
    async with Reader(portal) as reader:
        found, _ = await reader.all(cursor)
        assert ids(25)[0] in found


async def test_what_is_left_out_as_given_before_is_counted(portal: Portal) -> None:
    async with Reader(portal) as reader:
        _, cursor = await reader.all(None)
        async with aclosing(reader.source.read(cursor)) as pages:
            found = [page async for page in pages]
    assert [record for page in found for record in page.records] == []
    assert sum(page.repeats for page in found) == 25


async def test_rows_from_before_what_was_asked_for_are_told_and_given_once(portal: Portal) -> None:
    """A server restored from yesterday's copy, that answers the same whatever it is asked for."""
    portal.feed[:] = [record(number, at(86_400 + number)) for number in range(5)]
    async with Reader(portal) as reader:
        _, cursor = await reader.all(None)
        assert await reader.outdated(cursor) is None, "the last ones again, as asked for"
        portal.restored = [record(number, at(number)) for number in range(25)]
        found, after = await reader.all(cursor)
        assert (found, after) == (ids(*range(25)), cursor)
        assert await reader.outdated(cursor) == at(24)
        assert (await reader.all(cursor))[0] == [], "no flood of repeats"
        portal.restored = []
        assert await reader.outdated(cursor) is None
        portal.restored = None
        portal.feed.append(record(100, at(86_500)))
        assert await reader.outdated(cursor) is None


async def test_a_page_after_which_nobody_asked_is_given_again(portal: Portal) -> None:
    async with Reader(portal) as reader:
        cursor: Cursor | None = None
        pages = reader.source.read(None)
        first = await anext(pages)
        cursor = first.cursor_after  # stored, since the next page is asked for
        lost = await anext(pages)
        await pages.aclose()
        again, _ = await reader.all(cursor)
        assert {item["maSuKien"] for item in lost.records} <= set(again)
        assert set(again) | {item["maSuKien"] for item in first.records} == set(ids(*range(25)))


async def test_ties_wider_than_a_page_end_and_lose_nothing(portal: Portal) -> None:
    portal.feed[:] = [record(number, at(0)) for number in range(35)]
    async with Reader(portal) as reader:
        found, cursor = await reader.all(None)
        assert found == ids(*range(35))
        portal.feed.append(record(35, at(0)))
        assert (await reader.all(cursor))[0] == ids(35)


async def test_an_expired_token_is_renewed_once(portal: Portal) -> None:
    async with Reader(portal) as reader:
        _, cursor = await reader.all(None)
        portal.expire_token()
        portal.feed.append(record(25, at(30)))
        assert (await reader.all(cursor))[0] == ids(25)
        assert portal.tokens_issued == 2
        assert reader.reports == []


async def test_a_refused_login_is_permanent_and_names_the_cure(portal: Portal) -> None:
    async with Reader(portal, secret="wrong") as reader:
        with pytest.raises(CredentialsError, match="client_secret") as caught:
            await reader.all(None)
        assert "wrong" not in str(caught.value)
        assert portal.asked == []


async def test_a_token_refused_twice_is_a_refused_login(portal: Portal) -> None:
    portal.faults = [(401, {}), (401, {})]
    async with Reader(portal) as reader:
        with pytest.raises(CredentialsError):
            await reader.all(None)


async def test_retry_after_is_honoured(portal: Portal) -> None:
    portal.faults = [(429, {"Retry-After": "1"})]
    async with Reader(portal) as reader:
        begun = time.monotonic()
        found, _ = await reader.all(None)
        assert time.monotonic() - begun >= 1.0
        assert found == ids(*range(25))
        assert [report.retry_after_s for report in reader.reports] == [1.0]


async def test_outages_are_waited_out_page_by_page(portal: Portal) -> None:
    portal.faults = [(503, {}), None, (502, {}), (500, {})]
    async with Reader(portal) as reader:
        found, _ = await reader.all(None)
        assert found == ids(*range(25))
        assert [report.code for report in reader.reports] == ["source_down"] * 3


async def test_a_source_that_is_away_is_reported_and_tried_for_ever() -> None:
    with portal_server() as gone:
        pass
    async with Reader(gone) as reader:
        task = asyncio.create_task(reader.all(None))
        await eventually(lambda: len(reader.reports) >= 2)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert "cannot be reached" in str(reader.reports[0])


@pytest.mark.parametrize("status", [400, 404, 304])
async def test_what_repeating_does_not_mend_is_raised(portal: Portal, status: int) -> None:
    portal.faults = [(status, {})]
    async with Reader(portal) as reader:
        with pytest.raises(SourceRefusedError, match=str(status)):
            await reader.all(None)


@pytest.mark.parametrize("target", ["http://10.1.2.3/", "http://169.254.169.254/latest/meta-data/", "http://[::1]:80/"])
async def test_a_redirect_to_where_nobody_may_go_is_refused(portal: Portal, target: str) -> None:
    portal.faults = [(302, {"Location": target})]
    async with Reader(portal) as reader:
        with pytest.raises(HostRefusedError, match="ALLOWED_HOSTS"):
            await reader.all(None)


async def test_a_forgotten_page_token_is_no_end(portal: Portal) -> None:
    portal.faults = [None, (410, {})]
    async with Reader(portal) as reader:
        found, _ = await reader.all(None)
        assert set(found) == set(ids(*range(25)))


async def test_a_change_time_far_ahead_does_not_hide_what_follows(portal: Portal) -> None:
    portal.feed.append(record(90, "2099-01-01T00:00:00+07:00"))
    async with Reader(portal) as reader:
        found, cursor = await reader.all(None)
        assert ids(90)[0] in found
        assert cursor["since"] <= NOW.isoformat()
        portal.feed.insert(25, record(25, at(60)))
        assert (await reader.all(cursor))[0] == ids(25)


async def test_records_without_change_time_or_id_are_given_for_the_mapping_to_judge(portal: Portal) -> None:
    strange: list[Any] = [record(30, "hôm qua"), {"capNhatLuc": at(24)}]
    portal.feed += strange
    async with Reader(portal) as reader:
        pages = [page async for page in reader.source.read(None)]
        given = [item for page in pages for item in page.records]
        assert len(given) == 27
        assert pages[-1].cursor_after == {"since": at(24)}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        ("-3", 0.0),
        ("soon", None),
        ("Thu, 01 Sep 2022 00:00:30 GMT", 30.0),
        ("Wed, 31 Aug 2022 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, lambda: NOW) == seconds
