"""The users' main paths through the screens in a real Chromium."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.security.keys import KeyStore
from hub.web.theme import load_themes
from tests.e2e.hub_process import utc_now
from tests.e2e.pages import Hub, sign_in

PERIOD = "period=2022"
SQL = "/sql?query=SELECT+org_code,count()+AS+n+FROM+feedback+GROUP+BY+org_code"
SCREENS = (
    *(f"/screen/{name}?{PERIOD}" for name in load_themes() if name != "overview"),
    f"/?{PERIOD}", f"/?{PERIOD}&kiosk=", f"/screen/feedback?{PERIOD}&kiosk=", f"/kpis?{PERIOD}&view=table",
    f"/kpi/feedback.processed_share?{PERIOD}", f"/kpi/feedback.processed_share/records?{PERIOD}&role=numerator",
    "/entity/feedback", "/entity/feedback/PA-0000", "/alerts", "/alerts/a1", "/catalogue", "/catalogue/feedback",
    "/integration", "/quarantine", "/sql", SQL, "/sql?query=SELECT+1+FROM+feedbck",
)  # fmt: skip
SETTLED_WIDTH = """() => new Promise((done) => {
  let frames = 90;
  const look = () => {
    const width = document.documentElement.scrollWidth;
    if (width <= window.innerWidth || !frames--) done(width);
    else requestAnimationFrame(look);
  };
  look();
})"""
"""The page's width once its charts have taken a new one, which they do with the next frames."""
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


def test_why_77_percent_leads_down_to_the_380_records_and_one_records_history(page: Page) -> None:
    page.goto(f"/?{PERIOD}")
    page.locator('[id="kpi-feedback.processed_share"]').get_by_role("link").first.click()
    expect(page.locator(".formula")).to_contain_text("380 ÷ 493 × 100 = 77,08")
    expect(page.locator("#changed")).to_contain_text("Từ 76,88 % (379 / 493) thành 77,08 % (380 / 493).")
    expect(page.locator("#changed tbody")).to_contain_text("đính chính")
    with page.expect_navigation():  # a click alone does not wait for the page that it leads to
        page.locator("#records").get_by_role("link", name="Mọi bản ghi: tử số").click()
    seen: set[str] = set()
    while True:
        seen |= set(page.locator("tbody th a").all_inner_texts())
        onward = page.get_by_role("link", name="Trang sau")
        if not onward.count():
            break
        with page.expect_navigation():
            onward.click()
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
    expect(page).to_have_url(re.compile(r"part=2"))
    page.keyboard.press("Escape")
    expect(page.locator("body")).not_to_have_class(re.compile(r"\bwall\b"))


def test_a_question_in_sql_is_saved_and_another_person_opens_it_by_its_address(
    hub: Hub, page: Page, browser: Browser
) -> None:
    page.goto("/sql")
    page.get_by_role("link", name="Bản ghi theo đơn vị").click()
    expect(page.locator("#query")).to_have_value(re.compile("FROM dossier"))
    page.locator("#query").fill("SELECT field, count() AS n FROM feedback WHERE org_code = {unit:String} GROUP BY 1")
    page.locator("#query").press("Control+Enter")
    expect(page.locator("#result")).to_contain_text("Điền giá trị của unit")
    page.locator("[name=param_unit]").fill("H53.20")
    page.get_by_role("button", name="Chạy").click()
    expect(page.locator(".answer tbody tr")).to_have_count(2)
    expect(page.locator("#result")).to_contain_text("Từ bảng: feedback")
    page.locator("[name=limit]").fill("1")
    page.get_by_role("button", name="Chạy").click()
    expect(page.locator("#result")).to_contain_text("Đã cắt bớt: chỉ hiện 1 dòng đầu")
    page.locator("[name=name]").fill("Lĩnh vực của một đơn vị")
    page.get_by_role("button", name="Lưu câu hỏi").click()
    expect(page.locator("h1")).to_have_text("Lĩnh vực của một đơn vị")
    context = browser.new_context(locale="en-GB", base_url=hub.processes.api_url, java_script_enabled=False)
    other = context.new_page()
    sign_in(other, KeyStore(hub.processes.state, utc_now).create("operator").text)
    other.goto(page.url)
    expect(other.locator("h1")).to_have_text("Lĩnh vực của một đơn vị")
    expect(other.locator(".answer tbody tr")).to_have_count(2)
    other.locator("#query").fill("SELECT 1\nFROM feedbck")
    other.get_by_role("button", name="Run").click()
    expect(other.locator("#result")).to_contain_text("Line 2, column 6")
    expect(other.locator("#result code").first).to_have_text("feedback")
    context.close()


