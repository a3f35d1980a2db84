"""One busy stack for all tests that harm processes; a stack is dear to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import books
from tests.books import Books
from tests.stack import start_stack

SCALE = 0.01
LIVE_RATE = 10
"""Live events per second of each system: there is always a batch on its way."""


@pytest.fixture(scope="package")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """A stack with a small history, loaded, and live events all the time."""
    with (
        start_stack(tmp_path_factory.mktemp("busy"), SCALE, LIVE_RATE) as stack,
        books.opened(stack) as opened,
    ):
        stack.wait_until_loaded()
        yield opened
