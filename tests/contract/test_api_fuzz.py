"""Whatever is asked of `/v1`, by its own description and beside it: an answer, or a problem that names the fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from tests.contract.api_world import api_world

KEY = {"Authorization": "Bearer key-of-operator", "Accept-Language": "en"}


@pytest.fixture(scope="module")
def described() -> Iterator[Any]:
    with api_world() as world:
        yield schemathesis.openapi.from_asgi("/openapi.json", world.app)


schema = schemathesis.pytest.from_fixture("described")


@pytest.mark.long
@schema.include(method="GET", path_regex="^/v1/").exclude(path="/v1/live").parametrize()
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_no_question_meets_a_fault_of_ours_or_a_silent_refusal(case: Any) -> None:
    answer = case.call(headers=KEY)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"][0].startswith("application/problem+json")
        told = answer.json()
        assert told["type"].startswith("/problems/") and told["detail"], told
        assert "Traceback" not in answer.text
