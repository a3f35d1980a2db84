"""What a manifest of kind `webhook` says about its source."""

from __future__ import annotations

from pydantic import Field

from connectors.declaration import Secret, Section


class Config(Section):
    """The block `source` of a manifest of kind `webhook`. Two keys live side by side while a sender changes over."""

    key: Secret
    previous_key: Secret | None = None
    max_body_bytes: int = Field(5_000_000, gt=0, le=50_000_000)
    tolerance_s: int = Field(300, gt=0, le=900)
