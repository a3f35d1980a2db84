"""Signing in and out: a one-time link or an API key becomes a session cookie."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hub.api.access import SESSION_COOKIE, Access, caller_of
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.web.rendering import page

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

BODY_LIMIT_BYTES = 8_192


@router.get("/signin")
async def signin_page(
    request: Request,
    token: Annotated[str | None, Query(max_length=512)] = None,
    next: Annotated[str | None, Query(max_length=2048)] = None,
) -> Response:
    """With a one-time link's token: sign in. Without: the form."""
    access: Access = request.app.state.deps.access
    if token is None:
        if caller_of(request, access) is not None:
            return RedirectResponse(_local(next), 303)
        return _form(request, next, None)
    cookie = access.redeem_link(token)
    if cookie is None:
        return _form(request, next, "signin.link_used", 401)
    return _signed_in(request, cookie, next)


@router.post("/signin")
async def signin(request: Request) -> Response:
    """Take an API key from the form."""
    access: Access = request.app.state.deps.access
    form = await _form_of(request)
    cookie = access.open_session(form.get("key", "").strip())
    if cookie is None:
        return _form(request, form.get("next"), "signin.wrong_key", 401)
    return _signed_in(request, cookie, form.get("next"))


@router.post("/signout")
async def signout(request: Request) -> Response:
    """End the session."""
    access: Access = request.app.state.deps.access
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie:
        access.close_session(cookie)
    response = RedirectResponse("/signin", 303)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _form(request: Request, next_page: str | None, error: str | None, status: int = 200) -> HTMLResponse:
    return page(request, "signin.html", status, next=_local(next_page), error=error, live=None)


def _signed_in(request: Request, cookie: str, next_page: str | None) -> Response:
    response = RedirectResponse(_local(next_page), 303)
    secure = request.app.state.deps.secure_cookies
    # Lax, not Strict: a link printed in a terminal or a chat must lead to a signed-in page.
    response.set_cookie(SESSION_COOKIE, cookie, httponly=True, samesite="lax", secure=secure, path="/")
    return response


def _local(address: str | None) -> str:
    """Only an address of this hub: `//elsewhere` and `https://elsewhere` lead home."""
    if not address or not address.startswith("/") or address.startswith(("//", "/\\")):
        return "/"
    return address


async def _form_of(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise Problem("body-too-large", values={"limit": BODY_LIMIT_BYTES})
    try:
        fields = parse_qs(body.decode(), max_num_fields=8)
    except (UnicodeDecodeError, ValueError) as error:
        raise Problem("invalid-body") from error
    return {name: values[0] for name, values in fields.items()}
