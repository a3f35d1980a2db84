"""`ioc audit` on the whole product: source, topic and warehouse agree, and wrong questions change nothing."""

from __future__ import annotations

import json
import sys

import pytest

from tests.deadline import eventually
from tests.stack import RunningStack, ioc


async def test_a_loaded_stack_is_right_from_the_source_to_the_figures(stack: RunningStack) -> None:
    def report() -> list[dict[str, object]]:
        done = ioc(stack.environment, "audit", "-o", "json", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found

    def all_equal() -> bool:
        rows = report()
        # Other tests of this stack may push records while the audit looks.
        return {row["check"] for row in rows} == {"topic", "source"} and all(row["code"] == "equal" for row in rows)

    await eventually(all_equal, within_s=90)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing",), "there are dossier"),
        (("--dry-run",), "--heal"),
        (("--from", "2026-02-30"), "--from"),
        (("--from", "2026-02-02", "--to", "2026-02-01"), "is after"),
    ],
)
def test_a_wrong_question_is_refused_with_what_is_wrong(
    arguments: tuple[str, ...], says: str, tmp_path: object
) -> None:
    environment = {"PATH": "", "IOC_STATE_DIR": str(tmp_path), "IOC_LANG": "en", "PYTHONPATH": ":".join(sys.path)}
    done = ioc(environment, "audit", *arguments, check=False)
    assert done.returncode == 2
    assert says in done.stderr
