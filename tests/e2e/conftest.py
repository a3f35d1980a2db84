"""One hub with its pages and one browser for all tests that look at them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hub.config import Settings
from hub.declarations import load_declarations
from streams.warehouse.schema import migrate
from tests.e2e.hub_process import processes
from tests.e2e.pages import LIVE_MS, ZONE, Hub, fill, sign_in
from tests.shared_processes import Shared

expect.set_options(timeout=LIVE_MS)


@contextlib.contextmanager
def filled(directory: Path) -> Iterator[Hub]:
    """A hub with all its tables and some history."""
    with processes(directory) as made:
        running = Hub(made)
        declared = load_declarations(Settings())
        migrate(running.warehouse, dict(declared.in_use), dict(declared.plans), ZONE, declared.codes.values())
        fill(running)
        yield running
        running.warehouse.close()


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    try:
        yield Shared.start("hub", filled(tmp_path_factory.mktemp("hub")))
    finally:
        Shared.end("hub")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module: while it is open an event loop runs in this thread, and no asynchronous test could."""
    path = shutil.which("chromium")
    assert path, "the Debian package chromium is missing"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(hub: Hub, browser: Browser) -> Iterator[Page]:
    """A signed-in page in Vietnamese that tolerates no error of script or policy."""
    context = browser.new_context(locale="vi-VN", base_url=hub.processes.api_url)
    troubles: list[str] = []
    made = context.new_page()
    made.set_default_timeout(LIVE_MS)
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on("console", lambda line: troubles.append(line.text) if "Content Security Policy" in line.text else None)
    sign_in(made, hub.processes.key)
    yield made
    context.close()
    assert not troubles
