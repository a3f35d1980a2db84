"""A connector's pages: what it is and does, and its manifest as a form and as YAML, tried and applied from there."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.configs import TargetState
from connectors.errors import ConnectorError
from connectors.manifest import source_kinds
from connectors.manifest_form import with_rows
from connectors.registrar import UnknownConnectorError
from hub.api.access import Scope
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.api.v1 import ConnectorScope, scope_for
from hub.connect.faults import Fault
from hub.connector_desk import Desk
from hub.promise_words import in_words
from hub.security.access import Permission, Principal
from hub.web import connector_views as views
from hub.web.connector_draft import first_text
from hub.web.rendering import page, reader_of

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

WriteScope = Annotated[Scope, Depends(scope_for(Permission.CONNECTOR_WRITE))]
OperateScope = Annotated[Scope, Depends(scope_for(Permission.CONNECTOR_OPERATE))]
ApproveScope = Annotated[Scope, Depends(scope_for(Permission.CONNECTOR_APPROVE))]
PREVIEWED = 10
TARGETS: dict[str, TargetState] = {"pause": "paused", "resume": "running", "stop": "stopped"}
OPERATIONS = (*TARGETS, "restart", "reread")
NOTHING: dict[str, Any] = dict.fromkeys(
    ("errors", "applied", "tried", "not_tried", "steps", "pairs", "report", "facts", "inferred")
)
"""What a turn of the editor may show."""
MODES = ("form", "yaml")
TRIALS = ("check", "preview", "dry_run")
EDITOR_ACTS = (*MODES, *TRIALS, "apply")


async def desk_of(request: Request) -> Desk:
    """The desk of this process; a not-found problem where there is none."""
    desk: Desk | None = request.app.state.deps.desk
    if desk is None:
        raise Problem("not-found")
    return desk


GivenDesk = Annotated[Desk, Depends(desk_of)]


def caller_in(request: Request) -> Principal:
    caller: Principal = request.state.caller
    return caller


@router.get("/connectors")
async def connectors_page(scope: ConnectorScope) -> RedirectResponse:
    """They are listed on the department's page."""
    return RedirectResponse("/department")


@router.get("/connectors/new")
async def new_page(
    request: Request,
    desk: GivenDesk,
    scope: WriteScope,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    entity: Annotated[str | None, Query(max_length=80)] = None,
) -> HTMLResponse:
    """Choose a kind and an entity; then the form of a first draft."""
    contracts = desk.parts.intakes.contracts
    if kind in source_kinds() and entity in contracts:
        text = first_text(str(kind), contracts[str(entity)], scope.org or "")
        return _editor(request, desk, text, "form", None)
    reader = reader_of(request)
    entities = [(name, contract.title(reader.language)) for name, contract in sorted(contracts.items())]
    return page(request, "connector_new.html", kinds=source_kinds(), entities=entities, live=None)


@router.get("/connectors/{connector}")
async def connector_page(request: Request, desk: GivenDesk, scope: ConnectorScope, connector: str) -> HTMLResponse:
    """State, counts, acts and history of one connector."""
    caller, reader = caller_in(request), reader_of(request)
    known = desk.known(connector, caller)
    declared = known.declared
    return page(
        request,
        "connector.html",
        connector=connector,
        known=known,
        declared=declared,
        state=views.word_of(known, reader),
        acts=list(reversed(desk.parts.trail.of(connector)))[:20],
        may={each: caller.may(each) for each in Permission},
        permission=Permission,
        uploads=_takes_uploads(desk, connector, declared.registered.manifest),
        live=None,
    )


def _takes_uploads(desk: Desk, connector: str, text: str) -> bool:
    try:
        manifest = desk.parts.read(text, f"{connector}.yaml")
    except ConnectorError:
        return False
    return getattr(getattr(manifest.source, "place", None), "type", None) == "upload"


@router.get("/connectors/{connector}/edit")
async def edit_page(
    request: Request,
    desk: GivenDesk,
    scope: WriteScope,
    connector: str,
    mode: Annotated[str, Query(pattern="^(form|yaml)$")] = "form",
) -> HTMLResponse:
    """The newest manifest."""
    known = desk.known(connector, caller_in(request))
    return _editor(request, desk, known.declared.registered.manifest, mode, None)


