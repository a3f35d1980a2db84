"""What was reported by hand stands beside the computed figure as soon as it is there, and is asked for once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from hub.kpi.inquiry import Inquiry
from hub.kpi.period import Period
from hub.kpi.statement import Statement
from tests.told import told

NINE_MONTHS = Inquiry("dossier.online_share", Period(date(2022, 1, 1), date(2022, 9, 30)))
AUGUST = Inquiry("dossier.online_share", Period(date(2022, 8, 1), date(2022, 8, 31)))


def test_a_new_report_shows_at_once_and_an_unchanged_one_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with told() as world:
        asked: list[str] = []
        plain = world.service.reader.rows

        def noted(statement: Statement) -> Sequence[Sequence[Any]]:
            if "FROM indicator_value_current FINAL" in statement.sql:
                asked.append(statement.sql)
            return plain(statement)

        monkeypatch.setattr(world.service.reader, "rows", noted)

        def shown(inquiry: Inquiry) -> float | None:
            found = world.inquirer.find(inquiry).reported
            return None if found is None else found.value

        def report(value: float, version: int) -> None:
            world.core.warehouse.command(
                "INSERT INTO indicator_value_current (entity_key, org_code, indicator, period_start, period_end, value,"
                " approved, deleted, version) VALUES ('r', 'H53', 'CT-HO-SO-TRUC-TUYEN', '2021-12-31 17:00:00',"
                f" '2022-09-30 17:00:00', {value}, 1, 0, {version})"
            )

        assert [shown(NINE_MONTHS), shown(NINE_MONTHS)] == [None, None]
        report(22.0, 1)
        assert [shown(NINE_MONTHS), shown(NINE_MONTHS), shown(AUGUST)] == [22.0, 22.0, None]
        assert len(asked) == 3
        report(23.5, 2)
        assert [shown(NINE_MONTHS), shown(AUGUST)] == [23.5, None]
        assert len(asked) == 5
