"""`ioc rebuild` on a whole stack: refused with a clear error where it must be, and the figures stay those of the
ledgers."""

from __future__ import annotations

import pytest

from tests import books
from tests.stack import RunningStack, ioc

REFUSED = (
    (("rebuild", "dossiers"), "'dossiers'"),
    (("rebuild", "dossier", "--from", "yesterday"), "YYYY-MM-DD"),
    (("kpi", "backfill", "dossier.receive"), "there is no KPI or rollup 'dossier.receive'"),
)


def test_what_does_not_exist_is_refused_before_anything_changes(stack: RunningStack) -> None:
    before = stack.json("kpi", "rollups")
    for arguments, message in REFUSED:
        refused = ioc(stack.environment, *arguments, check=False)
        assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr
    assert stack.json("kpi", "rollups") == before


@pytest.mark.long
def test_a_rebuild_leaves_the_figures_as_the_ledgers_have_them(stack: RunningStack) -> None:
    with books.opened(stack) as opened:
        books.wait_until_settled(opened)
        made = ioc(stack.environment, "rebuild", "feedback")
        assert "feedback_by_received_at" in made.stderr
        rollups = stack.json("kpi", "rollups")
        tables = {item["rollup"]: (item["table"], item["state"]) for item in rollups if item["state"] != "retired"}
        assert tables["feedback_by_received_at"] == ("feedback_by_received_at_g1", "live")
        books.check_figures(opened, *books.REFERENCE)
        books.check_states(opened, "feedback")
