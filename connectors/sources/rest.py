"""Source kind `rest`: a REST feed, paged in one of six ways, read whole or by a time cursor that includes its start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

import orjson

from connectors.clock import Clock, epoch_ms
from connectors.errors import SourceRefusedError, SourceUnavailableError, Text
from connectors.http_client import Answer, HttpClient, retry_after_s
from connectors.manifest import Manifest
from connectors.paths import records_at
from connectors.patience import patiently
from connectors.rest_config import Config, LinkHeader, Offset, OnePage, PageNumber, TokenPaging
from connectors.rest_login import Login
from connectors.rest_memory import Given, Memory, Walk, advanced
from connectors.rest_paging import Turn, first_turn, next_turn
from connectors.rest_times import TimeForm
from connectors.source import Check, Cursor, Page, Preview, Step, Surroundings, run_checks

__all__ = ["Config", "RestSource", "open_source"]


class _PageTokenLostError(SourceRefusedError):
    """The source forgot a page token, as after its restart: the walk begins again from the last position."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    url: str
    headers: Any
    body: Any
    records: list[Any]


class RestSource:
    """See `Source`. One connection, one read at a time."""

    def __init__(self, config: Config, zone: ZoneInfo, around: Surroundings) -> None:
        self._config = config
        base = around.secrets.resolve(config.base_url)
        self._url = urljoin(base, config.path)
        self._report = around.report
        self._now: Clock = around.now
        self._login = Login(config.auth, base, around.secrets)
        self._client = HttpClient(around.hosts, config.max_requests_per_s)
        self._times = TimeForm(config.cursor.format if config.cursor else "iso", zone)
        self._memory = Memory(config.cursor, self._times)
        self._stored: Cursor | None = None
        self._validators: dict[str, str] = {}

    @property
    def poll_interval_s(self) -> float:
        return self._config.poll_interval_s

    async def close(self) -> None:
        await self._client.close()

    def check(self) -> AsyncIterator[Step]:
        """See `Source.check`: address, login, first page."""

        async def reach() -> Text:
            address = await self._client.reach(self._url)
            return Text(f"địa chỉ {address}", f"address {address}")

        async def sign_in() -> None:
            await self._login.sign_in(self._client)

        async def read() -> Text:
            count = len((await self._first_page()).records)
            return Text(f"trang đầu có {count} bản ghi", f"the first page has {count} records")

        return run_checks(
            Check("resolve", Text("Tìm máy chủ", "Find the host"), reach),
            Check("sign_in", Text("Đăng nhập", "Sign in"), sign_in),
            Check("read", Text("Đọc trang đầu", "Read the first page"), read),
        )

    async def preview(self, count: int) -> Preview:
        return Preview((await self._first_page()).records[:count])

    async def _first_page(self) -> _Fetched:
        begin = self._config.cursor.start if self._config.cursor else None
        fetched = await self._ask(begin, first_turn(self._config.paging), {})
        assert fetched is not None
        return fetched

    async def read(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """See `Source.read`. The next page is asked for while the caller works on the current one."""
        if cursor != self._stored:
            self._memory.forget()
            self._validators = {}
        walk = self._start(cursor)
        answer = await self._fetch(walk, self._conditions(cursor))
        alone = True
        while answer is not None:
            fresh, given, news = self._memory.unseen(walk, answer.records)
            following = self._after(walk, answer, given, news)
            ahead = asyncio.create_task(self._fetch(walk, {})) if following else None
            alone = alone and following is None
            try:
                after = self._position(walk, cursor, answer, done=following is None, alone=alone)
                repeats = len(answer.records) - len(fresh)
                yield Page(fresh, after, _newest_ms(given), outdated_ms=_ms(walk.outdated), repeats=repeats)
                self._memory.remember(walk, given, done=following is None)
                self._stored = after
                self._keep_validators(answer, alone)
                if ahead is None:
                    return
                try:
                    answer = await ahead
                except _PageTokenLostError:
                    if not fresh:
                        raise
                    walk = self._start(after)
                    answer = await self._fetch(walk, {})
            finally:
                if ahead is not None:
                    ahead.cancel()
                    await asyncio.gather(ahead, return_exceptions=True)

    def _start(self, cursor: Cursor | None) -> Walk:
        config = self._config.cursor
        if config is None:
            return Walk(None, first_turn(self._config.paging), None)
        newest = datetime.fromisoformat(cursor["since"]) if cursor else config.start
        begin = newest - timedelta(seconds=config.lookback_s if cursor else 0)
        asked = self._times.read(self._times.write(begin)) if cursor else None
        return Walk(begin, first_turn(self._config.paging), newest, asked=asked)

    def _after(self, walk: Walk, answer: _Fetched, given: Given, news: bool) -> Turn | None:
        """Move the walk on; None at its end.

        A counted page shifts when records before it move, so a sorted feed is walked by time instead: as long as
        time advances each request asks from the newest change on, and only ties are counted through.
        """
        paging, before = self._config.paging, walk.newest
        walk.newest = advanced(walk.newest, given, self._now())
        news = news or (walk.again and walk.turn == first_turn(paging) and bool(answer.records))
        following = next_turn(paging, walk.turn, answer.url, answer.headers, answer.body, answer.records, news)
        counted = isinstance(paging, PageNumber | Offset) and self._config.cursor and self._config.cursor.sorted
        if following is not None and counted and before and walk.newest and walk.newest > before:
            walk.begin, walk.again, following = walk.newest, True, first_turn(paging)
        if following is not None:
            walk.turn = following
        return following

    def _position(self, walk: Walk, before: Cursor | None, answer: _Fetched, *, done: bool, alone: bool) -> Cursor:
        if self._config.cursor is None:
            return _validators_of(answer) if done and alone else dict(before or {})
        if not self._config.cursor.sorted and not done:
            return dict(before) if before else {"since": self._config.cursor.start.isoformat()}
        assert walk.newest is not None
        return {"since": walk.newest.isoformat()}

    def _conditions(self, cursor: Cursor | None) -> dict[str, str]:
        """Validators of the last read, if that was one whole page of the same request."""
        if not self._config.conditional or not isinstance(self._config.paging, OnePage):
            return {}
        known = self._validators or (dict(cursor) if cursor and self._config.cursor is None else {})
        names = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}
        return {names[key]: value for key, value in known.items() if key in names}

    def _keep_validators(self, answer: _Fetched, alone: bool) -> None:
        self._validators = _validators_of(answer) if alone and self._config.cursor is None else {}

    async def _fetch(self, walk: Walk, conditions: dict[str, str]) -> _Fetched | None:
        """One page, None if it has not changed; retriable faults are reported and asked again for ever."""
        begin, turn = walk.begin, walk.turn
        return await patiently(lambda: self._ask(begin, turn, conditions), self._report)

    async def _ask(self, begin: datetime | None, turn: Turn, conditions: dict[str, str]) -> _Fetched | None:
        config = self._config
        params: dict[str, str] | None = None
        if turn.url is None:
            params = dict(config.params)
            if config.cursor is not None and begin is not None:
                params[config.cursor.param] = self._times.write(begin)
            if config.page_size is not None:
                params[config.page_size.param] = str(config.page_size.value)
            params.update(turn.params)
        headers = {"Accept": "application/json", **config.headers, **conditions}
        url = turn.url or self._url
        answer = await self._login.get(self._client, url, params or None, headers)
        if answer.status == 304 and conditions:
            return None
        forgetful = isinstance(config.paging, TokenPaging | LinkHeader) and (turn.params or turn.url)
        if answer.status in {400, 404, 410} and forgetful:
            raise _PageTokenLostError(
                Text(
                    f"Nguồn không nhận mã trang nữa ({answer.status})",
                    f"The source has forgotten its page token ({answer.status})",
                )
            )
        _raise_for(answer)
        return self._read(answer)

    def _read(self, answer: Answer) -> _Fetched:
        try:
            body = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise SourceUnavailableError(
                Text("Trả lời của nguồn không phải JSON", "The source's answer is not JSON")
            ) from error
        records = records_at(body, self._config.records, self._config.keep)
        if records is None:
            raise SourceRefusedError(
                Text(
                    f"Trả lời của nguồn không có danh sách «{self._config.records}»; sửa khóa source.records",
                    f"The source's answer has no list “{self._config.records}”; mend the key source.records",
                )
            )
        return _Fetched(answer.url, answer.headers, body, records)


def open_source(manifest: Manifest, around: Surroundings) -> RestSource:
    """The source of a manifest of this kind; NotConfiguredError if a reference has no value."""
    return RestSource(manifest.source, manifest.zone, around)


def _validators_of(answer: _Fetched) -> dict[str, str]:
    found = {"etag": answer.headers.get("etag"), "last_modified": answer.headers.get("last-modified")}
    return {key: value for key, value in found.items() if value}


def _raise_for(answer: Answer) -> None:
    if answer.status == 200:
        return
    status = answer.status
    if status == 429 or status >= 500 or status == 408:
        raise SourceUnavailableError(
            Text(f"Nguồn trả lời {status}; sẽ thử lại", f"The source answered {status}; it will be asked again"),
            retry_after_s(answer.headers.get("Retry-After")),
        )
    raise SourceRefusedError(
        Text(
            f"Nguồn trả lời {status}; kiểm tra địa chỉ và tham số trong khai báo",
            f"The source answered {status}; check path and parameters in the manifest",
        )
    )


def _newest_ms(given: Given) -> int | None:
    return _ms(max((at for at in given.values() if at is not None), default=None))


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else epoch_ms(moment)
