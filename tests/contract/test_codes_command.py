"""`ioc codes` as an official of the IOC uses it, against a real broker."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from tests.stack import ioc, stack_environment


def test_a_table_is_taken_out_changed_shown_as_a_diff_and_applied_and_a_broken_one_changes_nothing(
    kafka: str, tmp_path: Path
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    with contextlib.suppress(TopicAlreadyExistsError):
        admin.create_topics([NewTopic("ioc.codes", 1, 1, topic_configs={"cleanup.policy": "compact"})])
    admin.close()
    environment = stack_environment(tmp_path / "state") | {"IOC_KAFKA__BOOTSTRAP_SERVERS": kafka}
    file = tmp_path / "feedback_field.csv"
    ioc(environment, "codes", "export", "feedback_field", "--to", str(file))
    before = file.read_text("utf-8")
    file.write_text(before + "Chiếu sáng,Chiếu sáng,Street lights,2026-01-01,\n", "utf-8")
    shown = ioc(environment, "codes", "diff", str(file), "-o", "json")
    assert [(each["kind"], each["code"]) for each in json.loads(shown.stdout)] == [("added", "Chiếu sáng")]
    tried = ioc(environment, "codes", "apply", str(file), "--dry-run")
    assert "1 changes, not applied" in tried.stderr
    assert "version 1 is in effect" in ioc(environment, "codes", "apply", str(file), "--yes").stderr
    file.write_text(before.replace("2021-01-01", "1/1/2021", 1), "utf-8")
    refused = ioc(environment, "codes", "apply", str(file), "--yes", check=False)
    assert refused.returncode == 3
    assert "feedback_field.csv, line 2: '1/1/2021' is no day; write it as 2025-07-01" in refused.stderr
    on_days = [
        json.loads(ioc(environment, "codes", "show", "feedback_field", "--on", day, "-o", "json").stdout)
        for day in ("2022-09-19", "2026-02-01")
    ]
    assert [len(rows) for rows in on_days] == [9, 10]
