"""The conformance suite: what holds for every source kind, each against its real server.

At least once, resumable, patient, harmless to look at, quick to stop, and silent about secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import CredentialsError, SourceError, SourceUnavailableError
from connectors.source import Step
from tests.conformance import Reading, World
from tests.deadline import eventually
from tests.worlds import QUICK, WORLDS

STOP_S = 5.0


@pytest.fixture(params=[pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in sorted(WORLDS)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with WORLDS[request.param](request, tmp_path) as made:
        yield made


async def test_every_record_comes_once_while_nothing_goes_wrong(world: World) -> None:
    world.add(0, 35)
    async with Reading(world) as reading:
        found = await reading.read_until(world.ids(0, 35))
        assert sorted(found) == sorted(world.ids(0, 35))
        assert await reading.read() == []
        world.add(35, 12)
        assert sorted(await reading.read_until(world.ids(35, 12))) == sorted(world.ids(35, 12))


async def test_a_new_process_goes_on_from_the_stored_position(world: World) -> None:
    world.add(0, 35)
    async with Reading(world) as first:
        before = await first.read(pages_at_most=2)
        assert 0 < len(before) < 35
    async with Reading(world) as second:
        second.cursor = first.cursor
        await second.read_until(world.ids(0, 35) - set(before))


async def test_a_page_after_which_nobody_asked_is_given_again(world: World) -> None:
    world.add(0, 25)
    async with Reading(world) as reading:
        lost = {record["id"] for record in (await reading.page()).records}
        again = await reading.read_until(world.ids(0, 25))
        assert lost <= set(again)
    async with Reading(world) as another:
        another.cursor = None
        world.add(25, 5)
        await another.read_until(world.ids(25, 5))


async def test_a_slow_reader_gets_pages_of_the_declared_size(world: World) -> None:
    world.add(0, 60)
    async with Reading(world) as reading:
        sizes = []
        async with contextlib.aclosing(reading.source.read(None)) as pages:  # type: ignore[type-var]
            async for page in pages:
                sizes.append(len(page.records))
                await asyncio.sleep(0.05)
        assert max(sizes) <= world.page_records
        assert sum(sizes) <= 60


async def test_an_absent_server_is_reported_and_waited_for(world: World) -> None:
    world.add(0, 15)
    async with Reading(world) as reading:
        task = None
        with world.away():
            task = asyncio.create_task(reading.read_until(world.ids(0, 15)))
            await eventually(lambda: len(reading.reports) > 0, within_s=40)
            assert not task.done()
        assert set(await task) >= world.ids(0, 15)
        assert all(isinstance(report, SourceUnavailableError) for report in reading.reports)


async def test_an_absent_server_fails_a_check_and_a_preview_at_once(world: World) -> None:
    async with Reading(world) as reading:
        with world.away():
            steps = [step async for step in reading.source.check()]
            assert isinstance(steps[-1].error, SourceUnavailableError)
            with pytest.raises(SourceUnavailableError):
                await reading.source.preview(10)


async def test_a_refused_login_is_permanent_and_shows_no_secret(world: World, caplog: pytest.LogCaptureFixture) -> None:
    wrong = world.wrong_login()
    if wrong is None:
        pytest.skip("this kind of world has no login")
    world.add(0, 5)
    async with Reading(world, wrong) as reading:
        with pytest.raises(CredentialsError) as caught:
            await reading.read()
        steps = [step async for step in reading.source.check()]
        assert isinstance(steps[-1].error, CredentialsError)
        with pytest.raises(CredentialsError):
            await reading.source.preview(3)
        shown = [repr(caught.value), caught.value.text.vi, caught.value.text.en, caplog.text]
        shown += [repr(part) for part in (reading.source, *map(_words, steps))]
        for secret in (*world.secrets, *wrong.values()):
            assert not [text for text in shown if secret in text and not _is_address(secret)]


async def test_a_check_names_its_steps_and_their_times(world: World) -> None:
    world.add(0, 3)
    async with Reading(world) as reading:
        steps = [step async for step in reading.source.check()]
        assert [step.error for step in steps] == [None] * len(steps)
        assert len(steps) >= 2 and all(step.took_s >= 0 and step.label.vi and step.label.en for step in steps)
        text = " ".join(map(_words, steps))
        assert not [secret for secret in world.secrets if secret in text]


async def test_a_preview_consumes_nothing(world: World) -> None:
    world.add(0, 25)
    before = world.state()
    async with Reading(world) as reading:
        for _ in range(2):
            preview = await reading.source.preview(10)
            assert 0 < len(preview.records) <= 10
            assert {record["id"] for record in preview.records} <= world.ids(0, 25)
        _ = [step async for step in reading.source.check()]
        assert world.state() == before
        assert set(await reading.read_until(world.ids(0, 25))) == world.ids(0, 25)


async def test_a_read_stops_within_seconds_wherever_it_is(world: World) -> None:
    world.add(0, 60)
    reading = Reading(world)
    task = asyncio.create_task(reading.read_until({"never"}))
    await eventually(lambda: reading.cursor is not None)
    await _stops(reading, task)


async def test_a_read_of_a_server_that_hangs_stops_within_seconds(world: World) -> None:
    hung = world.hung()
    if hung is None:
        pytest.skip("this kind of world cannot hang")
    world.add(0, 20)
    reading = Reading(world)
    with hung:
        task = asyncio.create_task(reading.read())
        await asyncio.sleep(0.3)
        assert not task.done()
        await _stops(reading, task)


async def _stops(reading: Reading, task: asyncio.Task[list[str]]) -> None:
    begun = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await reading.source.close()
    assert time.monotonic() - begun < STOP_S
    await reading.source.close()


def _words(step: Step) -> str:
    error: SourceError | None = step.error
    parts = [step.label, *([step.found] if step.found else []), *([error.text] if error else [])]
    return " ".join(f"{part.vi} {part.en}" for part in parts)


def _is_address(secret: str) -> bool:
    return "://" in secret or secret.isdigit()
