"""From a figure to why it is so, over dossiers that came through the real core: pages whole without scripts."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from hub.api.app import create_api
from hub.api.deps import ApiDeps
from hub.catalogue.registered import Versions
from hub.catalogue.service import Catalogue
from hub.config import Settings
from hub.declarations import load_declarations
from tests.contract.api_world import KeysInMemory, RegistryInMemory
from tests.dossiers import dossier
from tests.told import Told, told

YEAR = "from=2022-01-01&to=2022-12-31"
FIRST = datetime(2022, 9, 18, 2, 0, tzinfo=UTC)
KPI = "/kpi/dossier.on_time_share"

World = tuple[Told, Any]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Sixty-five dossiers finished, ten of them recalled a day later."""
    with told() as made:
        made.feed([dossier(number, 1, 9, org_code=f"H53.{14 + number % 2}") for number in range(65)], FIRST)
        recalled = [dossier(number, 2, 4, org_code=f"H53.{14 + number % 2}") for number in range(10)]
        made.feed(recalled, FIRST + timedelta(days=1))
        made.clock[0] = FIRST + timedelta(days=1, hours=1)
        declared = load_declarations(Settings())
        versions = Versions(RegistryInMemory(), lambda: made.now)
        catalogue = Catalogue(declared, made.service, made.service.reader, versions, lambda: declared.manifests)
        yield made, create_api(ApiDeps(made.service, made.service.reader, KeysInMemory(), catalogue=catalogue))


async def get(world: World, path: str, key: str = "key-of-admin", language: str = "en") -> Any:
    sent = {"Accept-Language": language, "Authorization": f"Bearer {key}", "Accept": "text/html"}
    transport = httpx2.ASGITransport(app=world[1], raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=sent) as client:
        for _ in range(20):
            answer = await client.get(path)
            if world[0].service.outage is None:
                break
            # On a busy machine a statement may run out of its time; the hub asks again after a while.
            world[0].clock[0] += timedelta(seconds=5)
        return answer


def words(text: str) -> str:
    """What a person reads of a page."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


async def test_a_figure_tells_its_formula_in_numbers_what_changed_it_and_where_it_comes_from(
    world: World,
) -> None:
    answer = await get(world, f"{KPI}?{YEAR}")
    assert answer.status_code == 200
    text = words(answer.text)
    assert "[Dossiers finished on time] ÷ [Dossiers finished] × 100" in text
    assert re.search(r"\d+ ÷ 55 × 100 = [\d.]+", text)
    assert "recalled, no longer counts" in text and "−5" in text
    assert "ioc.administration.dossier" in text and "dossier_changes" in text


async def test_its_records_are_read_page_by_page_down_to_one_with_its_history(world: World) -> None:
    address, keys = f"{KPI}/records?{YEAR}&role=denominator", []
    while address:
        page = (await get(world, address)).text
        keys += re.findall(r'href="/entity/dossier/([^"]+)"', page)
        found = re.search(r'class="button" href="([^"]+)"', page)
        address = html.unescape(found[1]) if found else ""
    assert len(keys) == len(set(keys)) == 55
    record = words((await get(world, "/entity/dossier/H53.14-220101-000003")).text)
    assert "History: 2 deliveries" in record and "took back what was counted" in record
    assert "→" in record
    assert "applicant" not in record


async def test_the_report_of_an_earlier_day_is_shown_beside_what_it_would_be_now(world: World) -> None:
    text = words((await get(world, f"{KPI}?{YEAR}&known=2022-09-18T20:00")).text)
    assert re.search(r"The report then said .*/ 65\)", text)
    assert re.search(r"Now, for the same period .*/ 55\)", text)


async def test_one_units_figure_has_its_own_records_only(world: World) -> None:
    page = (await get(world, f"{KPI}/records?{YEAR}&role=denominator&where%5Borg_code%5D=H53.15")).text
    assert page.count('href="/entity/dossier/') == 27


async def test_a_department_reads_no_record_of_another_one(world: World) -> None:
    own = (await get(world, f"{KPI}/records?{YEAR}&role=denominator", "key-of-department")).text
    assert own.count('href="/entity/dossier/') == 28
    assert (await get(world, "/entity/dossier/H53.14-220101-000003", "key-of-department")).status_code == 404


async def test_a_wrong_moment_role_or_record_is_told_with_what_is_right(world: World) -> None:
    for path, status, told_so in (
        (f"{KPI}?{YEAR}&known=yesterday", 400, "2022-09-19T17:00"),
        (f"{KPI}/records?{YEAR}&role=value", 400, "numerator, denominator"),
        (f"{KPI}?{YEAR}&by=weather", 400, "org_code"),
        ("/entity/dossier/none", 404, ""),
        ("/entity/weather", 404, "dossier"),
    ):
        answer = await get(world, path)
        assert answer.status_code == status, path
        assert told_so in answer.text, path
