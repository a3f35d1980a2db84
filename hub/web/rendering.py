"""Templates to pages: one environment, the reader's texts, assets by the hash of their content."""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from hub.api.language import COOKIE, texts_of
from hub.locale.catalogue import LANGUAGES
from hub.security.access import Permission
from hub.web.views import Reader

WEB = Path(str(files("hub.web")))
DEFAULTS: dict[str, Any] = {"wall": None, "period_query": None}
"""What the layout asks for and most pages do not set."""
LANGUAGE_COOKIE_S = 365 * 24 * 3600


@cache
def environment() -> Environment:
    """Escapes everything; an unknown name in a template is an error."""
    return Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=64)
def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so that browsers may keep it."""
    path = WEB / ("vendor" if name.startswith("vendor/") else "static") / name.removeprefix("vendor/")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else "missing"
    return f"/static/{name}?v={digest}"


def reader_of(request: Request) -> Reader:
    around = request.app.state.deps.kpis.around
    return Reader(texts_of(request), around.clock(), around.timezone)


def fragment(template: str, reader: Reader, **values: Any) -> str:
    """A part of a page."""
    return environment().get_template(template).render(t=reader.t, reader=reader, asset=asset, **values)


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page; `?lang=` is kept in a cookie for the pages to come."""
    reader, caller = reader_of(request), getattr(request.state, "caller", None)
    text = fragment(
        template,
        reader,
        path=request.url.path,
        query=request.url.query,
        language_links=_language_links(request),
        caller=caller,
        may_ask_sql=caller is not None and caller.may(Permission.SQL_READ),
        themes=tuple(getattr(request.app.state, "themes", {}).values()),
        on_screen=request.url.path == "/" or request.url.path.startswith("/screen/"),
        **(DEFAULTS | values),
    )
    response = HTMLResponse(text, status, {"Content-Language": reader.language, "Vary": "Accept-Language, Cookie"})
    wish = request.query_params.get("lang")
    if wish in LANGUAGES:
        response.set_cookie(COOKIE, str(wish), max_age=LANGUAGE_COOKIE_S, samesite="lax", httponly=True)
    return response


def _language_links(request: Request) -> dict[str, str]:
    links = {}
    for language in LANGUAGES:
        url = request.url.include_query_params(lang=language).remove_query_params("token")
        links[language] = f"{url.path}?{url.query}"
    return links
