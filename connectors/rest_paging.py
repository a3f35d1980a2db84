"""From one page of a REST feed to the next. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from connectors.paths import value_at
from connectors.rest_config import LinkHeader, Offset, PageNumber, Paging, RecordCursor, TokenPaging

_NEXT_LINK = re.compile(r"<([^>]*)>\s*((?:;[^,<]*)*)")


@dataclass(frozen=True, slots=True)
class Turn:
    """Which page: parameters beside the fixed ones, or (of a Link header) a whole address."""

    params: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None


def first_turn(paging: Paging) -> Turn:
    """The first page of a walk."""
    if isinstance(paging, PageNumber):
        return Turn({paging.param: str(paging.first)})
    return Turn({paging.param: "0"}) if isinstance(paging, Offset) else Turn()


def next_turn(
    paging: Paging, turn: Turn, url: str, headers: Mapping[str, str], body: Any, records: Sequence[Any], news: bool
) -> Turn | None:
    """The page after `turn`, None at the end.

    `news`: the page brought records that this walk had not given before. Counted pages end without news rather than
    with a short page: a server may give fewer records than were asked for.
    """
    if isinstance(paging, TokenPaging):
        token = value_at(body, paging.next)
        return Turn({paging.param: str(token)}) if token else None
    if isinstance(paging, LinkHeader):
        target = next_link(headers.get("link", ""))
        return Turn(url=urljoin(url, target)) if target else None
    if not news:
        return None
    if isinstance(paging, PageNumber):
        return Turn({paging.param: str(int(turn.params[paging.param]) + 1)})
    if isinstance(paging, Offset):
        return Turn({paging.param: str(int(turn.params[paging.param]) + len(records))})
    if isinstance(paging, RecordCursor):
        last = value_at(records[-1], paging.field)
        return None if last is None else Turn({paging.param: str(last)})
    return None


def next_link(header: str) -> str | None:
    """The target of `rel="next"` in a Link header (RFC 8288)."""
    for target, parameters in _NEXT_LINK.findall(header):
        for parameter in parameters.split(";"):
            name, _, value = parameter.strip().partition("=")
            if name.strip().lower() == "rel" and "next" in value.strip().strip('"').lower().split():
                return str(target)
    return None
