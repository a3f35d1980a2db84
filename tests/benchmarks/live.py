"""From a webhook's 202 to the figure on `/v1/kpis`: latency at 1,000 events a second on a whole stack."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import psutil

from tests.stack import RunningStack, ioc, simulator_environment, stack_environment

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
RATE = 1_000
BODY_EVENTS = 10
SECONDS = 15
WARM_UP_S = 3
POLL_PAUSE_S = 0.02
"""Between two looks at the KPI: without it the looking itself would take a core."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds from a 202 to the first answer of the API that counts the event; `rate` in events/s."""

    p50: float
    p99: float
    rate: float
    start_s: float
    rss_mib: dict[str, float]


def report(number: int, now: datetime) -> dict[str, object]:
    """A new field report, as the 1022 system sends it."""
    at = now.isoformat(timespec="seconds")
    return {
        "id": f"bench-{number}", "ma": f"PA-{now:%y%m%d}-{number:07d}", "phien_ban": 1, "hanh_dong": "capnhat",
        "cap_nhat_luc": at, "kenh": "app", "linh_vuc": "Môi trường", "muc_do": "thuong", "trang_thai": "tiep_nhan",
        "don_vi": "H53.20", "nhan_luc": at, "han_xu_ly": None, "xu_ly_luc": None, "gia_han": 0, "vi_do": 11.3,
        "kinh_do": 106.1, "danh_gia": None, "ma_xa": "25459", "noi_dung": "",
        "nguoi_phan_anh": {"ho_ten": "A", "dien_thoai": "0900000000"},
    }  # fmt: skip


def signed(body: bytes, key: str) -> dict[str, str]:
    """Headers of one push."""
    stamp, nonce = str(int(time.time())), secrets.token_hex(16)
    mac = hmac.new(key.encode(), f"{stamp}.{nonce}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-IOC-Timestamp": stamp, "X-IOC-Nonce": nonce, "X-IOC-Signature": f"sha256={mac}"}


class _Watch(threading.Thread):
    """Polls the KPI and remembers when each count was first seen."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(daemon=True)
        today = datetime.now(VIETNAM).date().isoformat()
        self.seen: list[tuple[float, int]] = []
        self.ended = threading.Event()
        self._client = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10)
        self._path = f"/v1/kpis/feedback.received?from={today}&to={today}"

    def value(self) -> int:
        return int(self._client.get(self._path).json()["value"] or 0)

    def run(self) -> None:
        while not self.ended.is_set():
            value = self.value()
            self.seen.append((time.monotonic(), value))
            self.ended.wait(POLL_PAUSE_S)


def push(stack: RunningStack, secret: str) -> list[tuple[float, int]]:
    """Send at the rate; gives when each push was accepted, and how many events were accepted by then."""
    accepted: list[tuple[float, int]] = []
    number = 0
    with httpx2.Client(base_url=stack.api_url, timeout=30) as client:
        started = time.monotonic()
        while time.monotonic() - started < SECONDS:
            due = started + number / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            now = datetime.now(VIETNAM)
            body = json.dumps([report(number + place, now) for place in range(BODY_EVENTS)]).encode()
            answer = client.post("/v1/ingest/feedback-1022", content=body, headers=signed(body, secret))
            answer.raise_for_status()
            number += BODY_EVENTS
            accepted.append((time.monotonic(), number))
    return accepted


def latencies(accepted: list[tuple[float, int]], seen: list[tuple[float, int]], base: int) -> list[float]:
    """Milliseconds of each push after the warm-up."""
    out: list[float] = []
    place = 0
    for at, count in accepted:
        while place < len(seen) and seen[place][1] - base < count:
            place += 1
        assert place < len(seen), "some events never became visible"
        if at - accepted[0][0] > WARM_UP_S:
            out.append(max(0.0, (seen[place][0] - at) * 1000))
    return sorted(out)


def processes(stack: RunningStack) -> dict[str, float]:
    """Resident MiB of each process of the stack."""
    sizes: dict[str, float] = {}
    for entry in (stack.state / "run").glob("*.pid"):
        pid = json.loads(entry.read_text(encoding="utf-8"))["pid"]
        if psutil.pid_exists(pid):
            sizes[entry.stem] = round(psutil.Process(pid).memory_info().rss / 2**20, 1)
    return sizes


def stack_without_history(folder: Path) -> RunningStack:
    """A stack that knows the simulators' addresses, without any of their data, when it is ready."""
    environment = stack_environment(folder)
    wanted = simulator_environment(1, 0)
    environment |= {name: value for name, value in wanted.items() if not name.startswith("IOC_DEMO")}
    ioc(environment, "up", "--wait", "--timeout", "180", timeout_s=200)
    return RunningStack(environment, folder)


def measure(folder: Path) -> Latencies:
    """Start a stack twice (the second time on existing state), push, and stop it."""
    stack = stack_without_history(folder)
    environment = stack.environment
    try:
        key = stack.key("operator")
    finally:
        ioc(environment, "down")
    started = time.monotonic()
    ioc(environment, "up", "--wait", "--timeout", "180", timeout_s=200)
    try:
        watch = _Watch(stack.api_url, key)
        base = watch.value()
        start_s = time.monotonic() - started
        watch.start()
        accepted = push(stack, environment["IOC_SECRET_1022_KEY"])
        deadline = time.monotonic() + 30
        while watch.seen[-1][1] - base < accepted[-1][1] and time.monotonic() < deadline:
            time.sleep(0.05)
        watch.ended.set()
        watch.join()
        figures = latencies(accepted, watch.seen, base)
        rate = accepted[-1][1] / (accepted[-1][0] - accepted[0][0])
        return Latencies(figures[len(figures) // 2], figures[int(len(figures) * 0.99)], rate, start_s, processes(stack))
    finally:
        ioc(environment, "down")


if __name__ == "__main__":
    import tempfile

    os.environ.setdefault("IOC_LANG", "en")
    with tempfile.TemporaryDirectory() as place:
        print(measure(Path(place)))
