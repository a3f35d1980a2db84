"""Whatever is asked of `/v1`, by its own description and beside it: an answer, or a problem that names the fault.

Cases come from the OpenAPI document (right by it, and wrong by it); known names and what lies close to them are put
among them, so that they reach behind the first check. Every answer is held against the same document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from connectors.live_codes import LiveCodes
from hub.alerts.alert import Alert
from hub.alerts.book import AlertBook
from hub.alerts.desk import AlertDesk
from hub.alerts.rule_files import load_alert_rules
from hub.api.app import create_api
from hub.api.deps import ApiDeps
from hub.catalogue.registered import Versions
from hub.catalogue.service import Catalogue
from hub.codes_desk import CodesDesk
from hub.sql.desk import SqlDesk
from hub.sql.saved import SavedQueries
from tests.contract.api_world import KeysInMemory, RegistryInMemory, declarations
from tests.dossiers import dossier
from tests.told import Told, told
from tests.unit.alert_worlds import AGAINST, TopicInMemory

KEYS = ("key-of-admin", "key-of-operator", "key-of-department")
SHORT, LONG = 2, 150
"""Cases of an operation right by the description, and as many wrong by it."""

KPI = ("dossier.on_time_share", "dossier.received.csv", "dossier.overdue", "feedback.received.xlsx", "a.b", ".csv", "đ")
ENTITY = ("dossier", "feedback.json", "dossier.parquet", "violation", "dossier;DROP", "%00", "..")
FORM = ("csv", "xlsx", "parquet", "json", "md", "avsc", "json-schema", "pdf")
MOMENTS = (
    "2022-09-19T17:00:00+07:00",
    "2022-09-19T17:00:00 07:00",
    "2022-09-19",
    "9999-12-31T23:59:59Z",
    "0",
    "𝟐𝟎𝟐𝟐-01",
)
DAYS = ("2022-01-01", "2022-09-20", "2022-02-30", "0001-01-01", "9999-12-31", "٢٠٢٢-٠١-٠١", "-1", "")
SQL = (
    "SELECT count() FROM dossier_current",
    "SELECT {n:UInt8} + number AS n FROM dossier_current LIMIT 5",
    "SELECT * FROM dossier_current ORDER BY entity_key LIMIT 3",
    "SELECT throwIf(1)", "SELECT * FROM file('/etc/passwd')", "SELECT 1; SELECT 2", "INSERT INTO x SELECT 1",
    "SELECT org_code, 1 / 0, toDate('x') FROM dossier_current", "WITH RECURSIVE t AS (SELECT 1) SELECT * FROM t", "()",
)  # fmt: skip
KNOWN: dict[str, tuple[Any, ...]] = {
    "kpi_id": KPI,
    "entity": ENTITY,
    "form": FORM,
    "key": ("H53.14-220101-000003", "a/b/../c", "%2e%2e"),
    "alert": ("ours", "own", "silences", "rules"),
    "dataset": ("portal", "nothing"),
    "table": ("org", "env_limit", "admin_unit", "nothing"),
    "role": ("numerator", "denominator", "value", "less", "none"),
    "by": ("org_code", "commune", "district", "channel", "field", "day", "`"),
    "grain": ("day", "month", "year", "hour"),
    "compare": ("previous", "plan", "year", "never"),
    "sort": ("-received_at", "entity_key", "applicant", "-", "--entity_key"),
    "cursor": ("WyJhIl0", "bnVsbA", "e30", "=", "W10"),
    "from": DAYS,
    "to": DAYS,
    "on": DAYS,
    "since": MOMENTS,
    "as_known_at": MOMENTS,
    "query": SQL,
    "limit": (1, 7, 20, 50, 0, -1, 10**30, "1e3"),
    "base": (0, 1, -1),
    "file": ("a.csv", "a.xlsx", "a"),
    "days": (1, 400, 401),
    "excel": ("true", "false", "2"),
    "state": ("open", "gone"),
}
FILTERS = (
    "where[org_code]",
    "where[received_at][gte]",
    "where[level][in]",
    "where[applicant]",
    "where[",
    "where[x][y]",
)
VALUES = ("H53.14", "2022-01-01T00:00:00Z", "4", "", "'", "\x00", "9" * 40, "NaN", "%")


@dataclass
class Asked:
    """One question, as it goes over the wire; its answer's description."""

    client: httpx2.AsyncClient
    runner: asyncio.Runner
    document: dict[str, Any]

    def __call__(self, case: Any, drawn: Any) -> httpx2.Response:
        sent = _with_known_names(case, drawn).as_transport_kwargs(base_url="http://hub")
        kept = {
            name: sent[name] for name in ("method", "url", "params", "headers", "json") if sent.get(name) is not None
        }
        if sent.get("data") is not None:
            kept["content"] = sent["data"] if isinstance(sent["data"], bytes) else str(sent["data"]).encode()
        kept["headers"] = {name: str(value) for name, value in kept.get("headers", {}).items()}
        kept["headers"] |= {"Authorization": f"Bearer {drawn.draw(st.sampled_from(KEYS))}", "Accept-Language": "en"}
        try:
            return self.runner.run(self.client.request(**kept))
        except httpx2.InvalidURL:  # longer than the client sends
            reject()


