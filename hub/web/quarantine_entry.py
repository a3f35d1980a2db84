"""The page of one refused record: why, what of it may be shown, and a form to put it right and publish it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse

from hub.api.quarantine import Entry
from hub.connector_replay import REFUSED_BY_MAPPING
from hub.security.access import Permission, Principal
from hub.web.rendering import page


@dataclass(frozen=True, slots=True)
class Mending:
    """What a person has typed in the record's place, and what is still wrong with it."""

    text: str
    error: str | None = None


def entry_page(request: Request, item: Entry, mending: Mending | None = None, status: int = 200) -> HTMLResponse:
    """The form is for those who may operate the connector, and for records that a mapping refused."""
    payload = _pretty(item.payload)
    caller: Principal = request.state.caller
    may_mend = item.stage == REFUSED_BY_MAPPING and caller.may(Permission.CONNECTOR_OPERATE)
    form = (mending or Mending(payload)) if may_mend and request.app.state.deps.desk is not None else None
    return page(request, "quarantine_entry.html", status, item=item, payload=payload, form=form, live=None)


def _pretty(payload: str) -> str:
    try:
        return json.dumps(json.loads(payload), ensure_ascii=False, indent=2)
    except ValueError:
        return payload
