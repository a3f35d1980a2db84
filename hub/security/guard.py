"""The FastAPI dependency that lets a request pass by permission."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from hub.api.problems import Problem
from hub.security.access import Permission, Principal


def require(permission: Permission) -> Callable[[Request], Principal]:
    """A dependency: the caller whom the gate let in, a 401 problem without one, 403 if the role does not suffice."""

    def dependency(request: Request) -> Principal:
        caller = getattr(request.state, "caller", None)
        if not isinstance(caller, Principal):
            raise Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="ioc"'})
        if not caller.may(permission):
            raise Problem("forbidden")
        return caller

    return dependency
