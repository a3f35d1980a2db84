"""Definitions tried out on edge values in an empty engine of their own, that lives as long as the trial. Blocks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streams.errors import WarehouseError
from streams.warehouse.engine import Engine, EngineError
from streams.warehouse.placing import Target, try_out

Attempt = Callable[[Target], "str | None"]
"""What a definition throws, or None if nothing."""


class _Rows:
    """As much of a warehouse's client as a trial needs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]:
        try:
            told = self._engine.run(sql, {}, {}).body.decode()
        except EngineError as error:
            raise WarehouseError(str(error)) from error
        return [line.split("\t") for line in told.splitlines()]


@contextmanager
def trial() -> Iterator[Attempt]:
    """An attempt at definitions; they read no table, so none is made."""
    with tempfile.TemporaryDirectory(prefix="ioc-trial-") as folder:
        engine = Engine(Path(folder) / "data", Path(folder) / "spool")
        try:
            yield lambda target: try_out(_Rows(engine), target)
        finally:
            engine.close()
