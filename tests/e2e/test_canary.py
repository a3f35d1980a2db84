"""The canary on a whole stack: it goes the whole way, falling out of it is seen, and nothing of the province has it."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import httpx2
import pytest

from tests.health_world import until
from tests.stack import RunningStack, ioc, stack_environment


def counts(environment: dict[str, str]) -> dict[str, float]:
    text = httpx2.get(f"http://127.0.0.1:{environment['IOC_MONITOR__PORT']}/metrics", timeout=20).text
    found = re.findall(
        r"^ioc_probe_(messages_\w+_total|roundtrip_seconds_count|roundtrip_seconds_sum) (\S+)$", text, re.M
    )
    return {name: float(value) for name, value in found}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_record_of_the_hub_s_own_goes_the_whole_way_and_nobody_counts_it(tmp_path: Path) -> None:
    environment = stack_environment(tmp_path) | {"IOC_MONITOR__CANARY_S": "2"}
    try:
        ioc(environment, "up", "--wait", "--timeout", "200", timeout_s=250)
        stack = RunningStack(environment, tmp_path)
        until(lambda: counts(environment)["messages_received_total"] >= 5, 120)
        seen = counts(environment)
        assert seen["roundtrip_seconds_count"] == seen["messages_received_total"]
        assert seen["messages_lost_total"] == 0
        print("mean round trip, s:", seen["roundtrip_seconds_sum"] / seen["roundtrip_seconds_count"])
        headers = {"Authorization": f"Bearer {stack.key()}"}
        for path in ("/v1/kpis", "/v1/catalogue", "/v1/connectors", "/v1/health/datasets"):
            answer = httpx2.get(stack.api_url + path, headers=headers, timeout=30)
            assert answer.status_code == 200, path
            assert "canary" not in answer.text, path
        done = ioc(environment, "status", "-o", "json", check=False)
        stream = next(one["pid"] for one in json.loads(done.stdout)["units"] if one["unit"].startswith("stream"))
        os.kill(stream, signal.SIGSTOP)
        try:
            until(lambda: counts(environment)["messages_lost_total"] >= 1, 120)
        finally:
            os.kill(stream, signal.SIGCONT)
    finally:
        ioc(environment, "down", check=False)
