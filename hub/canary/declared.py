"""Where the canary's contract and manifest are, and what must not see them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

ENTITY = "canary"
KEY = "canary.key"
"""File under the state's secrets with the key that signs probes."""
VARIABLE = "IOC_SECRET_CANARY_KEY"
"""As the manifest names it; the API's role sets it from the file."""

_HERE = Path(str(files("hub.canary")))
CONTRACTS, CONNECTORS = _HERE / "contracts", _HERE / "connectors"

Value = TypeVar("Value")


def directories(own: Path, given: Path | None, every_s: float) -> tuple[Path, ...]:
    """The canary's directory, if it is at work, before the one given."""
    return tuple(path for path in (own if every_s else None, given) if path is not None)


def without_canary(by_entity: Mapping[str, Value]) -> dict[str, Value]:
    """What the province's own figures, catalogue and pages are made of."""
    return {entity: value for entity, value in by_entity.items() if entity != ENTITY}