def _with_known_names(case: Any, drawn: Any) -> Any:
    for part in (case.path_parameters, case.query, case.body):
        if not isinstance(part, dict):
            continue
        for name in list(part):
            if name in KNOWN and drawn.draw(st.integers(0, 4)):
                part[name] = drawn.draw(st.sampled_from(KNOWN[name]))
    if isinstance(case.query, dict) and "where[field]" in case.query:
        del case.query["where[field]"]
        case.query[drawn.draw(st.sampled_from(FILTERS))] = drawn.draw(st.sampled_from(VALUES))
    if isinstance(case.query, dict) and {"query", "saved"} <= set(case.query) and drawn.draw(st.integers(0, 4)):
        del case.query["saved"]  # one of them is asked for
    if isinstance(case.query, dict) and "param_name" in case.query:
        value = case.query.pop("param_name")
        if "{n:" in str(case.query.get("query")) or not drawn.draw(st.integers(0, 4)):
            case.query["param_n"] = value if drawn.draw(st.booleans()) else "7"
    return case


def _alerts(made: Told) -> AlertDesk:
    topic = TopicInMemory()
    for name, org in (("own", "H53.14"), ("ours", "")):
        one = Alert(
            name, "health.late", "portal", {"vi": "Dữ liệu trễ", "en": "Data are late"}, "ticket", "Sở Nội vụ",
            "đầu mối", org, made.now, facts={"state": "late"}, dataset="portal",
        )  # fmt: skip
        topic.values[f"alert/{name}"] = one.to_json()
    return AlertDesk(AlertBook(topic), load_alert_rules(AGAINST), lambda: made.now)


class OneThread:
    """The engine of this process; a statement of a person must say that it only reads."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def result(self, sql: str, parameters: dict[str, Any], settings: dict[str, Any]) -> Any:
        assert settings["readonly"] == 1
        return self._inner.result(sql, parameters, {"max_threads": 1})

    def command(self, sql: str, settings: Any = None) -> None:
        """Nothing is to be ended here."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    declared = declarations()
    with told() as made, asyncio.Runner() as runner:
        at = datetime(2022, 9, 18, 2, 0, tzinfo=UTC)
        made.feed([dossier(number, 1, 9, org_code=f"H53.{14 + number % 2}") for number in range(40)], at)
        reader, warehouse = made.service.reader, OneThread(made.core.warehouse)
        in_use = {"dossier": declared.contracts["dossier"]}
        catalogue = Catalogue(
            replace(declared, in_use=in_use), made.service, reader,
            Versions(RegistryInMemory(), lambda: made.now), lambda: declared.manifests,
        )  # fmt: skip
        codes: Any = TopicInMemory()
        orgs = [declared.codes["org"]]
        deps = ApiDeps(
            made.service,
            reader,
            KeysInMemory(),
            catalogue=catalogue,
            alerts=_alerts(made),
            requests_per_s=1e9,
            sql=SqlDesk(warehouse, warehouse, in_use, made.service.plans, orgs, made.service.served, lambda: made.now),
            saved=SavedQueries(tmp_path_factory.mktemp("saved") / "queries.json", lambda: made.now),
            codes=CodesDesk(LiveCodes(codes, declared.codes), declared, lambda: 1_800_000_000_000),
        )
        app = create_api(deps)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        yield Asked(httpx2.AsyncClient(transport=transport, base_url="http://hub"), runner, app.openapi())