@router.post("/connectors/editor")
async def edit(request: Request, desk: GivenDesk, scope: WriteScope) -> HTMLResponse:
    """One turn of the editor: to the other sight, a check, a preview, a dry run, or the application."""
    form = await request.form(max_fields=5_000)
    text, act = str(form.get("text", "")).replace("\r\n", "\n"), str(form.get("act", ""))
    mode = str(form.get("mode", "form"))
    try:
        if mode == "form":
            text = with_rows(text, _rows(form))
        mode = act if act in MODES else mode
        result = await _result(request, desk, text, act)
    except (ConnectorError, Fault) as error:
        return _editor(request, desk, text, mode, {"errors": _lines(error, reader_of(request).language)}, 422)
    except TimeoutError:
        reader = reader_of(request)
        return _editor(request, desk, text, mode, {"errors": [reader.t("connector.timeout")]}, 422)
    return _editor(request, desk, text, mode, result)


def _rows(form: FormData) -> dict[str, str]:
    """The form's values by path: kept rows, then added ones."""
    dropped = {str(value) for value in form.getlist("drop")}
    rows = {
        name.removeprefix("row:"): str(value)
        for name, value in form.multi_items()
        if name.startswith("row:") and name.removeprefix("row:") not in dropped
    }
    added = zip(form.getlist("new_path"), form.getlist("new_value"), strict=False)
    return rows | {str(path).strip(): str(value) for path, value in added if str(path).strip()}


def _lines(error: ConnectorError | Fault, language: str) -> list[str]:
    return error.text.to(language).splitlines()


async def _result(request: Request, desk: Desk, text: str, act: str) -> dict[str, Any] | None:
    caller, reader = caller_in(request), reader_of(request)
    if act == "apply":
        declared, verdict = await desk.apply(text, caller)
        why = verdict.unread.to(reader.language) if verdict.unread else None
        return {"applied": declared, "tried": verdict.records, "not_tried": why}
    if act not in TRIALS:
        return None
    found = desk.trial(text, caller)
    if act == "check":
        return {"steps": [views.step_view(step, reader) async for step in desk.check(found)]}
    if act == "preview":
        pairs = await desk.preview(found, PREVIEWED)
        return {"pairs": [views.pair_view(pair, found.manifest, reader) for pair in pairs]}
    report = await desk.dry_run(found)
    promise, kpis = in_words(found.manifest.promise).to(reader.language), desk.kpis(found.manifest.entity)
    return {
        "report": report,
        "facts": views.report_facts(report, promise, kpis, reader),
        "inferred": views.inferred_rows(report),
    }


def _editor(
    request: Request, desk: Desk, text: str, mode: str, result: dict[str, Any] | None, status: int = 200
) -> HTMLResponse:
    reader = reader_of(request)
    groups: list[Any] = []
    if mode == "form":
        try:
            groups = views.form_groups(text, reader)
        except ConnectorError as error:
            mode, status = "yaml", 422
            result = {"errors": _lines(error, reader.language)}
    shown = NOTHING | (result or {})
    return page(request, "connector_edit.html", status, text=text, mode=mode, groups=groups, result=shown, live=None)


@router.post("/connectors/{connector}/approve")
async def approve(request: Request, desk: GivenDesk, scope: ApproveScope, connector: str) -> Response:
    """The version that was shown may run."""
    form = await request.form()
    version = str(form.get("version", ""))
    if not version.isdigit():
        raise Problem("invalid-body")
    await desk.approve(connector, int(version), caller_in(request))
    return RedirectResponse(f"/connectors/{connector}", 303)


@router.post("/connectors/{connector}/{act}")
async def operate(request: Request, desk: GivenDesk, scope: OperateScope, connector: str, act: str) -> Response:
    """Pause, resume, stop, restart; `reread`: from the beginning."""
    caller = caller_in(request)
    if act in TARGETS:
        await desk.aim(connector, TARGETS[act], caller)
    elif act == "restart":
        await desk.restart(connector, caller)
    elif act == "reread":
        await desk.reread(connector, caller)
    else:
        raise Problem("not-found")
    return RedirectResponse(f"/connectors/{connector}", 303)


def refused(error: ConnectorError | Fault, language: str) -> Problem:
    """What the connectors' side refuses, as a problem of the API."""
    slug = {403: "forbidden", 404: "not-found"}.get(error.status) if isinstance(error, Fault) else None
    if isinstance(error, UnknownConnectorError):
        slug = "not-found"
    return Problem(slug) if slug else Problem("connector-refused", values={"reason": error.text.to(language)})
