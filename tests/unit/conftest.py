"""One partition of a private entity, in the engine of this process: shared by a module's tests, empty for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core_in_process import Core, core


@pytest.fixture(scope="module")
def engine() -> Iterator[Core]:
    with core() as ready:
        yield ready


@pytest.fixture
def table(engine: Core) -> Core:
    engine.empty()
    return engine
