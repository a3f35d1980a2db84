"""Writes that belong to another instance: sent on to the leader over HTTP, as they came.

ForwardError
├── LeaderAwayError     it was not reached: nothing happened there, try the next leader
└── LeaderSilentError   it did not answer, or broke off: what was asked for may have happened
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
from starlette.types import Scope

HOP_HEADER = b"x-forward"
"""Confluent's mark of a forwarded request, with the value `false`: it is not forwarded again."""
POSITION_HEADER = b"x-ioc-log-offset"
"""In answers to writes: how far the log was applied when they were done."""
CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 12.0
"""More than the leader itself waits for the log."""
CONNECTIONS = 64
HANDED_ON = (b"authorization", b"accept", b"accept-language")


class ForwardError(Exception):
    """The leader gave no answer."""


class LeaderAwayError(ForwardError):
    """It was not reached."""


class LeaderSilentError(ForwardError):
    """It was reached and did not answer."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """The leader's answer; `position` is how far its log was applied then."""

    status: int
    body: bytes
    kind: str
    position: int


def is_forwarded(headers: Mapping[bytes, bytes]) -> bool:
    """Whether another instance sent this request on."""
    return headers.get(HOP_HEADER, b"").lower() == b"false"


class Forwarder:
    """One instance's connections to the leaders. `ca` is a PEM file to trust, unset: the system's authorities."""

    def __init__(self, ca: Path | None = None) -> None:
        self._http = httpx2.AsyncClient(
            verify=True if ca is None else ssl.create_default_context(cafile=str(ca)),
            timeout=httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx2.Limits(max_connections=CONNECTIONS),
            trust_env=False,
        )

    async def send(self, leader: str, scope: Scope, headers: Mapping[bytes, bytes], body: Any) -> Relayed:
        """The leader's answer to this request. Raises ForwardError."""
        path = bytes(scope.get("raw_path") or scope["path"].encode())
        query = b"?" + scope["query_string"] if scope.get("query_string") else b""
        handed_on = [(name, headers[name]) for name in HANDED_ON if name in headers]
        sent = [*handed_on, (HOP_HEADER, b"false"), (b"content-type", b"application/json")]
        try:
            answer = await self._http.request(
                scope["method"],
                leader + (path.partition(b"?")[0] + query).decode("latin-1"),
                headers=sent,
                content=orjson.dumps(body) if body else b"",
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise LeaderAwayError(f"{leader} is not reached ({type(error).__name__})") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise LeaderSilentError(f"{leader} did not answer ({type(error).__name__})") from error
        position = answer.headers.get(POSITION_HEADER.decode(), "0")
        kind = answer.headers.get("content-type", "application/json")
        return Relayed(answer.status_code, answer.content, kind, int(position) if position.isdecimal() else 0)

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._http.aclose()
