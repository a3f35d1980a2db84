"""Schemas by id: what many threads ask for at once is asked for once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from schemas.errors import UnknownSchemaError
from schemas.schema_texts import SchemaTexts

THREADS = 8


@pytest.mark.parametrize("known", [True, False])
def test_an_id_that_many_ask_for_at_once_is_asked_for_once(known: bool) -> None:
    asked: list[int] = []
    together = threading.Barrier(THREADS)
    others_wait = threading.Event()

    def fetch(schema_id: int) -> str:
        asked.append(schema_id)
        others_wait.wait(0.2)
        if not known:
            raise UnknownSchemaError(str(schema_id))
        return "text"

    texts = SchemaTexts(fetch, time.monotonic)

    def ask(_: int) -> str:
        together.wait()
        try:
            return texts.text(7)
        except UnknownSchemaError:
            return "unknown"

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, range(THREADS)))
    assert answers == ["text" if known else "unknown"] * THREADS
    assert asked == [7]
    assert texts._turns == {}
