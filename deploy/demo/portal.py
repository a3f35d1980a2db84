"""The simulated public-service portal: OAuth2 client credentials and a paged feed of revisions over REST.

`python -m deploy.demo.portal --port P --state DIR`; IOC_SECRET_PORTAL_CLIENT_ID and
IOC_SECRET_PORTAL_CLIENT_SECRET hold what a client must present. SIGUSR1 pauses the live events, SIGUSR2 resumes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo import bad
from deploy.demo.access import Credentials, Tokens
from deploy.demo.feed import Feed, HistorySegment, RawSegment, Segment
from deploy.demo.ledger import PORTAL, DemoError, LiveLog, open_histories, open_origin, read_live
from deploy.demo.live import Performance
from deploy.demo.live_dossiers import dossier_cases
from deploy.demo.pulse import Pulse
from deploy.demo.volumes import per_second

DEFAULT_SEED = 2022
MAX_PAGE = 10_000
DEFAULT_PAGE = 1_000
TOO_MANY_AT, AWAY_AT, REVOKED_AT = 10, 25, 50
"""Feed requests that always meet a fault (unless the fault rate is 0): 429, 503, all tokens withdrawn."""
RETRY_AFTER_S = 1
SHUTDOWN_S = 3


class Faults:
    """What goes wrong with a feed request, by its number: 0 nothing, 429, 503 or 401 (tokens withdrawn)."""

    def __init__(self, seed: int, rate: float) -> None:
        self._rng = random.Random(f"{seed}:faults")
        self._rate = rate
        self._number = 0

    def next(self) -> int:
        self._number += 1
        if self._rate <= 0:
            return 0
        fixed = {TOO_MANY_AT: 429, AWAY_AT: 503, REVOKED_AT: 401}.get(self._number, 0)
        drawn = self._rng.choice((429, 429, 503)) if self._rng.random() < self._rate else 0
        return fixed or drawn


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"status": status, "detail": detail}, status, headers)


def encode_token(position: int) -> str:
    return base64.urlsafe_b64encode(f"p{position}".encode()).decode().rstrip("=")


def decode_token(token: str) -> int:
    """The position in a page token; ValueError if it is none of ours."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not a page token") from error
    if not (text.startswith("p") and text[1:].isdigit()):
        raise ValueError("not a page token")
    return int(text[1:])


