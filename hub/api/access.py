"""Who asks: default deny. Keys come as Bearer tokens, people's browsers as a session cookie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from hub.api.problems import Problem
from hub.security.access import EVERYWHERE, Permission, Principal

SESSION_COOKIE = "ioc_session"
PUBLIC_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/signin"})
PUBLIC_PREFIXES = ("/static/", "/v1/ingest/")
"""Nothing below these is a figure: assets, and the webhooks, which are signed by their own secrets."""

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Access(Protocol):
    """Keys, one-time sign-in links and sessions. Methods are quick (memory, a small file) and thread-safe."""

    def by_key(self, key: str) -> Principal | None:
        """The holder of an API key."""

    def by_session(self, cookie: str) -> Principal | None:
        """The holder of a live session."""

    def redeem_link(self, token: str) -> str | None:
        """Use up a one-time link; a new session's cookie, or None if it is used, expired or unknown."""

    def open_session(self, key: str) -> str | None:
        """A new session's cookie for the holder of `key`, or None."""

    def close_session(self, cookie: str) -> None:
        """End a session; idempotent."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a caller may see: `org` None is the whole province, else one unit and what is below it."""

    org: str | None


def is_public(path: str) -> bool:
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)


def caller_of(request: HTTPConnection, access: Access) -> Principal | None:
    """Who asks, or None. A wrong Bearer key is not rescued by a cookie."""
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, key = header.partition(" ")
        return access.by_key(key.strip()) if scheme.lower() == "bearer" else None
    cookie = request.cookies.get(SESSION_COOKIE)
    return access.by_session(cookie) if cookie else None


def require_caller(request: HTTPConnection, access: Access) -> Principal:
    """Who asks; a 401 problem if nobody known does."""
    caller = caller_of(request, access)
    if caller is None:
        raise Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="ioc"'})
    return caller


def scope_of(request: HTTPConnection, permission: Permission) -> Scope:
    """The scope of the caller whom the gate let in; a 403 problem without the permission or the unit it needs."""
    caller: Principal = request.state.caller
    if not caller.may(permission):
        raise Problem("forbidden")
    if caller.role in EVERYWHERE:
        return Scope(None)
    if not caller.org:
        raise Problem("forbidden")
    return Scope(caller.org)


def require_same_site(request: Request) -> None:
    """Refuse a browser's unsafe request that another site started."""
    origin = request.headers.get("origin")
    if request.method in UNSAFE and origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Problem("cross-site")
