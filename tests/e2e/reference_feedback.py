"""The 493 reports of the reference period as rows of `feedback_changes`, as a stream worker leaves them.

380 are processed, 275 of them on time. One of the 380 was open until a correction that arrived today: before it the
share was 379/493 = 76.88%.
"""

from __future__ import annotations

COLUMNS = (
    "event_id, source_system, org_code, entity_key, revision, op, event_time, ingest_time, admin_code, admin_codeset,"
    " channel, field, urgency, status, received_at, due_at, resolved_at, kind, sign, reason, topic_id, life, partition,"
    " `offset`, `first`, `last`, state_offset, epoch, heal, kafka_time, batch_time"
)

RECEIVED = "toDateTime64('2022-03-05 01:00:00', 3, 'UTC')"
DUE = "toDateTime64('2022-03-12 01:00:00', 3, 'UTC')"


def statements() -> tuple[str, ...]:
    """To be run in order."""
    selects = (_first_states(), _taken_back(), _corrected())
    return tuple(f"INSERT INTO feedback_changes ({COLUMNS}) {select}" for select in selects)


def _state(status: str, resolved: str, revision: int, op: str, kind: str, sign: int, offset: str, state: str) -> str:
    happened = f"{RECEIVED} + toIntervalHour({revision})"
    arrived = f"{RECEIVED} + toIntervalHour(12)" if revision == 1 else "now64(3) - toIntervalMinute(5)"
    reason = "took_back" if op == "CORRECT" and sign > 0 else ""
    return (
        f"SELECT concat('e', toString(n), '-{revision}'), '1022', if(n % 2, 'H53.20', 'H53.21'),"
        f" concat('PA-', leftPad(toString(n), 4, '0')), {revision}, '{op}', {happened}, {happened}, '25456', '2022',"
        f" 'APP', if(n % 3, 'Môi trường', 'Giao thông'), 'NORMAL', {status}, {RECEIVED}, {DUE}, {resolved}, '{kind}',"
        f" {sign}, '{reason}', 'T', 0, 0, {offset}, {offset}, {offset}, {state}, 0, 0, {arrived}, {arrived}"
    )


def _first_states() -> str:
    """All as they first came: number 0 is still open then."""
    status = "if(n BETWEEN 1 AND 379, 'RESOLVED', 'IN_PROGRESS')"
    resolved = f"if(n BETWEEN 1 AND 379, {DUE} + toIntervalDay(if(n < 275, -1, 3)), NULL)"
    states = _state(status, resolved, 1, "UPSERT", "applied", 1, "n", "n")
    return f"{states} FROM (SELECT number AS n FROM numbers(493))"


def _taken_back() -> str:
    old = _state("'IN_PROGRESS'", "NULL", 2, "CORRECT", "retracted", -1, "493", "0")
    return f"{old} FROM (SELECT 0 AS n)"


def _corrected() -> str:
    """Number 0 was resolved on time, it turns out."""
    new = _state("'RESOLVED'", f"{DUE} - toIntervalDay(1)", 2, "CORRECT", "applied", 1, "493", "493")
    return f"{new} FROM (SELECT 0 AS n)"
