"""A portal to test against: a real HTTP server with the faults real ones have."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.hosts import Hosts

LOOPBACK = Hosts(("127.0.0.0/8",))
"""What connectors in tests may reach."""
CLIENT_ID, CLIENT_SECRET = "ioc", "a-secret-of-the-portal"


def record(number: int, at: str = "2022-08-23T08:15:00+07:00", **changes: Any) -> dict[str, Any]:
    """A revision as the portal writes it."""
    base = {
        "maSuKien": f"sk-{number:06d}",
        "maHoSo": f"H53.14-220823-{number:04d}",
        "phienBan": 1,
        "hanhDong": "capnhat",
        "capNhatLuc": at,
        "maDonVi": "H53.14",
        "maTTHC": "1.002835.000.00.00.H53",
        "linhVuc": "Đất đai",
        "kenh": 2,
        "mucDo": 4,
        "trangThai": 9,
        "ngayNop": "23/08/2022 08:15:00",
        "ngayTiepNhan": "23/08/2022 09:00:30",
        "ngayHenTra": "30/08/2022 17:00:00",
        "ngayKetThuc": None,
        "ngayTraKetQua": None,
        "lePhi": 50000,
        "thanhToanTrucTuyen": True,
        "soHoaThanhPhan": True,
        "ketQuaDienTu": False,
        "danhGia": None,
        "maXa": "25459",
        "nguoiNop": {"hoTen": "Nguyễn Thị Bưởi", "cccd": f"072{number:09d}", "dienThoai": f"09{number:08d}"},
    }
    return base | changes


@dataclass
class Portal:
    """The feed (ordered by change time) and the faults to come: a status per coming request, None for none."""

    feed: list[dict[str, Any]] = field(default_factory=list)
    faults: list[tuple[int, dict[str, str]] | None] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    tokens_issued: int = 0
    refuse_login: bool = False
    url: str = ""
    valid_token: str = ""
    restored: list[dict[str, Any]] | None = None
    """What it answers whatever it is asked for, as after a restore of an old copy."""
    open: bool = False
    """Whether it also answers those who did not sign in."""

    def expire_token(self) -> None:
        self.valid_token = "expired"


def _app(portal: Portal) -> Starlette:
    async def token(request: Request) -> Response:
        form = await request.form()
        if portal.refuse_login or form.get("client_secret") != CLIENT_SECRET or form.get("client_id") != CLIENT_ID:
            return Response(b'{"error":"invalid_client"}', 401)
        portal.tokens_issued += 1
        portal.valid_token = secrets.token_hex(8)
        body = {"access_token": portal.valid_token, "token_type": "Bearer", "expires_in": 3600}
        return Response(orjson.dumps(body), media_type="application/json")

    async def changes(request: Request) -> Response:
        portal.asked.append(dict(request.query_params))
        if not portal.open and request.headers.get("authorization") != f"Bearer {portal.valid_token}":
            return Response(b"{}", 401)
        fault = portal.faults.pop(0) if portal.faults else None
        if fault is not None:
            return Response(b"{}", fault[0], fault[1])
        since, size = request.query_params["updated_since"], int(request.query_params["page_size"])
        found = [item for item in portal.feed if _key(item["capNhatLuc"]) >= _key(since)]
        if portal.restored is not None:
            found = portal.restored
        start = int(request.query_params.get("page_token", "0"))
        more = str(start + size) if start + size < len(found) else None
        body = {"data": found[start : start + size], "next_page_token": more}
        return Response(orjson.dumps(body), media_type="application/json")

    return Starlette(
        routes=[
            Route("/oauth2/token", token, methods=["POST"]),
            Route("/api/v1/ho-so/thay-doi", changes),
        ]
    )


def _key(text: str) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return float("inf")


@contextlib.contextmanager
def serve(app: Any) -> Iterator[str]:
    """Serve an ASGI application from a thread; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextlib.contextmanager
def portal_server(feed: list[dict[str, Any]] | None = None) -> Iterator[Portal]:
    """A portal on a free port."""
    portal = Portal(feed=feed or [])
    with serve(_app(portal)) as url:
        portal.url = url
        yield portal
