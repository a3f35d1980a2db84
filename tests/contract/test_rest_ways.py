"""REST feeds as systems offer them: ways of signing in, of paging, of saying that nothing changed."""

from __future__ import annotations

import asyncio
import base64
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.errors import CredentialsError, SourceRefusedError
from connectors.manifest import load_manifest
from connectors.rest_paging import next_link
from connectors.runtime import open_source
from connectors.secrets import SecretResolver
from connectors.source import Cursor, Surroundings
from tests.conformance import MAPPING, note
from tests.portal_server import LOOPBACK, serve

Answer = Callable[[Request], Response]


@dataclass
class Feed:
    """A server that answers as it is told, and what it was asked."""

    answer: Answer
    asked: list[tuple[dict[str, str], dict[str, str]]] = field(default_factory=list)
    url: str = ""


@contextmanager
def feed(answer: Answer) -> Iterator[Feed]:
    running = Feed(answer)

    async def handle(request: Request) -> Response:
        running.asked.append((dict(request.query_params), dict(request.headers)))
        return running.answer(request)

    with serve(Starlette(routes=[Route("/{path:path}", handle)])) as url:
        running.url = url
        yield running


def json(value: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), headers=headers, media_type="application/json")


class Opened:
    def __init__(self, folder: Path, url: str, source: str, environ: dict[str, str] | None = None) -> None:
        file = folder / "m.yaml"
        block = f"base_url: {url}\npath: /ds\npoll_interval_s: 1\n" + textwrap.dedent(source).strip()
        file.write_text(
            "id: m\nkind: rest\nentity: note\nsource_system: test\nname: {vi: A, en: A}\n"
            "owner: {department: A, contact: B, org: H53}\nsla: {cadence_s: 60}\n"
            f"source:\n{textwrap.indent(block, '  ')}\nmapping:\n{textwrap.indent(MAPPING.strip(), '  ')}\n"
        )
        around = Surroundings(SecretResolver(environ or {}), hosts=LOOPBACK)
        self.source = open_source(load_manifest(file), around)

    async def ids(self, cursor: Cursor | None = None) -> tuple[list[Any], Cursor]:
        found: list[Any] = []
        async with aclosing(self.source.read(cursor)) as pages:  # type: ignore[type-var]
            async for page in pages:
                found += [record["id"] for record in page.records]
                cursor = page.cursor_after
        return found, cursor or {}


NOTES = [note(number) for number in range(25)]
IDS = [each["id"] for each in NOTES]
SINCE = 'cursor: {field: at, id: id, param: tu, start: "2022-01-01T00:00:00+07:00"}'


def since(request: Request) -> list[dict[str, Any]]:
    text = request.query_params.get("tu")
    begin = datetime.fromisoformat(text) if text else None
    return [each for each in NOTES if begin is None or datetime.fromisoformat(each["at"]) >= begin]


def by_page(request: Request) -> Response:
    start = (int(request.query_params["trang"]) - 1) * 10
    return json(since(request)[start : start + 10])


def by_offset(request: Request) -> Response:
    start = int(request.query_params["bo_qua"])
    return json(since(request)[start : start + 4])  # fewer than were asked for


def by_last_id(request: Request) -> Response:
    after = request.query_params.get("sau", "")
    return json([each for each in NOTES if each["id"] > after][:10])


def by_link(request: Request) -> Response:
    start = int(request.query_params.get("s", "0"))
    more = {"Link": f'</ds?s={start + 10}>; rel="next", </ds?s=0>; rel=first'} if start + 10 < len(NOTES) else {}
    return json(NOTES[start : start + 10], more)


def by_token(request: Request) -> Response:
    start = int(request.query_params.get("ma", "0"))
    return json({"d": NOTES[start : start + 10], "tiep": start + 10 if start + 10 < len(NOTES) else None})


WAYS = {
    "page": ("paging: {type: page, param: trang}\npage_size: {param: n, value: 10}", by_page),
    "page and time": ("paging: {type: page, param: trang}\n" + SINCE, by_page),
    "offset": ("paging: {type: offset, param: bo_qua}\npage_size: {param: n, value: 10}", by_offset),
    "offset and time": ("paging: {type: offset, param: bo_qua}\n" + SINCE, by_offset),
    "cursor": ("paging: {type: cursor, param: sau, field: id}", by_last_id),
    "link": ("paging: {type: link_header}", by_link),
    "token": ("records: d\npaging: {type: token, param: ma, next: tiep}", by_token),
    "none": ("paging: {type: none}", lambda request: json(NOTES)),
}


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_every_way_of_paging_gives_every_record_once(way: str, tmp_path: Path) -> None:
    source, answer = WAYS[way]
    with feed(answer) as server:
        opened = Opened(tmp_path, server.url, source)
        found, cursor = await opened.ids()
        assert found == IDS
        assert (await opened.ids(cursor))[0] == []
        await opened.source.close()


async def test_a_feed_that_is_not_sorted_moves_its_position_at_the_end_only(tmp_path: Path) -> None:
    turned = NOTES[::-1]

    def answer(request: Request) -> Response:
        begin = datetime.fromisoformat(request.query_params["tu"])
        start = (int(request.query_params["trang"]) - 1) * 10
        return json([each for each in turned if datetime.fromisoformat(each["at"]) >= begin][start : start + 10])

    with feed(answer) as server:
        opened = Opened(
            tmp_path, server.url, "paging: {type: page, param: trang}\n" + SINCE.replace("}", ", sorted: false}")
        )
        positions = []
        async with aclosing(opened.source.read(None)) as pages:  # type: ignore[type-var]
            async for page in pages:
                positions.append(page.cursor_after["since"])
        assert positions[0] == "2022-01-01T00:00:00+07:00" and positions[-1] == NOTES[-1]["at"]
        await opened.source.close()


