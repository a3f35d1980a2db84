"""Reads have an ETag, and who has the answer already is told so."""

from __future__ import annotations

import httpx2
import pytest

from tests.registry_instance import record


def test_a_schema_that_a_client_has_is_not_sent_again(http: httpx2.Client, subject: str) -> None:
    schema_id = http.post(f"/subjects/{subject}/versions", json={"schema": record("a")}).json()["id"]
    path = f"/schemas/ids/{schema_id}"
    first = http.get(path)
    tag = first.headers["etag"]
    again = http.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert http.get(path, headers={"If-None-Match": f'"x", {tag}'}).status_code == 304
    assert http.get(path, headers={"If-None-Match": '"x"'}).json() == first.json()
    assert http.head(path).headers["etag"] == tag
    assert http.get(f"{path}?deleted=true").headers["etag"] == tag


@pytest.mark.parametrize("path", ["/subjects/{}/versions", "/subjects/{}/versions/latest", "/subjects", "/config"])
def test_the_etag_of_an_answer_changes_with_it(http: httpx2.Client, subject: str, path: str) -> None:
    http.put("/config", json={"compatibility": "FULL"})
    http.post(f"/subjects/{subject}/versions", json={"schema": record("a")})
    before = http.get(path.format(subject)).headers["etag"]
    assert http.get(path.format(subject), headers={"If-None-Match": before}).status_code == 304
    http.put("/config", json={"compatibility": "BACKWARD"})
    http.post(f"/subjects/{subject}/versions", json={"schema": record("a", "b")})
    http.post(f"/subjects/{subject}-more/versions", json={"schema": record("a")})
    after = http.get(path.format(subject), headers={"If-None-Match": before})
    assert (after.status_code, after.headers["etag"] != before) == (200, True)


@pytest.mark.parametrize("given", ["0", "-1", "999999", "00", "abc", "٣", "1.0", "9" * 30, ""])
def test_the_short_way_answers_as_the_general_one(http: httpx2.Client, given: str) -> None:
    short, general = http.get(f"/schemas/ids/{given}"), http.get(f"/schemas/ids/{given}?x=1")
    assert (short.status_code, short.content) == (general.status_code, general.content)
