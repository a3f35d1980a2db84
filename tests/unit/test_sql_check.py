"""People's SQL: what reads the offered tables runs, rewritten; whatever else it may hold is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sql.allowed import FUNCTION_NAMES, TYPES
from hub.sql.check import check
from hub.sql.errors import SqlRefusedError

OFFERED = {
    "dossier": "SELECT entity_key, org_code, status, fee, received_at FROM dossier_current FINAL WHERE deleted = 0",
    "ledger": "SELECT `entity`, `applied` FROM ledger",
}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT org_code, count() AS n, sumIf(fee, status = 9) FROM dossier GROUP BY org_code HAVING n > 3 ORDER BY n DESC",  # noqa: E501
        "SELECT toStartOfMonth(received_at, 'Asia/Ho_Chi_Minh') m, quantile(0.9)(fee), uniqExact(entity_key) FROM dossier GROUP BY m",  # noqa: E501
        "WITH x AS (SELECT status, count() c FROM dossier GROUP BY status) SELECT * FROM x WHERE c > {least:UInt32}",
        "SELECT d.org_code, l.applied FROM dossier d INNER JOIN ledger l ON l.entity = d.org_code LIMIT 5",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT max(fee) OVER (PARTITION BY org_code ORDER BY received_at) FROM dossier",
        "SELECT if(status = 9, 'xong', 'chưa'), dateDiff('day', received_at, now()), fee::Int64 FROM dossier WHERE received_at > today() - INTERVAL 7 DAY",  # noqa: E501
        "SELECT countIf(status IN (9, 10)) / count() FROM dossier WHERE org_code LIKE 'H53%' OR org_code = {org:String}",  # noqa: E501
        "SELECT topK(3)(org_code), arrayMap(x -> x + 1, groupArray(status)) FROM dossier",
    ],
)
def test_a_question_over_the_offered_tables_is_allowed(sql: str) -> None:
    checked = check(sql, OFFERED, 100)
    assert "FORMAT" not in checked.sql and "SETTINGS" not in checked.sql
    again = check(sql, OFFERED, 100)
    assert again == checked


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT * FROM file('/etc/passwd')", "file"),
        ("SELECT * FROM url('http://x')", "url"),
        ("SELECT * FROM merge('default', '.*')", "merge"),
        ("SELECT * FROM numbers(10)", "numbers"),
        ("SELECT * FROM system.processes", "system.processes"),
        ("SELECT * FROM default.dossier_current", "dossier_current"),
        ("SELECT * FROM dossier_current", "dossier_current"),
        ("SELECT * FROM quarantine", "quarantine"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "INTO OUTFILE"),
        ("SELECT 1 FORMAT CSV", "FORMAT"),
        ("SELECT 1 SETTINGS readonly = 0", "SETTINGS"),
        ("INSERT INTO dossier VALUES (1)", "reading only"),
        ("DROP TABLE dossier", "reading only"),
        ("EXPLAIN SELECT 1", "reading only"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("", "one SELECT"),
        ("SELECT joinGet('dossier_fence', 'epoch', 1)", "joinGet"),
        ("SELECT dictGet('a', 'b', 1)", "dictGet"),
        ("SELECT getSetting('max_threads')", "getSetting"),
        ("SELECT hostName()", "hostName"),
        ("SELECT currentUser()", "currentUser"),
        ("SELECT 1 IN quarantine", "IN takes a list"),
        ("SELECT in(1, quarantine)", ""),
        ("SELECT sleep(3)", "sleep"),
        ("SELECT throwIf(1)", "throwIf"),
        ("SELECT * FROM (SELECT * FROM file('x'))", "file"),
        ("SELECT (SELECT count() FROM system.tables)", "system.tables"),
        ("SELECT 1 WHERE 1 IN (SELECT 1 FROM remote('x', 'y'))", "remote"),
        ("WITH dossier AS (SELECT 1) SELECT * FROM dossier", "a table has this name"),
        ("SELECT {x:Array(String)}", "write {name:Type}"),
        ("SELECT {x:Int32}, {x:String}", "two types"),
        ("SELECT 1 LIMIT {n:UInt8}", "LIMIT takes a number"),
        ("SELECT * FROM dossier FINAL", "Final"),
        ("SELECT " + "1 + " * 3000 + "1", "more than"),
        ("SELECT '" + "x" * 30000 + "'", "longer than"),
    ],
)
def test_what_is_not_understood_or_reaches_further_is_refused_by_name(sql: str, named: str) -> None:
    with pytest.raises(SqlRefusedError) as caught:
        check(sql, OFFERED, 100)
    assert named in str(caught.value) and caught.value.vi


def test_every_function_of_the_list_is_really_allowed() -> None:
    def understood(name: str) -> bool:
        for count in range(6):
            written = ", ".join(["fee", "'%Y'", "org_code", "fee", "status"][:count])
            for call in (f"{name}({written})", f"{name}(1)({written})"):
                try:
                    check(f"SELECT {call} FROM dossier", OFFERED, 1)
                except SqlRefusedError:
                    continue
                return True
        return False

    assert [name for name in FUNCTION_NAMES if not understood(name)] == []


def test_every_type_of_parameter_is_taken() -> None:
    for kind in sorted(TYPES):
        [parameter] = check(f"SELECT {{x:{kind}}}", OFFERED, 1).parameters
        assert parameter.type == kind


def test_one_row_more_than_the_limit_is_asked_for_and_a_smaller_limit_stays() -> None:
    assert check("SELECT * FROM dossier", OFFERED, 100).sql.endswith("LIMIT 101")
    assert check("SELECT * FROM dossier LIMIT 5", OFFERED, 100).sql.endswith("LIMIT 5")
    assert check("SELECT * FROM dossier LIMIT 5000", OFFERED, 100).sql.endswith("LIMIT 101")


_WORDS = st.sampled_from(
    ["SELECT", "*", "1", "FROM", "dossier", "file", "(", ")", "'x'", ",", "WHERE", "system.one", "url", "IN", "UNION ALL",  # noqa: E501
     "AS", "t", "FORMAT", "SETTINGS", "INTO", "OUTFILE", "WITH", "s3", "count", "LIMIT", "=", "{p:String}", "FINAL",
     "JOIN", "ON", "ORDER BY", "GROUP BY", "dictionary", "[", "]", "->", "::Int8", "remote", "ARRAY JOIN", "--", "/*"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=14).map(" ".join))
def test_whatever_is_let_through_reads_the_offered_tables_alone(sql: str) -> None:
    try:
        checked = check(sql, OFFERED, 10)
    except SqlRefusedError:
        return
    assert set(checked.tables) <= set(OFFERED)
    for word in ("file(", "url(", "s3(", "remote(", "dictionary(", "system.", "OUTFILE", "SETTINGS", "FORMAT "):
        assert word.lower() not in checked.sql.lower().replace("'x'", "")