class Portal:
    """The portal's state and its request handlers."""

    def __init__(self, options: argparse.Namespace, credentials: Credentials) -> None:
        state = options.state
        origin = open_origin(state, PORTAL, options.seed, options.scale, int(time.time()))
        histories = open_histories(state, origin)
        refused, self._live = RawSegment(), RawSegment()
        for record in bad.portal_records():
            refused.append(bad.MOMENT, orjson.dumps(record.raw))
        segments: tuple[Segment, ...] = (
            HistorySegment(histories["r"], "r"),
            refused,
            HistorySegment(histories["s"], "s"),
            self._live,
        )
        names = ("reference", "bad", "stock")
        self._counts = {name: len(segment) for name, segment in zip(names, segments, strict=False)}
        self.feed = Feed(segments)
        self._origin = origin
        self._credentials = credentials
        self._tokens = Tokens(options.token_ttl)
        self._faults = Faults(origin.seed, options.fault_rate)
        past = list(read_live(state, PORTAL))
        for event in past:
            self._live.append(event.at, orjson.dumps(event.raw))
        self._log = LiveLog(state, PORTAL)
        cases = dossier_cases(origin.seed, histories["s"])
        self._performance = Performance(self._log, origin.seed, cases, past)
        rate = options.live_rate if options.speed is None else per_second(PORTAL, options.speed)
        self._pulse = Pulse(rate, self._emit)

    def _emit(self) -> None:
        event = self._performance.emit(int(time.time()))
        self._live.append(event.at, orjson.dumps(event.raw))

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._pulse.pause)
        loop.add_signal_handler(signal.SIGUSR2, self._pulse.resume)
        task = asyncio.create_task(self._pulse.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._log.close()

    async def token(self, request: Request) -> Response:
        """POST /oauth2/token: credentials in the form or as basic authentication."""
        form = await request.form()
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        client_id, client_secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                client_id, _, client_secret = base64.b64decode(encoded).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return JSONResponse({"error": "invalid_request"}, 400)
        if not self._credentials.match(client_id, client_secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        body = {"access_token": self._tokens.issue(), "token_type": "Bearer", "expires_in": self._tokens.lifetime_s}
        return JSONResponse(body, headers={"cache-control": "no-store"})

    async def changes(self, request: Request) -> Response:
        """GET /api/v1/ho-so/thay-doi: one page of the feed."""
        if not self._tokens.valid(request.headers.get("authorization", "")):
            return _problem(401, "the access token is missing or expired", {"www-authenticate": "Bearer"})
        fault = self._faults.next()
        if fault == 429:
            return _problem(429, "too many requests", {"retry-after": str(RETRY_AFTER_S)})
        if fault == 503:
            return _problem(503, "under maintenance")
        if fault == 401:
            self._tokens.withdraw_all()
            return _problem(401, "the access token was withdrawn", {"www-authenticate": "Bearer"})
        try:
            position, size = self._place(request)
        except ValueError as error:
            return _problem(400, str(error))
        data, following = await asyncio.to_thread(self.feed.page, position, size)
        end = b"null" if following is None else b'"' + encode_token(following).encode() + b'"'
        return Response(b'{"data":[' + data + b'],"next_page_token":' + end + b"}", media_type="application/json")

    def _place(self, request: Request) -> tuple[int, int]:
        """Position and size of the page asked for; ValueError names the parameter."""
        query = request.query_params
        size_text = query.get("page_size", str(DEFAULT_PAGE))
        if not (size_text.isdigit() and 1 <= int(size_text) <= MAX_PAGE):
            raise ValueError(f"page_size: a number from 1 to {MAX_PAGE}")
        if token := query.get("page_token"):
            return decode_token(token), int(size_text)
        try:
            since = datetime.fromisoformat(query["updated_since"])
        except (KeyError, ValueError) as error:
            raise ValueError("updated_since: an ISO 8601 time with its offset") from error
        if since.tzinfo is None:
            raise ValueError("updated_since: the offset is missing")
        return self.feed.first_since(int(since.timestamp())), int(size_text)

    async def summary(self, _request: Request) -> Response:
        """GET /ledger/summary: what has been emitted, for the demonstration's own use."""
        counts: dict[str, Any] = {**self._counts, "live": len(self._live), "total": len(self.feed)}
        return JSONResponse({"seed": self._origin.seed, "scale": self._origin.scale, "records": counts})

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    def app(self) -> Starlette:
        routes = [
            Route("/oauth2/token", self.token, methods=["POST"]),
            Route("/api/v1/ho-so/thay-doi", self.changes),
            Route("/ledger/summary", self.summary),
            Route("/healthz", self.health),
        ]
        return Starlette(routes=routes, lifespan=self.lifespan)


class Server(uvicorn.Server):
    """Ends with code 0 when asked to by SIGINT or SIGTERM, instead of raising the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.portal", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="where the ledger is kept")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the history, 1 = 100,000 dossiers")
    parser.add_argument("--live-rate", type=float, default=1.0, help="live events a second, 0 = none")
    parser.add_argument("--speed", type=float, help="instead: so many times as fast as a real day")
    parser.add_argument("--fault-rate", type=float, default=0.01, help="share of requests refused, 0 = none at all")
    parser.add_argument("--token-ttl", type=int, default=300, help="seconds an access token lives")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        portal = Portal(options, Credentials.from_environment())
    except DemoError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"portal: http://{options.host}:{options.port}, {len(portal.feed)} records", flush=True)
    config = uvicorn.Config(
        portal.app(),
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    Server(config).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
