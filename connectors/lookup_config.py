"""What a manifest says about a lookup: a join of its records with a code table. See `connectors/lookups.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictStr

from connectors.declaration import Section

Key = Annotated[StrictStr, Field(pattern=r"^_[a-z][a-z0-9_]*$")]
"""Keys that the hub adds to a record begin with an underscore: a source's own keys stay as they are."""


class LookupTime(Section):
    """A time of the record: its path, and its forms as in a mapping's `time`."""

    source: str = Field(alias="from")
    time: str | Annotated[tuple[str, ...], Field(min_length=1, max_length=5)] = "iso"

    @property
    def forms(self) -> tuple[str, ...]:
        return (self.time,) if isinstance(self.time, str) else self.time


class Lookup(Section):
    """One join with a code table of the hub."""

    table: str
    by: dict[str, str] = Field(min_length=1)
    at: LookupTime | None = None
    give: dict[Key, str] = Field(default_factory=dict)
    optional: bool = False