def test_a_question_that_is_stopped_no_longer_runs_in_the_warehouse(hub: Hub, page: Page) -> None:
    running = "SELECT count() FROM system.processes WHERE startsWith(Settings['log_comment'], 'sql-')"
    page.goto("/sql")
    rows = " CROSS JOIN ".join(f"feedback_changes AS t{number}" for number in range(5))
    page.locator("#query").fill(f"SELECT sum(cityHash64(t0.entity_key, t4.entity_key)) FROM {rows}")
    page.get_by_role("button", name="Chạy").click()
    _until(lambda: hub.warehouse.rows(running)[0][0] == 1)
    page.get_by_role("button", name="Dừng").click()
    expect(page.locator("#running")).to_have_text(re.compile("Đã dừng"))
    _until(lambda: hub.warehouse.rows(running)[0][0] == 0)


def test_an_alert_is_given_to_somebody_noted_and_handled_with_its_trail(page: Page) -> None:
    page.goto("/alerts")
    page.get_by_role("link", name="Dữ liệu trễ hẹn").click()
    expect(page.locator("main")).to_contain_text("VP UBND tỉnh")
    page.locator("[name=to]").fill("Trần Thị An")
    page.get_by_role("button", name="Giao", exact=True).click()
    expect(page.locator(".head .state")).to_contain_text("Đã giao")
    page.locator("form[action$=handle] [name=text]").fill("Đã cấp lại tài khoản, dữ liệu về đủ.")
    page.locator("form[action$=handle] button").click()
    expect(page.locator(".head .state")).to_contain_text("Đã xử lý")
    expect(page.locator("table").first).to_contain_text("Trần Thị An")
    expect(page.locator("table").first).to_contain_text("dữ liệu về đủ")


def test_tables_and_tiles_of_a_screen_follow_the_warehouse_without_a_reload(hub: Hub, page: Page) -> None:
    page.goto(f"/screen/feedback?{PERIOD}")
    page.evaluate("window.unloaded = false; addEventListener('beforeunload', () => { window.unloaded = true })")
    table = page.locator(".of-table tbody").first
    expect(table).not_to_contain_text("Thanh tra tỉnh")
    hub.insert("feedback_by_received_at", day="2022-03-05", org_code="H53.02", received=7)
    hub.wrote()
    try:
        expect(page.locator('[id="kpi-feedback.received"] .figure')).to_have_text("500")
        expect(table).to_contain_text("Thanh tra tỉnh")
        assert page.evaluate("window.unloaded") is False
    finally:
        hub.insert("feedback_by_received_at", day="2022-03-05", org_code="H53.02", received=-7)
        hub.wrote()


@pytest.mark.long
def test_a_wall_without_its_hub_stays_and_says_so(hub: Hub, page: Page) -> None:
    page.goto(f"/?{PERIOD}&kiosk=overview&every=5")
    expect(page.locator("body")).to_have_class(re.compile(r"\bconnected\b"))
    hub.processes.stop("api")
    try:
        expect(page.locator("#lost")).to_be_visible(timeout=60_000)
        page.wait_for_timeout(6_000)  # longer than one turn
        expect(page.locator("h1")).to_have_text("Tổng quan lãnh đạo")
    finally:
        hub.processes.start_api()
    expect(page.locator("body")).to_have_class(re.compile(r"\bconnected\b"))


@pytest.mark.long
@pytest.mark.parametrize("path", SCREENS)
def test_no_screen_has_a_serious_fault_of_accessibility(page: Page, path: str) -> None:
    page.goto(path)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((result) => result.violations)")
    assert not [
        f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.long
@pytest.mark.parametrize("path", SCREENS)
def test_no_screen_is_wider_than_the_display_in_either_language(page: Page, path: str) -> None:
    wide = []
    for language in ("vi", "en"):
        page.goto(f"{path}{'&' if '?' in path else '?'}lang={language}")
        page.wait_for_load_state("load")
        for width in (1920, 1366, 390):
            page.set_viewport_size({"width": width, "height": 844})
            found = page.evaluate(SETTLED_WIDTH)
            wide += [(language, width, found)] if found > width else []
    assert not wide


@pytest.mark.long
def test_a_wall_keeps_its_memory_flat_while_it_turns(hub: Hub, page: Page) -> None:
    """An hour of turns of a minute in each of which figures change; the heap after the first ten is the measure."""
    page.goto(f"/?{PERIOD}&kiosk=overview,feedback,procedures&every=60")
    session = page.context.new_cdp_session(page)

    def heap() -> int:
        session.send("HeapProfiler.collectGarbage")
        return int(session.send("Runtime.getHeapUsage")["usedSize"])

    sizes = []
    for turn in range(60):
        hub.wrote()
        address = page.url
        page.keyboard.press("ArrowRight")
        page.wait_for_url(lambda url, before=address: url != before, timeout=60_000)  # type: ignore[misc]
        if turn >= 10:
            sizes.append(heap())
    early, late = sorted(sizes[:15])[7], sorted(sizes[-15:])[7]
    assert late <= early * 1.2 + 2_000_000, sizes


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(autouse=True)
def alive(hub: Hub) -> Iterator[None]:
    hub.wrote()
    yield
