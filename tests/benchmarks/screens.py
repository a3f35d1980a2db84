"""What people at screens feel, on a whole stack: a webhook's 202 to the tile that changes in Chromium, while many live
streams are open, and the memory that open streams take. The browser, the streams and the stack share the machine.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil
from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.live import latencies, push, stack_without_history
from tests.stack import RunningStack, ioc

STREAMS, MOST_STREAMS = 200, 500
TILE = "feedback.received"
OBSERVE = """(tile) => {
  window.seen = [];
  const note = () => {
    const figure = document.querySelector(`[id="kpi-${tile}"] .figure`);
    const text = (figure?.textContent ?? "").replace(/[^0-9]/g, "");
    const last = window.seen[window.seen.length - 1];
    if (!last || last[1] !== Number(text)) window.seen.push([Date.now() / 1000, Number(text)]);
  };
  note();
  new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
}"""


@dataclass(frozen=True, slots=True)
class Screens:
    """Milliseconds; MiB of the process that serves the streams. `streams_mib`: what it grew by with `MOST_STREAMS`."""

    tile_p50_ms: float
    tile_p99_ms: float
    rate: float
    interactive_ms: float
    scripts_kb: float
    hub_mib: float
    hub_with_streams_mib: float
    streams_mib: float


async def _listen(host: str, port: int, key: str, heard: list[int], place: int) -> None:
    """A stream; a key that opens more than it may at once is asked to come again, and does."""
    while True:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 429 " not in head:
            break
        writer.close()
        await asyncio.sleep(float(head.split(b"retry-after:")[1].split(b"\r\n")[0]))
    while chunk := await reader.read(1 << 16):
        heard[place] += len(chunk)


@contextmanager
def streams(url: str, key: str, count: int) -> Iterator[list[int]]:
    """So many live streams that are read from; the bytes that each has heard."""
    parts = urlsplit(url)
    heard = [0] * count
    loop = asyncio.new_event_loop()

    async def all_of_them() -> None:
        await asyncio.gather(
            *(_listen(str(parts.hostname), int(parts.port or 80), key, heard, place) for place in range(count))
        )

    def run() -> None:
        with suppress(asyncio.CancelledError, RuntimeError):
            loop.run_until_complete(all_of_them())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 120
        while min(heard) < 10_000 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert min(heard) >= 10_000, "a stream heard nothing of the board"
        yield heard
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(30)


@contextmanager
def browser_page(url: str, key: str) -> Iterator[Page]:
    """A signed-in page of Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = chromium.new_context(locale="vi-VN", base_url=url, viewport={"width": 1366, "height": 768})
        made = context.new_page()
        made.goto("/signin")
        made.locator("#key").fill(key)
        made.locator("form button[type=submit]").click()
        made.wait_for_load_state("load")
        yield made
        chromium.close()


def first_view(page: Page) -> tuple[float, float]:
    """Milliseconds until a screen can be used, and kB of its scripts as they go over a network that compresses."""
    page.goto("/?period=today")
    page.wait_for_load_state("load")
    timing = json.loads(page.evaluate("JSON.stringify(performance.getEntriesByType('navigation')[0])"))
    found: list[str] = page.evaluate("[...document.scripts].map((one) => one.src).filter(Boolean)")
    sizes = [len(gzip.compress(httpx2.get(address).content)) for address in found]
    return float(timing["domInteractive"]), sum(sizes) / 1000


class _Tile(threading.Thread):
    """Looks at the page from a thread of its own: Playwright belongs to the thread that began it."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(daemon=True)
        self.url, self.key = url, key
        self.ready, self.ended = threading.Event(), threading.Event()
        self.seen: list[tuple[float, int]] = []
        self.interactive_ms = self.scripts_kb = 0.0

    def run(self) -> None:
        with browser_page(self.url, self.key) as page:
            self.interactive_ms, self.scripts_kb = first_view(page)
            page.goto("/kpis?period=today")
            page.evaluate(OBSERVE, TILE)
            page.wait_for_selector("body.connected", timeout=60_000)
            self.ready.set()
            while not self.ended.is_set():
                page.wait_for_timeout(200)
                self.seen = [(float(at), int(count)) for at, count in page.evaluate("window.seen")]


def _hub(stack: RunningStack) -> psutil.Process:
    entry = json.loads((stack.state / "run" / "hub.pid").read_text(encoding="utf-8"))
    return psutil.Process(entry["pid"])


def measure(folder: Path) -> Screens:
    """A stack without data of before; pushed to, looked at, and stopped."""
    stack = stack_without_history(folder)
    environment = stack.environment
    try:
        key = stack.key("operator")
        tile = _Tile(stack.api_url, key)
        with streams(stack.api_url, key, STREAMS):
            tile.start()
            assert tile.ready.wait(120), "the page is not ready"
            # Both sides tell the time of this machine's clock.
            offset = time.time() - time.monotonic()
            accepted = [(at + offset, count) for at, count in push(stack, environment["IOC_SECRET_1022_KEY"])]
            deadline = time.monotonic() + 60
            while (not tile.seen or tile.seen[-1][1] < accepted[-1][1]) and time.monotonic() < deadline:
                time.sleep(0.2)
            tile.ended.set()
            tile.join(60)
        figures = latencies(accepted, tile.seen, tile.seen[0][1])
        hub = _hub(stack)
        before = hub.memory_info().rss / 2**20
        with streams(stack.api_url, key, MOST_STREAMS):
            time.sleep(10)
            after = hub.memory_info().rss / 2**20
        return Screens(
            figures[len(figures) // 2],
            figures[int(len(figures) * 0.99)],
            accepted[-1][1] / (accepted[-1][0] - accepted[0][0]),
            tile.interactive_ms,
            tile.scripts_kb,
            round(before, 1),
            round(after, 1),
            round(after - before, 1),
        )
    finally:
        ioc(environment, "down")
