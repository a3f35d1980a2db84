"""Connectors in Kafka Connect's shapes: Info and Status, with what it has no word for under `ioc`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import yaml

from connectors.configs import Declared
from connectors.flat_config import flatten
from connectors.status import ConnectorStatus
from hub.connect.masking import masked
from hub.kpi.feed import Feed
from hub.kpi.freshness import SILENT_AFTER, freshness
from schemas.declaration import YAML_LOADER

REMEMBERED = 2048
"""Manifests of which the flat form is remembered: a list of all connectors is asked for again and again."""
VERSION = "4.1.0-ioc"
"""The release of Kafka Connect whose interface this is; its clients read the numbers and look no further."""


@dataclass(frozen=True, slots=True)
class Known:
    """One connector: what is declared and what its worker last said. `now_ms`: the time at which it is shown; `feed`:
    as freshness sees it, None if its manifest is not understood."""

    declared: Declared
    status: ConnectorStatus | None
    now_ms: int
    feed: Feed | None

    @property
    def heard(self) -> bool:
        """Whether its worker is heard of."""
        return self.status is not None and self.now_ms - self.status.at <= SILENT_AFTER.total_seconds() * 1000

    @property
    def runnable(self) -> bool:
        """Whether there is something to run, so that it has a task."""
        return self.declared.approved is not None and self.declared.target.state != "stopped"


@lru_cache(REMEMBERED)
def _flat(text: str) -> Mapping[str, str]:
    tree = yaml.load(text, Loader=YAML_LOADER)
    return flatten(tree) if isinstance(tree, dict) else {}


def whole_config_of(declared: Declared) -> dict[str, str]:
    """The newest manifest as a flat map, for keeping what a client writes back masked; never shown."""
    return dict(_flat(declared.registered.manifest))


def config_of(declared: Declared) -> dict[str, str]:
    """The newest manifest as a flat map, secrets masked."""
    return masked(_flat(declared.registered.manifest)) | {"name": declared.id}


def topics_of(known: Known, topic_of_entity: Mapping[str, str]) -> list[str]:
    """The topics it has written to."""
    feed = known.feed
    wrote = known.status is not None and known.status.published > 0
    return [topic_of_entity[feed.entity]] if wrote and feed is not None and feed.entity in topic_of_entity else []


def info(known: Known) -> dict[str, Any]:
    """`{name, config, tasks, type}`."""
    return {
        "name": known.declared.id,
        "config": config_of(known.declared),
        "tasks": [{"connector": known.declared.id, "task": 0}] if known.runnable else [],
        "type": "source",
        "ioc": approval(known.declared),
    }


def approval(declared: Declared) -> dict[str, Any]:
    """Which version is the newest, which one runs, and whether the IOC has still to approve."""
    approved = declared.approved
    return {
        "version": declared.registered.version,
        "registered_by": declared.registered.by,
        "registered_at": declared.registered.at,
        "approved_version": approved.version if approved else None,
        "approved_by": approved.by if approved else None,
        "approved_at": approved.at if approved else None,
        "waiting_for_approval": declared.waits,
    }


def task_state(known: Known) -> str:
    """RUNNING, PAUSED, FAILED, RESTARTING or UNASSIGNED."""
    status, declared = known.status, known.declared
    if status is None or not known.heard:
        return "UNASSIGNED"
    if status.state == "failed":
        return "FAILED"
    if status.restarts < declared.target.restarts:
        return "RESTARTING"
    return {"running": "RUNNING", "paused": "PAUSED"}.get(status.state, "UNASSIGNED")


def connector_state(known: Known) -> str:
    """As a task's, or STOPPED; a failed source is its task's failure, as in Kafka Connect."""
    if known.declared.target.state == "stopped":
        return "STOPPED"
    if known.declared.approved is None:
        return "UNASSIGNED"
    state = task_state(known)
    if state == "FAILED":
        return "PAUSED" if known.declared.target.state == "paused" else "RUNNING"
    return state


def status(known: Known, language: str, *, restarting: bool = False) -> dict[str, Any]:
    """`{name, connector, tasks, type}` and `ioc`: the hub's own word for the state, with its evidence.

    `restarting`: show RESTARTING for whatever a restart asked for just now will touch.
    """
    told = known.status
    worker = told.worker if told else ""
    state = "RESTARTING" if restarting and known.runnable else connector_state(known)
    task: dict[str, Any] = {
        "id": 0,
        "state": "RESTARTING" if restarting else task_state(known),
        "worker_id": worker,
        "version": VERSION,
    }
    if task["state"] == "FAILED" and told is not None and told.last_error is not None:
        error = told.last_error
        task["trace"] = f"{error.code}: {error.message_vi if language == 'vi' else error.message_en}"
    return {
        "name": known.declared.id,
        "connector": {"state": state, "worker_id": worker, "version": VERSION},
        "tasks": [task] if known.runnable else [],
        "type": "source",
        "ioc": approval(known.declared) | _evidence(known),
    }


def _evidence(known: Known) -> dict[str, Any]:
    told = known.status
    numbers: Mapping[str, Any] = {} if told is None else {
        "worker": told.worker,
        "running_version": told.version or None,
        "last_poll_ok": told.last_poll_ok,
        "last_event_time": told.last_event_time,
        "received": told.received,
        "published": told.published,
        "quarantined": told.quarantined,
        "errors": told.errors,
        "last_error": None if told.last_error is None else {
            "code": told.last_error.code,
            "message_vi": told.last_error.message_vi,
            "message_en": told.last_error.message_en,
            "at": told.last_error.at,
        },
        "reported_state": told.state,
        "reported_at": told.at,
    }  # fmt: skip
    return {"target": known.declared.target.state, "state": _word(known), **numbers}


def _word(known: Known) -> str:
    """The state in the hub's one vocabulary; `waiting_for_approval` before a first version is approved."""
    if known.declared.approved is None:
        return "waiting_for_approval"
    if known.feed is None:
        return "unknown"
    return freshness(known.feed, known.status, None, datetime.fromtimestamp(known.now_ms / 1000, UTC)).state
