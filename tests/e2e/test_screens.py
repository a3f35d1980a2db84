"""The users' main paths through the screens in a real Chromium, over the processes of `test_dashboard.py`'s kind."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_dashboard import Hub, browser, hub, page

__all__ = ["browser", "hub", "page"]

PERIOD = "period=2022"


def test_why_77_percent_leads_down_to_the_380_records_and_one_records_history(page: Page) -> None:
    page.goto(f"/?{PERIOD}")
    page.locator('[id="kpi-feedback.processed_share"]').get_by_role("link").first.click()
    expect(page.locator(".formula")).to_contain_text("380 ÷ 493 × 100 = 77,08")
    expect(page.locator("#changed")).to_contain_text("Từ 76,88 % (379 / 493) thành 77,08 % (380 / 493).")
    expect(page.locator("#changed tbody")).to_contain_text("đính chính")
    page.locator("#records").get_by_role("link", name="Mọi bản ghi: tử số").click()
    seen: set[str] = set()
    while True:
        seen |= set(page.locator("tbody th a").all_inner_texts())
        onward = page.get_by_role("link", name="Trang sau")
        if not onward.count():
            break
        onward.click()
        page.wait_for_load_state()
    assert len(seen) == 380
    page.goto(f"/kpi/feedback.processed_share/records?{PERIOD}&role=numerator")
    page.get_by_role("link", name="PA-0000").click()
    expect(page.locator("#history")).to_contain_text("Lịch sử: 2 lần gửi")
    expect(page.locator("#history")).to_contain_text("thay số đã tính")


def test_the_report_of_an_earlier_day_stands_beside_the_figure_of_now(page: Page) -> None:
    page.goto(f"/kpi/feedback.processed_share?{PERIOD}&known=2022-09-19T17:00")
    expect(page.locator(".then")).to_contain_text("76,88 % (379 / 493)")
    expect(page.locator(".then")).to_contain_text("77,08 % (380 / 493)")


def test_a_cluster_on_the_map_opens_and_the_old_and_new_units_are_one_click_apart(page: Page) -> None:
    page.goto(f"/screen/feedback?{PERIOD}")
    block = page.locator(".of-map")
    expect(block.locator(".choose-set [aria-current]")).to_have_text("bộ 2022")
    expect(block.locator("tbody")).to_contain_text("Phường 1")
    block.get_by_role("link", name="bộ 2025").click()
    expect(page.locator(".of-map .choose-set [aria-current]")).to_have_text("bộ 2025")
    expect(page.locator(".of-map tbody")).to_contain_text("Phường Tân Ninh")


def test_the_wall_turns_by_itself_has_nothing_to_scroll_and_ends_with_escape(page: Page) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"/?{PERIOD}&kiosk=overview,feedback&every=5")
    expect(page.locator("body")).to_have_class(re.compile(r"\bwall\b"))
    assert page.evaluate("document.documentElement.scrollHeight") <= 1080
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('.tile h3, .tile .figure, .figures td')]"
        ".map((one) => parseFloat(getComputedStyle(one).fontSize)))"
    )
    assert smallest >= 24, "letters of 24 points on a wall of 55 inches are read at five metres"
    expect(page).to_have_url(re.compile(r"part=2"), timeout=60_000)
    page.keyboard.press("Escape")
    expect(page.locator("body")).not_to_have_class(re.compile(r"\bwall\b"))


@pytest.fixture(autouse=True)
def alive(hub: Hub) -> Iterator[None]:
    hub.wrote()
    yield
