"""The pages in a real Chromium, over a real API process and a real warehouse."""

from __future__ import annotations

import re
import time
import urllib.request
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.security.keys import KeyStore
from tests.e2e.hub_process import utc_now
from tests.e2e.pages import ZONE, Hub, figure, sign_in

PERIOD = "/kpis?period=2022"
SCREEN = "/screen/feedback?period=2022"
PAGES = ("/?period=2022", SCREEN, PERIOD + "&view=table", "/integration", "/quarantine", "/kpi/feedback.open")


def test_a_link_signs_in_and_the_reference_period_is_one_click_away(hub: Hub, browser: Browser) -> None:
    context = browser.new_context(locale="vi-VN", base_url=hub.processes.api_url)
    page = context.new_page()
    page.goto(f"/signin?token={hub.processes.link}")
    page.get_by_role("link", name="Kỳ báo cáo 2022").click()
    assert figure(page, "feedback.processed_share") == "77,08"
    assert figure(page, "feedback.on_time_of_processed") == "72,37"
    assert figure(page, "feedback.on_time_of_received") == "55,78"
    assert figure(page, "feedback.open") == "113"
    assert figure(page, "dossier.online_share") == "22,00"
    assert figure(page, "dossier.result_electronic_share") == "9,50"
    online = page.locator('[id="kpi-dossier.online_share"]')
    expect(online).to_contain_text("Kế hoạch 50 %")
    expect(online.locator(".gap.missed")).to_contain_text("−28 điểm")
    expect(online.locator(".gap.missed svg")).to_have_count(1)
    expect(online).to_contain_text(re.compile(r"Dữ liệu lúc \d\d:\d\d:\d\d"))
    context.close()


def test_a_change_in_the_warehouse_shows_without_a_reload(hub: Hub, page: Page) -> None:
    page.goto("/kpis?period=today")
    tile = page.locator('[id="kpi-feedback.received"] .figure')
    before = int(tile.inner_text()) if tile.inner_text().isdigit() else 0
    page.evaluate("window.unloaded = false; addEventListener('beforeunload', () => { window.unloaded = true })")
    today = datetime.now(ZoneInfo(ZONE)).date().isoformat()
    hub.insert("feedback_by_received_at", day=today, org_code="H53.20", received=3)
    hub.wrote()
    expect(tile).to_have_text(str(before + 3))
    assert page.evaluate("window.unloaded") is False


def test_english_is_one_click_away_and_stays(page: Page) -> None:
    page.goto(PERIOD)
    assert page.locator("html").get_attribute("lang") == "vi"
    page.get_by_role("link", name="English").click()
    assert page.locator("html").get_attribute("lang") == "en"
    assert figure(page, "feedback.processed_share") == "77.08"
    page.goto("/quarantine")
    expect(page.locator("tbody")).to_contain_text("The date received is not valid")


def test_a_tile_leads_to_its_meaning_and_its_parts(page: Page) -> None:
    page.goto(PERIOD)
    page.get_by_role("link", name="Tỷ lệ phản ánh đã xử lý").click()
    expect(page.locator("main")).to_contain_text("Phản ánh đã xử lý trên phản ánh tiếp nhận trong kỳ.")
    expect(page.locator("#parts tbody")).to_contain_text("UBND thành phố Tây Ninh")
    page.locator("#parts").get_by_role("link", name="Kênh").click()
    expect(page.locator("#parts tbody")).to_contain_text("Ứng dụng")
    assert "by=channel" in page.url


def test_the_quarantine_says_why_and_reads_on_to_older_records(page: Page) -> None:
    page.goto("/quarantine")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Xem bản ghi cũ hơn").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    page.get_by_role("link", name=re.compile("Chi tiết.*0005")).click()
    expect(page.locator("main")).to_contain_text("Ngày tiếp nhận không hợp lệ")
    expect(page.locator("pre")).to_contain_text('"hoTen": "***"')


def test_the_connectors_table_shows_state_in_words_and_the_quarantine(page: Page) -> None:
    page.goto("/integration")
    row = page.locator("#connector-portal")
    expect(row).to_contain_text("Cổng dịch vụ công")
    expect(row.locator(".state")).to_contain_text("Đúng hạn")
    expect(row.locator(".flag")).to_contain_text("60")


