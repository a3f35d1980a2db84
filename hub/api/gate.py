"""The gate every request passes: request id, who asks, security headers, Server-Timing, counts.

Plain ASGI, so that a live stream is not buffered.
"""

from __future__ import annotations

import math
import re
import time
import uuid
from collections.abc import Callable
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.access import Access, is_public, require_caller, require_same_site
from hub.api.metrics import HttpMetrics
from hub.api.problems import Problem, problem_response
from hub.api.rates import REQUESTS_PER_S, Rates

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

FORM_LIMIT_BYTES = 16_384
"""A sign-in form is far smaller; ingestion has limits of its own."""
MANIFEST_LIMIT_BYTES = 1_048_576
"""A manifest twice over, as text and as a form; a record; a statement in SQL."""
CODES_LIMIT_BYTES = 4_194_304
"""A code table of some ten thousand rows."""
UPLOAD_LIMIT_BYTES = 52_428_800
"""An Excel workbook of some hundred thousand rows."""


def body_limit(path: str) -> int:
    """Most bytes of a body that a page takes."""
    if path in ("/connectors/editor", "/sql/saved") or (path.startswith("/connectors/") and path.endswith("/mend")):
        return MANIFEST_LIMIT_BYTES
    if path.startswith(("/codes/", "/v1/codes/")):
        return CODES_LIMIT_BYTES
    return UPLOAD_LIMIT_BYTES if path.startswith("/connectors/") and path.endswith("/upload") else FORM_LIMIT_BYTES


class Gate:
    """Wraps the application. `monotonic` gives seconds; it is only used for durations."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        metrics: HttpMetrics,
        monotonic: Callable[[], float] = time.perf_counter,
        requests_per_s: float = REQUESTS_PER_S,
    ) -> None:
        self._app = app
        self._access = access
        self._metrics = metrics
        self._monotonic = monotonic
        self._rates = Rates(requests_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        asked = request.headers.get("x-request-id", "")
        request.state.request_id = asked if REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        begun = self._monotonic()
        status = 500

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._mark(MutableHeaders(scope=message), request, self._monotonic() - begun)
            await send(message)

        try:
            refused = self._refusal(request)
            await (refused or self._app)(scope, receive, send_marked)
        finally:
            self._count(request, status, self._monotonic() - begun)

    def _refusal(self, request: Request) -> Response | None:
        try:
            if not request.url.path.startswith("/v1/ingest/"):
                require_same_site(request)
                _hold_to_limit(request)
            if not is_public(request.url.path):
                request.state.caller = require_caller(request, self._access)
                self._hold_back(request)
        except Problem as problem:
            if problem.slug == "unauthorized" and wants_page(request):
                target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"/signin?next={quote(target, safe='')}", 303)
            return problem_response(request, problem)
        return None

    def _hold_back(self, request: Request) -> None:
        """A key that asks too often waits; what is asked for by another key does not suffer."""
        caller = request.state.caller
        key = f"{caller.role}:{caller.org}:{caller.credential}"
        wait_s = self._rates.wait_s(key, self._monotonic())
        if wait_s > 0:
            raise Problem(
                "too-many-requests",
                headers={"Retry-After": str(math.ceil(wait_s))},
                values={"limit": f"{self._rates.per_s:g}"},
            )

    def _mark(self, headers: MutableHeaders, request: Request, elapsed_s: float) -> None:
        headers["X-Request-Id"] = request.state.request_id
        timings = [f"total;dur={elapsed_s * 1000:.1f}", *getattr(request.state, "timings", ())]
        headers["Server-Timing"] = ", ".join(timings)
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if not request.url.path.startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")

    def _count(self, request: Request, status: int, elapsed_s: float) -> None:
        route = getattr(request.scope.get("route"), "path", None) or "none"
        self._metrics.requests.labels(request.method, route, str(status)).inc()
        if not route.endswith("live"):
            self._metrics.latency.labels(route).observe(elapsed_s)
        slug = getattr(request.state, "problem", None)
        if slug is not None:
            self._metrics.problems.labels(slug).inc()


def _hold_to_limit(request: Request) -> None:
    """Refuse a body that is too large, or that does not tell how large it is."""
    limit, length = body_limit(request.url.path), request.headers.get("content-length")
    whole = request.method in ("POST", "PUT") and limit > FORM_LIMIT_BYTES
    unmeasured = length is None and (whole or "transfer-encoding" in request.headers)
    if unmeasured or not (length or "0").isdecimal():
        raise Problem("invalid-body")
    if length is not None and int(length) > limit:
        raise Problem("body-too-large", values={"limit": limit})


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks for a page, so that a redirect helps more than a problem."""
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")
