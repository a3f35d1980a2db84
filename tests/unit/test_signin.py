"""Sign-in links work once and not for long; sessions cannot be forged, and end with their key."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi.testclient import TestClient

from hub.api.problems import Problem, problem_response
from hub.security.access import Permission, Principal
from hub.security.gatekeeper import Gatekeeper, build_gatekeeper
from hub.security.guard import require
from hub.security.keys import KeyStore
from hub.security.signin import LINK_LIFE, SESSION_LIFE, SigninLinks


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(tmp_path: Path, clock: Clock) -> Gatekeeper:
    return build_gatekeeper(tmp_path, clock)


@pytest.fixture
def links(tmp_path: Path, clock: Clock) -> SigninLinks:
    """Of another process: the command line's."""
    return SigninLinks(tmp_path, clock)


def signed_in(gate: Gatekeeper, cookie: str | None) -> Principal | None:
    assert cookie is not None
    return gate.by_session(cookie)


def test_a_link_signs_in_once(gate: Gatekeeper, links: SigninLinks) -> None:
    token = links.create("operator")
    cookie = gate.redeem_link(token)
    who = signed_in(gate, cookie)
    assert who is not None
    assert (who.role, who.org) == ("operator", None)
    assert gate.redeem_link(token) is None


def test_of_many_who_open_a_link_at_once_one_gets_in(gate: Gatekeeper, links: SigninLinks) -> None:
    token = links.create("admin")
    cookies: list[str | None] = []
    openers = [threading.Thread(target=lambda: cookies.append(gate.redeem_link(token))) for _ in range(8)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert len([cookie for cookie in cookies if cookie]) == 1


def test_a_link_expires_and_an_unknown_one_is_refused(gate: Gatekeeper, links: SigninLinks, clock: Clock) -> None:
    token = links.create("admin")
    clock.now += LINK_LIFE
    assert gate.redeem_link(token) is None
    assert gate.redeem_link("guess") is None


def test_a_link_is_stored_as_a_hash(links: SigninLinks, tmp_path: Path) -> None:
    token = links.create("admin")
    stored = tmp_path / "secrets" / "signin.json"
    assert token not in stored.read_text()
    assert stored.stat().st_mode & 0o077 == 0


def test_a_session_ends_after_a_shift(gate: Gatekeeper, links: SigninLinks, clock: Clock) -> None:
    cookie = gate.redeem_link(links.create("admin"))
    clock.now += SESSION_LIFE - timedelta(seconds=1)
    assert signed_in(gate, cookie) is not None
    clock.now += timedelta(seconds=1)
    assert signed_in(gate, cookie) is None


def test_a_session_that_was_closed_stays_closed_after_a_restart(
    gate: Gatekeeper, links: SigninLinks, tmp_path: Path, clock: Clock
) -> None:
    cookie, other = gate.redeem_link(links.create("admin")), gate.redeem_link(links.create("admin"))
    assert cookie is not None
    gate.close_session(cookie)
    gate.close_session(cookie)
    again = build_gatekeeper(tmp_path, clock)
    assert again.by_session(cookie) is None
    assert signed_in(again, other) is not None


def test_a_session_opened_with_a_key_ends_with_the_key(gate: Gatekeeper, tmp_path: Path, clock: Clock) -> None:
    keys = KeyStore(tmp_path, clock)
    made = keys.create("department", "H53.14")
    cookie = gate.open_session(made.text)
    assert signed_in(gate, cookie) == Principal("department", "H53.14", made.info.id)
    keys.revoke(made.info.id)
    assert signed_in(gate, cookie) is None
    assert gate.open_session(made.text) is None


def test_a_forged_session_is_refused(gate: Gatekeeper, links: SigninLinks, tmp_path: Path) -> None:
    cookie = gate.redeem_link(links.create("department", "H53.14"))
    assert cookie is not None
    body, _, signature = cookie.partition(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["role"] = "admin"
    risen = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for forged in (f"{risen}.{signature}", body, f"{body}.", "", ".", "x.y", f"{cookie}x", "é.é"):
        assert gate.by_session(forged) is None


def test_a_session_of_another_installation_is_refused(
    links: SigninLinks, gate: Gatekeeper, tmp_path: Path, clock: Clock
) -> None:
    cookie = gate.redeem_link(links.create("admin"))
    assert signed_in(build_gatekeeper(tmp_path / "other", clock), cookie) is None


def test_the_service_key_is_no_api_key(gate: Gatekeeper, tmp_path: Path) -> None:
    key = (tmp_path / "secrets" / "service.key").read_text().strip()
    assert gate.by_key(key) is None
    who = gate.by_service_key(key)
    assert who is not None
    assert who.may(Permission.REGISTRY_WRITE)
    assert not who.may(Permission.KPI_READ)


@pytest.mark.parametrize(
    ("caller", "language", "status", "word"),
    [
        (None, "vi", 401, "unauthorized"),
        (Principal("intruder"), "en", 403, "forbidden"),
        (Principal("operator"), "vi", 403, "forbidden"),
        (Principal("admin"), "en", 200, ""),
    ],
)
def test_a_route_lets_pass_by_permission_only(caller: Principal | None, language: str, status: int, word: str) -> None:
    app = FastAPI()

    @app.exception_handler(Problem)
    def _problem(request: Request, problem: Problem) -> Response:
        return problem_response(request, problem)

    @app.middleware("http")
    async def _gate(request: Request, call_next: object) -> Response:
        if caller is not None:
            request.state.caller = caller
        return await call_next(request)  # type: ignore[operator,no-any-return]

    @app.get("/keys", dependencies=[Depends(require(Permission.KEY_MANAGE))])
    def _keys() -> str:
        return "keys"

    response = TestClient(app).get("/keys", headers={"Accept-Language": language})
    assert response.status_code == status
    if word:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["content-language"] == language
        assert response.json()["type"] == f"/problems/{word}"