def test_without_scripts_the_pages_are_whole(hub: Hub, browser: Browser) -> None:
    context = browser.new_context(locale="vi-VN", base_url=hub.processes.api_url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, hub.processes.key)
    page.goto(PERIOD + "&view=table")
    row = page.locator('[id="kpi-feedback.processed_share"]')
    expect(row).to_contain_text("77,08")
    expect(row).to_contain_text("380 / 493")
    page.goto("/integration")
    expect(page.locator("#connector-portal")).to_be_visible()
    context.close()


def test_nothing_is_fetched_from_another_host(page: Page, hub: Hub) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/?period=2022", SCREEN, "/integration", "/docs"):
        page.goto(path)
        page.wait_for_load_state("load")
    assert asked
    assert all(url.startswith((hub.processes.api_url, "data:")) for url in asked)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_the_screen(page: Page, path: str) -> None:
    for width, height in ((1920, 1080), (1366, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


def test_every_control_is_reached_by_the_keyboard(page: Page) -> None:
    page.goto(PERIOD)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    for name in ("Đến nội dung chính", "Tích hợp", "English", "Đăng xuất", "Năm nay", "Tỷ lệ hồ sơ trực tuyến"):
        assert name in reached


def test_a_stream_goes_on_after_the_last_event_it_saw(hub: Hub) -> None:
    def first(headers: dict[str, str], event: str) -> str:
        address = hub.processes.api_url + "/v1/live?from=2022-01-01&to=2022-09-30"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {hub.processes.key}"} | headers)
        with urllib.request.urlopen(request, timeout=60) as stream:
            number = ""
            for raw in stream:
                line = raw.decode().strip()
                number = line.removeprefix("id: ") if line.startswith("id: ") else number
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind == event:
                    return number
        raise AssertionError(f"the stream ended without {event}")

    seen = int(first({}, "kpi"))
    assert int(first({"Last-Event-ID": str(seen)}, "kpi")) > seen


def test_a_lost_warehouse_makes_tiles_stale_and_they_recover_by_themselves(hub: Hub, page: Page) -> None:
    hub.wrote()
    page.goto(PERIOD)
    tile = page.locator('[id="kpi-feedback.processed_share"]')
    expect(tile).not_to_have_class(re.compile("stale"))
    hub.processes.stop("warehouse")
    expect(tile).to_have_class(re.compile("stale"))
    expect(tile.locator(".figure")).to_have_text("77,08")
    expect(tile.locator(".state.alarm")).to_contain_text("Mất kho dữ liệu")
    expect(page.get_by_role("alert")).to_contain_text("Kho dữ liệu không trả lời từ")
    hub.processes.start_warehouse()
    hub.wrote()
    expect(tile).not_to_have_class(re.compile("stale"))
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_api_that_stops_answering_leaves_no_page_that_looks_live(hub: Hub, page: Page) -> None:
    page.goto(PERIOD)
    expect(page.locator("body")).to_have_class(re.compile(r"\bconnected\b"))
    begun = time.monotonic()
    hub.processes.stop("api")
    assert time.monotonic() - begun < 20, "open streams must not hold up the end of the process"
    expect(page.locator("#lost")).to_be_visible(timeout=10_000)
    hub.processes.start_api()
    expect(page.locator("body")).to_have_class(re.compile(r"\bconnected\b"))
    expect(page.locator("#lost")).to_be_hidden()


def test_a_revoked_key_ends_its_open_page(hub: Hub, browser: Browser) -> None:
    store = KeyStore(hub.processes.state, utc_now)
    key = store.create("operator")
    context = browser.new_context(locale="vi-VN", base_url=hub.processes.api_url)
    page = context.new_page()
    sign_in(page, key.text)
    expect(page.locator("body")).to_have_class(re.compile(r"\bconnected\b"))
    store.revoke(key.info.id)
    expect(page).to_have_url(re.compile("/signin"))
    context.close()