def held_against(document: dict[str, Any], operation: dict[str, Any], answer: httpx2.Response) -> None:
    """What the document says that may be answered."""
    assert answer.status_code < 500, answer.text
    told_of = operation["responses"].get(str(answer.status_code))
    assert told_of is not None, f"{answer.status_code} is not described: {answer.text[:300]}"
    if "$ref" in told_of:
        told_of = document["components"]["responses"][told_of["$ref"].rpartition("/")[2]]
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    described = {kind.partition(";")[0] for kind in told_of.get("content", {})}
    assert not answer.content or media_type in described, f"{media_type} is not among {described}"
    assert "Traceback" not in answer.text if media_type.startswith("application/problem") else True
    if answer.status_code >= 400:
        problem = answer.json()
        assert document["components"]["schemas"]["Problem"]["required"] == [*problem][:6], problem
        assert problem["detail"] and problem["status"] == answer.status_code
        assert all(error["parameter"] is not None and error["detail"] for error in problem.get("errors", ())), problem


def ask_of(asked: Asked, operation: Any, mode: GenerationMode, examples: int) -> bool:
    """Whether one of the questions got an answer, not a refusal."""
    described, answered = asked.document["paths"][operation.path][operation.method], set()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode), drawn=st.data())
    def ask(case: Any, drawn: Any) -> None:
        answer = asked(case, drawn)
        held_against(asked.document, described, answer)
        answered.add(answer.status_code < 300)

    ask()
    return True in answered


def ask_often(asked: Asked, examples: int) -> set[str]:
    """The operations that gave an answer, not only refusals."""
    answered: set[str] = set()
    schema: Any = schemathesis.openapi.from_dict(asked.document)
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == "/v1/live":
            continue
        asks_nothing = not operation.definition.raw.get("parameters") and not operation.body
        for mode in [GenerationMode.POSITIVE] if asks_nothing else GenerationMode:
            if ask_of(asked, operation, mode, examples):
                answered.add(f"{operation.method} {operation.path}")
    return answered


def test_no_question_meets_a_fault_of_ours_or_an_answer_that_is_not_described(asked: Asked) -> None:
    ask_often(asked, SHORT)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_no_question_of_thousands_meets_a_fault_of_ours(asked: Asked) -> None:
    answered = ask_often(asked, LONG)
    described = {f"{method} {path}" for path, methods in asked.document["paths"].items() for method in methods}
    # What needs an id that is made anew each time, a whole table, a registry with versions, or a statement with just
    # its own parameters in an address, is answered in tests of its own.
    beyond = {
        "get /v1/live", "get /v1/quarantine/{entry_id}", "get /v1/sql/saved/{query_id}", "put /v1/codes/{table}",
        "delete /v1/sql/saved/{query_id}", "delete /v1/alerts/silences/{silence}", "get /v1/catalogue/{entity}/diff",
        "post /v1/codes/{table}/diff", "get /v1/sql", "get /v1/sql.{form}",
    }  # fmt: skip
    assert described - beyond <= answered, described - beyond - answered