async def test_records_are_gathered_from_nested_lists_with_what_encloses_them(tmp_path: Path) -> None:
    tree = {"don_vi": [{"ma": "A", "muc": [{"id": 1}, {"id": 2, "ma": "own"}]}, {"ma": "B", "muc": [{"id": 3}]}]}
    with feed(lambda request: json(tree)) as server:
        opened = Opened(tmp_path, server.url, "records: don_vi[].muc\nkeep: [ma]\npaging: {type: none}")
        preview = await opened.source.preview(10)
        assert preview.records == [{"ma": "A", "id": 1}, {"ma": "own", "id": 2}, {"ma": "B", "id": 3}]
        await opened.source.close()


@pytest.mark.parametrize(
    ("auth", "signed"),
    [
        ("{type: api_key, value: '${env:IOC_K}'}", lambda asked: asked[1].get("x-api-key") == "k1"),
        (
            "{type: api_key, name: Authorization, prefix: 'Bearer ', value: '${env:IOC_K}'}",
            lambda asked: asked[1].get("authorization") == "Bearer k1",
        ),
        (
            "{type: api_key, where: query, name: khoa, value: '${env:IOC_K}'}",
            lambda asked: asked[0].get("khoa") == "k1",
        ),
        (
            "{type: basic, username: '${env:IOC_U}', password: '${env:IOC_K}'}",
            lambda asked: asked[1].get("authorization") == "Basic " + base64.b64encode("sở:k1".encode()).decode(),
        ),
    ],
)
async def test_keys_and_logins_are_sent_as_declared(auth: str, signed: Callable[[Any], bool], tmp_path: Path) -> None:
    with feed(lambda request: json(NOTES)) as server:
        opened = Opened(tmp_path, server.url, f"paging: {{type: none}}\nauth: {auth}", {"IOC_K": "k1", "IOC_U": "sở"})
        await opened.ids()
        assert signed(server.asked[-1])
        server.answer = lambda request: Response(b"{}", 403)
        with pytest.raises(CredentialsError) as caught:
            await opened.ids()
        assert "k1" not in repr(caught.value)
        await opened.source.close()


async def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == '"v1"':
            return Response(status_code=304)
        return json(NOTES, {"ETag": '"v1"'})

    with feed(answer) as server:
        opened = Opened(tmp_path, server.url, "paging: {type: none}")
        found, cursor = await opened.ids()
        assert (found, cursor) == (IDS, {"etag": '"v1"'})
        assert (await opened.ids(cursor))[0] == []
        await opened.source.close()
        again = Opened(tmp_path, server.url, "paging: {type: none}")
        assert (await again.ids(cursor))[0] == []  # a new process knows it too
        assert server.asked[-1][1]["if-none-match"] == '"v1"'
        await again.source.close()


async def test_a_redirect_to_another_server_takes_no_key_along(tmp_path: Path) -> None:
    key = "paging: {type: none}\nauth: {type: api_key, value: '${env:IOC_K}'}"
    with feed(lambda request: json(NOTES)) as other, feed(lambda request: Response()) as server:
        server.answer = lambda request: Response(status_code=307, headers={"Location": f"{other.url}/x"})
        opened = Opened(tmp_path, server.url, key, {"IOC_K": "k1"})
        assert (await opened.ids())[0] == IDS
        assert "x-api-key" in server.asked[0][1] and "x-api-key" not in other.asked[0][1]
        server.answer = lambda request: Response(status_code=302, headers={"Location": "/ds"})
        with pytest.raises(SourceRefusedError, match="redirects more than"):
            await opened.ids()
        await opened.source.close()


async def test_a_host_is_asked_no_faster_than_declared(tmp_path: Path) -> None:
    with feed(by_token) as server:
        opened = Opened(
            tmp_path, server.url, "records: d\npaging: {type: token, param: ma, next: tiep}\nmax_requests_per_s: 10"
        )
        begun = time.monotonic()
        await opened.ids()
        assert time.monotonic() - begun >= 0.2
        await opened.source.close()


async def test_times_are_asked_for_in_the_sources_form(tmp_path: Path) -> None:
    at = datetime.fromisoformat("2022-08-23T08:00:00+07:00")
    records = [{"id": n, "at": (at + timedelta(hours=n)).strftime("%d/%m/%Y %H:%M:%S")} for n in range(3)]
    with feed(lambda request: json(records)) as server:
        opened = Opened(
            tmp_path,
            server.url,
            'paging: {type: none}\ncursor: {field: at, id: id, param: tu, start: "2022-01-01T00:00:00+07:00", '
            'format: "%d/%m/%Y %H:%M:%S"}',
        )
        _, cursor = await opened.ids()
        assert cursor == {"since": "2022-08-23T10:00:00+07:00"}
        await opened.ids(cursor)
        assert [asked["tu"] for asked, _ in server.asked] == ["01/01/2022 00:00:00", "23/08/2022 10:00:00"]
        await opened.source.close()


async def test_an_endless_answer_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.http_client.ANSWER_BYTES", 10_000)
    with feed(lambda request: json(NOTES * 100)) as server:
        opened = Opened(tmp_path, server.url, "paging: {type: none}")
        with pytest.raises(SourceRefusedError, match="larger than"):
            await asyncio.wait_for(opened.ids(), 10)
        await opened.source.close()


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("", None),
        ('<https://a/b?c=1>; rel="next"', "https://a/b?c=1"),
        ('<a>; rel="prev", <b>; title="x"; rel=next', "b"),
        ('<a>; rel="last next"', "a"),
        ("<a>; rel=last", None),
    ],
)
def test_the_next_link_is_found_in_the_header(header: str, target: str | None) -> None:
    assert next_link(header) == target
