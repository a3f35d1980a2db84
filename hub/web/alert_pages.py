"""The alert desk: what is open, who has it in hand, and everything that was done about one."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse

from hub.alerts.alert import STATES
from hub.api.alerts import (
    AskedState,
    Days,
    Desk,
    HandleScope,
    ReadScope,
    SilenceScope,
    caller_name,
    chosen,
)
from hub.api.questions import known_parameters
from hub.security.access import Permission
from hub.web import alert_views as views
from hub.web.rendering import page, reader_of

router = APIRouter(prefix="/alerts", dependencies=[Depends(known_parameters)], include_in_schema=False)

Text = Annotated[str, Form(max_length=2_000)]
Short = Annotated[str, Form(max_length=200)]
HOURS = (1, 4, 8, 24, 72)
"""Lengths of a silence that are offered."""


@router.get("")
async def desk_page(
    request: Request,
    desk: Desk,
    scope: ReadScope,
    state: AskedState = None,
    rule: Annotated[str | None, Query(max_length=80)] = None,
    days: Days = 30,
) -> HTMLResponse:
    """All alerts that the caller may see."""
    reader = reader_of(request)
    everything = chosen(desk, scope.org, None, rule, days)
    found = [one for one in everything if state in (None, one.state)]
    now = desk.clock()
    active = [one for one in desk.book.silences() if one.start <= now < one.end]
    return page(
        request,
        "alerts.html",
        alerts=[views.alert_view(one, desk, reader) for one in found[: views.MOST]],
        more=max(0, len(found) - views.MOST),
        counts={name: sum(one.state == name for one in everything) for name in STATES},
        states=STATES,
        state=state,
        rule=rule,
        rules=len(desk.rules.rules),
        channels=len(desk.rules.channels),
        silences=[views.silence_view(one, reader) for one in active],
        hours=HOURS,
        may_silence=request.state.caller.may(Permission.ALERT_SILENCE),
        live=None,
    )


@router.post("/silences")
async def add_silence(
    request: Request,
    desk: Desk,
    scope: SilenceScope,
    hours: Annotated[float, Form(gt=0, le=31 * 24)],
    reason: Text,
    rule: Short = "*",
    subject: Short = "*",
    owner: Short = "*",
) -> RedirectResponse:
    """Tell nobody of what matches; the form leaves patterns empty that shall match all."""
    end = desk.clock() + timedelta(hours=hours)
    await desk.silence(end, reason, caller_name(request), rule or "*", subject or "*", owner or "*")
    return RedirectResponse("/alerts", 303)


@router.post("/silences/{silence}/end")
async def end_silence(request: Request, desk: Desk, scope: SilenceScope, silence: str) -> RedirectResponse:
    await desk.end_silence(silence, caller_name(request))
    return RedirectResponse("/alerts", 303)


@router.get("/{alert}")
async def alert_page(request: Request, desk: Desk, scope: ReadScope, alert: str) -> HTMLResponse:
    """One alert: figures, advice, trail, who was told, and what may be done."""
    reader, found = reader_of(request), desk.alert(alert, scope.org)
    rule = desk.rules.rules.get(found.rule)
    return page(
        request,
        "alert.html",
        alert=views.alert_view(found, desk, reader),
        advice=getattr(rule.advice, reader.language) if rule is not None and rule.advice is not None else None,
        facts=views.facts(found, reader),
        acts=views.act_views(found, reader),
        told=views.told_views(found, desk, reader),
        hours=HOURS,
        may_handle=request.state.caller.may(Permission.ALERT_HANDLE),
        may_silence=request.state.caller.may(Permission.ALERT_SILENCE),
        live=None,
    )


@router.post("/{alert}/assign")
async def assign(
    request: Request, desk: Desk, scope: HandleScope, alert: str, to: Short = "", note: Text = ""
) -> RedirectResponse:
    await desk.assign(alert, to, caller_name(request), note, scope.org)
    return RedirectResponse(f"/alerts/{alert}", 303)


@router.post("/{alert}/notes")
async def add_note(request: Request, desk: Desk, scope: HandleScope, alert: str, text: Text = "") -> RedirectResponse:
    await desk.note(alert, text, caller_name(request), scope.org)
    return RedirectResponse(f"/alerts/{alert}", 303)


@router.post("/{alert}/handle")
async def handle(request: Request, desk: Desk, scope: HandleScope, alert: str, text: Text = "") -> RedirectResponse:
    await desk.handle(alert, text, caller_name(request), scope.org)
    return RedirectResponse(f"/alerts/{alert}", 303)
