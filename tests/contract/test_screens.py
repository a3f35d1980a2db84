"""The declared screens over HTTP: whole without scripts, empty without data, old without a warehouse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from hub.web.theme import load_themes
from tests.contract.api_world import ApiWorld, api_world
from tests.unit.many_datasets import status

REFERENCE = "from=2022-01-01&to=2022-09-30"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def world() -> Iterator[ApiWorld]:
    with api_world() as made:
        yield made


async def get(world: ApiWorld, path: str, language: str = "vi", key: str | None = "key-of-admin") -> Any:
    async with world.client(key, language) as client:
        return await client.get(path, headers=PAGE)


def fill(world: ApiWorld) -> None:
    world.ledger("feedback", "1022")
    world.ledger("dossier", "portal")
    world.add("feedback_by_received_at", "2022-03-05", org_code="H53.20", admin_code="25456", field="MOI_TRUONG",
              received=493, processed=380, processed_on_time=275)  # fmt: skip
    world.add("dossier_by_received_at", "2022-04-01", org_code="H53.14", admin_code="25456", received=1000,
              received_online=220)  # fmt: skip


async def test_every_screen_is_whole_with_no_data_at_all(world: ApiWorld) -> None:
    for number, theme in enumerate(load_themes().values()):
        language = ("vi", "en")[number % 2]
        answer = await get(world, theme.address, language)
        assert answer.status_code == 200, theme.id
        for block in theme.sections:
            assert getattr(block.title, language) in answer.text
        assert "None" not in re.sub(r"<[^>]*>", "", answer.text)


async def test_the_overview_names_what_is_behind_its_plan_worst_first(world: ApiWorld) -> None:
    fill(world)
    text = (await get(world, f"/?{REFERENCE}")).text
    red = text[text.index('class="red"') : text.index("</ol>")]
    assert "Tỷ lệ hồ sơ trực tuyến" in red and "−28 điểm" in red


async def test_a_map_names_its_set_of_units_and_puts_old_figures_into_new_ones(world: ApiWorld) -> None:
    fill(world)
    old = (await get(world, f"/screen/feedback?{REFERENCE}")).text
    assert re.search(r'aria-current="true">bộ 2022<', old)
    assert "Phường 1" in old and "77,08" in old
    new = (await get(world, f"/screen/feedback?{REFERENCE}&units=2025")).text
    assert "Phường Tân Ninh" in new and "quy về đơn vị của bộ 2025" in new
    wrong = await get(world, f"/screen/feedback?{REFERENCE}&units=1975")
    assert wrong.status_code == 400 and "2022, 2025" in wrong.text


async def test_without_the_warehouse_tables_stay_and_say_that_they_are_old(world: ApiWorld) -> None:
    fill(world)
    world.statuses = {"feedback-1022": status(world.now)}
    before = (await get(world, f"/screen/feedback?{REFERENCE}")).text
    assert "block of-table half stale" not in before
    world.down = True
    after = (await get(world, f"/screen/feedback?{REFERENCE}")).text
    assert "UBND thành phố Tây Ninh" in after and "77,08" in after
    assert "block of-table half stale" in after and "Số liệu cũ" in after
    elsewhere = (await get(world, "/screen/feedback?from=2022-01-02&to=2022-09-30")).text
    assert "Kho dữ liệu không trả lời" in elsewhere


async def test_a_block_is_read_again_by_itself(world: ApiWorld) -> None:
    fill(world)
    theme = load_themes()["feedback"]
    number = next(place for place, block in enumerate(theme.sections) if block.kind == "map")
    answer = await get(world, f"/screen/feedback/block/{number}?{REFERENCE}")
    assert answer.text.count("<section") == 1 and f'id="block-{number}"' in answer.text
    assert (await get(world, "/screen/feedback/block/99")).status_code == 404


async def test_an_unknown_screen_names_those_there_are(world: ApiWorld) -> None:
    answer = await get(world, "/screen/weather")
    assert answer.status_code == 404 and "feedback" in answer.text and "environment" in answer.text


async def test_the_wall_turns_from_part_to_part_and_from_screen_to_screen(world: ApiWorld) -> None:
    fill(world)
    seen, address = [], f"/screen/feedback?{REFERENCE}&kiosk=feedback,overview&every=9"
    for _ in range(20):
        text = (await get(world, address)).text
        assert 'data-every="9"' in text
        seen.append(address.partition("?")[0])
        address = re.search(r'data-next="([^"]+)"', text)[1].replace("&amp;", "&")  # type: ignore[index]
        if len(set(seen)) == 2 and address.startswith("/screen/feedback"):
            break
    assert seen[0] == "/screen/feedback" and seen[-1] == "/"
    assert seen.count("/screen/feedback") > 1, "the screen has more than one wall holds"
    refused = await get(world, "/?kiosk=weather")
    assert refused.status_code == 400 and "environment" in refused.text


async def test_a_department_sees_its_own_figures_on_the_screens(world: ApiWorld) -> None:
    fill(world)
    other = (await get(world, f"/screen/feedback?{REFERENCE}", key="key-of-department")).text
    assert "77,08" not in other
    own = (await get(world, f"/screen/feedback?{REFERENCE}", key="key-of-another")).text
    assert "77,08" in own
