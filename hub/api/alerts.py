"""`/v1/alerts`: alerts, what is done about them, silences, rules."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from hub.alerts.alert import Act, Alert
from hub.alerts.desk import LONGEST_TEXT, AlertDesk
from hub.alerts.message import alert_json
from hub.alerts.rule import Rule
from hub.alerts.silence import Silence, silenced
from hub.api.access import Scope
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.api.v1 import scope_for
from hub.security.access import Permission, Principal

router = APIRouter(prefix="/v1/alerts", dependencies=[Depends(known_parameters)])

ReadScope = Annotated[Scope, Depends(scope_for(Permission.ALERT_READ))]
HandleScope = Annotated[Scope, Depends(scope_for(Permission.ALERT_HANDLE))]
SilenceScope = Annotated[Scope, Depends(scope_for(Permission.ALERT_SILENCE))]
AskedState = Annotated[
    Literal["open", "assigned", "handled"] | None, Query(alias="state", description="open, assigned or handled")
]
Days = Annotated[int, Query(ge=1, le=400, description="How many days back, by the time they opened")]
Pattern = Annotated[str, Field(min_length=1, max_length=120)]


async def desk_of(request: Request) -> AlertDesk:
    """The desk of this process; a not-found problem where there is none."""
    desk: AlertDesk | None = request.app.state.deps.alerts
    if desk is None:
        raise Problem("not-found")
    return desk


Desk = Annotated[AlertDesk, Depends(desk_of)]


def caller_name(request: Request) -> str:
    """Who acts, as the audit trail names it: the credential, never its secret."""
    caller: Principal = request.state.caller
    return f"{caller.role}:{caller.credential}" if caller.credential else caller.role


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Assignment(_Body):
    to: str = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=LONGEST_TEXT)


class Note(_Body):
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)


class NewSilence(_Body):
    """`rule`, `subject` and `owner` (name or code of a unit) are patterns with `*`; `hours` from now."""

    hours: float = Field(gt=0, le=31 * 24)
    reason: str = Field(min_length=1, max_length=LONGEST_TEXT)
    rule: Pattern = "*"
    subject: Pattern = "*"
    owner: Pattern = "*"


@router.get("", summary="Alerts, the open ones first")
async def list_alerts(
    request: Request,
    desk: Desk,
    scope: ReadScope,
    state: AskedState = None,
    rule: Annotated[str | None, Query(max_length=80)] = None,
    holds: Annotated[bool | None, Query(description="Whether the condition still holds")] = None,
    days: Days = 30,
) -> JSONResponse:
    """With their owner, who has them in hand, and since when."""
    found = chosen(desk, scope.org, state, rule, days)
    items = [one for one in found if holds is None or holds == (one.ended is None)]
    return JSONResponse({"items": [shown(desk, one) for one in items]})


def chosen(desk: AlertDesk, org: str | None, state: str | None, rule: str | None, days: int) -> list[Alert]:
    """The alerts asked for; one that still holds or is not closed is there however old it is."""
    since = desk.clock() - timedelta(days=days)
    return [
        one
        for one in desk.alerts(org)
        if state in (None, one.state)
        and rule in (None, one.rule)
        and (one.opened >= since or one.ended is None or one.state != "handled")
    ]


@router.get("/rules", summary="The rules alerts are made by")
async def list_rules(request: Request, desk: Desk, scope: ReadScope) -> JSONResponse:
    """Whole declarations, and who is told."""
    return JSONResponse({"items": [_rule_json(desk, rule) for rule in desk.rules.rules.values()]})


@router.get("/silences", summary="Silence windows, past ones too")
async def list_silences(request: Request, desk: Desk, scope: ReadScope) -> JSONResponse:
    now = desk.clock()
    return JSONResponse({"items": [silence_json(one, now) for one in reversed(desk.book.silences())]})


@router.post("/silences", summary="Tell nobody of what matches for a while", status_code=201)
async def add_silence(request: Request, desk: Desk, scope: SilenceScope, body: NewSilence) -> JSONResponse:
    end = desk.clock() + timedelta(hours=body.hours)
    made = await desk.silence(end, body.reason, caller_name(request), body.rule, body.subject, body.owner)
    return JSONResponse(silence_json(made, desk.clock()), 201)


@router.delete("/silences/{silence}", summary="End a silence window now")
async def end_silence(request: Request, desk: Desk, scope: SilenceScope, silence: str) -> JSONResponse:
    return JSONResponse(silence_json(await desk.end_silence(silence, caller_name(request)), desk.clock()))


@router.get("/{alert}", summary="One alert with everything that was done about it")
async def read_alert(request: Request, desk: Desk, scope: ReadScope, alert: str) -> JSONResponse:
    return _whole(desk, desk.alert(alert, scope.org))


@router.post("/{alert}/assign", summary="Give an alert to somebody")
async def assign(request: Request, desk: Desk, scope: HandleScope, alert: str, body: Assignment) -> JSONResponse:
    return _whole(desk, await desk.assign(alert, body.to, caller_name(request), body.note, scope.org))


@router.post("/{alert}/notes", summary="Add a note to an alert")
async def add_note(request: Request, desk: Desk, scope: HandleScope, alert: str, body: Note) -> JSONResponse:
    return _whole(desk, await desk.note(alert, body.text, caller_name(request), scope.org))


@router.post("/{alert}/handle", summary="Close an alert with what was done about it")
async def handle(request: Request, desk: Desk, scope: HandleScope, alert: str, body: Note) -> JSONResponse:
    return _whole(desk, await desk.handle(alert, body.text, caller_name(request), scope.org))


def _whole(desk: AlertDesk, alert: Alert) -> JSONResponse:
    marks = desk.book.marks()
    told = [
        {"kind": kind, "channel": channel, "result": mark.outcome, "attempts": mark.attempt, "at": mark.at.isoformat(),
         "reason": mark.reason}
        for (name, kind, channel), mark in sorted(marks.items()) if name == alert.id
    ]  # fmt: skip
    return JSONResponse(shown(desk, alert) | {"acts": [_act_json(act) for act in alert.acts], "deliveries": told})


def shown(desk: AlertDesk, alert: Alert) -> dict[str, Any]:
    """An alert, and whether a silence covers it now."""
    quiet = silenced(alert, desk.book.silences(), desk.clock())
    return alert_json(alert) | {"silence": quiet.id if quiet else None}


def _act_json(act: Act) -> dict[str, Any]:
    return {
        "act": act.act, "at": act.at.isoformat(), "by": act.by, "to": act.to or None, "text": act.text,
        "level": act.level or None,
    }  # fmt: skip


def _rule_json(desk: AlertDesk, rule: Rule) -> dict[str, Any]:
    body = rule.model_dump(exclude_none=True)
    return body | {"channels": list(desk.rules.channels_of(rule.channels))}


def silence_json(silence: Silence, now: datetime) -> dict[str, Any]:
    """A silence window for programs."""
    return {
        "silence": silence.id, "rule": silence.rule, "subject": silence.subject, "owner": silence.owner,
        "start": silence.start.isoformat(), "end": silence.end.isoformat(), "by": silence.by,
        "reason": silence.reason, "active": silence.start <= now < silence.end,
    }  # fmt: skip
