"""What a manifest says about a source of kind `rest`."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from connectors.declaration import Resolvable, Secret, Section


class OAuth2(Section):
    type: Literal["oauth2_client_credentials"]
    token_path: str
    client_id: Secret
    client_secret: Secret


class TokenPaging(Section):
    """`next`: where the answer names the next page's token; `param`: where the request repeats it."""

    type: Literal["token"]
    param: str
    next: str


class PageSize(Section):
    param: str
    value: int = Field(gt=0, le=100_000)


class TimeCursor(Section):
    """`field`: change time (RFC 3339) in a record; `id`: its event id; `param`: request parameter, start included.

    Each read begins `lookback_s` before the newest change seen, for changes that became visible late.
    """

    field: str
    id: str
    param: str
    start: AwareDatetime
    lookback_s: float = Field(0, ge=0, le=86_400)


class Config(Section):
    """The block `source` of a manifest of kind `rest`. `records`: where the answer keeps the list."""

    base_url: Resolvable
    path: str
    auth: OAuth2 | None = None
    records: str
    paging: TokenPaging
    page_size: PageSize
    cursor: TimeCursor
    poll_interval_s: float = Field(gt=0)
