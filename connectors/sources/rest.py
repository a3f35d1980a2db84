"""Source kind `rest`: a paged REST feed of changes, read by a time cursor that includes its start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import httpx2
import orjson
import stamina

from connectors.clock import Clock, epoch_ms, utc_now
from connectors.errors import SourceRefusedError, SourceUnavailableError, Text
from connectors.manifest import Manifest
from connectors.oauth import ClientCredentials, refused_login
from connectors.rest_config import Config
from connectors.secrets import SecretResolver
from connectors.source import Cursor, Page, Report

TIMEOUT_S = 30.0
"""Longest wait for one answer; a page of 5,000 records takes well under a second."""
PAGE_BYTES = 67_108_864
"""Largest answer taken into memory."""
FUTURE_TOLERANCE = timedelta(minutes=2)
"""A change time further ahead than this does not move the cursor, or one wrong clock would hide what follows."""
BACK_OFF_FIRST_S, BACK_OFF_MOST_S, BACK_OFF_JITTER_S = 0.25, 30.0, 0.5
"""Waits between attempts double from the first to the most; jitter keeps connectors from knocking together."""
RETRY_AFTER_MOST_S = 600.0
"""A source may not send us to sleep for longer."""


class _PageTokenLostError(SourceRefusedError):
    """The source forgot a page token, as after its restart: the walk begins again from the last position."""


class RestSource:
    """See `Source`. One connection, one read at a time."""

    def __init__(self, config: Config, secrets: SecretResolver, report: Report, now: Clock = utc_now) -> None:
        self._config = config
        base = secrets.resolve(config.base_url)
        self._url = urljoin(base, config.path)
        self._report = report
        self._now = now
        self._auth: ClientCredentials | None = None
        if config.auth is not None:
            self._auth = ClientCredentials(
                urljoin(base, config.auth.token_path),
                secrets.resolve(config.auth.client_id),
                secrets.resolve(config.auth.client_secret),
                asyncio.get_running_loop().time,
            )
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
        self._seen: dict[Any, datetime] = {}
        self._stored: Cursor | None = None

    @property
    def poll_interval_s(self) -> float:
        return self._config.poll_interval_s

    async def close(self) -> None:
        await self._client.aclose()

    async def read(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """See `Source.read`. The next page is asked for while the caller works on the current one."""
        if cursor != self._stored:
            self._seen = {}
        newest = _since(cursor) or self._config.cursor.start
        begin = newest - timedelta(seconds=self._config.cursor.lookback_s if cursor else 0)
        answer = await self._fetch(begin, None)
        while True:
            token = self._next_token(answer)
            ahead = asyncio.create_task(self._fetch(begin, token)) if token else None
            try:
                fresh, given, newest = self._unseen(self._records(answer), newest)
                after = {"since": newest.isoformat()}
                yield Page(fresh, after, _newest_ms(given))
                self._remember(given, newest)
                self._stored = after
                if ahead is None:
                    return
                try:
                    answer = await ahead
                except _PageTokenLostError:
                    if not fresh:
                        raise
                    begin = newest - timedelta(seconds=self._config.cursor.lookback_s)
                    answer = await self._fetch(begin, None)
            finally:
                if ahead is not None:
                    ahead.cancel()
                    await asyncio.gather(ahead, return_exceptions=True)

    def _unseen(self, raw: list[Any], newest: datetime) -> tuple[list[Any], dict[Any, datetime], datetime]:
        """The records not given before, their ids with change times, and the newest change time up to now."""
        config, seen = self._config.cursor, self._seen
        fresh: list[Any] = []
        given: dict[Any, datetime] = {}
        for record in raw:
            identity = _identity(record, config.id)
            if identity is None:
                fresh.append(record)
            elif identity not in seen and identity not in given:
                fresh.append(record)
                given[identity] = _moment(record, config.field) or newest
        return fresh, given, max(newest, self._advance(given) or newest)

    def _advance(self, given: dict[Any, datetime]) -> datetime | None:
        """The newest change time, never ahead of our clock; a lone time far ahead does not count at all."""
        if not given:
            return None
        now = self._now()
        newest = max(given.values())
        if newest > now + FUTURE_TOLERANCE:
            newest = max((at for at in given.values() if at <= now + FUTURE_TOLERANCE), default=now)
        return min(newest, now)

    def _remember(self, given: dict[Any, datetime], newest: datetime) -> None:
        """Add what is stored now; forget what the next read cannot give again."""
        floor = newest - timedelta(seconds=self._config.cursor.lookback_s)
        kept = {key: at for key, at in self._seen.items() if at >= floor}
        kept.update((key, at) for key, at in given.items() if at >= floor)
        self._seen = kept

    def _records(self, answer: dict[str, Any]) -> list[Any]:
        found = _at(answer, self._config.records)
        if not isinstance(found, list):
            raise SourceRefusedError(
                Text(
                    f"Trả lời của nguồn không có danh sách «{self._config.records}»",
                    f"The source's answer has no list “{self._config.records}”",
                )
            )
        return found

    def _next_token(self, answer: dict[str, Any]) -> str | None:
        token = _at(answer, self._config.paging.next)
        return str(token) if token else None

    async def _fetch(self, begin: datetime, token: str | None) -> dict[str, Any]:
        """One page; retriable faults are reported and asked again for ever, with jittered back-off."""
        params: dict[str, str] = {
            self._config.cursor.param: begin.isoformat(),
            self._config.page_size.param: str(self._config.page_size.value),
        }
        if token is not None:
            params[self._config.paging.param] = token
        async for attempt in stamina.retry_context(
            on=self._patience,
            attempts=None,
            timeout=None,
            wait_initial=BACK_OFF_FIRST_S,
            wait_max=BACK_OFF_MOST_S,
            wait_jitter=BACK_OFF_JITTER_S,
        ):
            with attempt:
                return await self._answer(params)
        raise AssertionError("unreachable")

    def _patience(self, error: Exception) -> bool | float:
        """Whether to ask again, or after how many seconds."""
        if not isinstance(error, SourceUnavailableError):
            return False
        self._report(error)
        return True if error.retry_after_s is None else min(error.retry_after_s, RETRY_AFTER_MOST_S)

    async def _answer(self, params: dict[str, str]) -> dict[str, Any]:
        try:
            status, headers, body = await self._ask(params)
        except httpx2.TransportError as error:
            raise SourceUnavailableError(
                Text(
                    f"Không kết nối được tới nguồn ({type(error).__name__})",
                    f"The source cannot be reached ({type(error).__name__})",
                )
            ) from error
        if status in {400, 404, 410} and self._config.paging.param in params:
            raise _PageTokenLostError(
                Text(f"Nguồn không nhận mã trang nữa ({status})", f"The source has forgotten its page token ({status})")
            )
        _raise_for(status, headers)
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise SourceUnavailableError(
                Text("Trả lời của nguồn không phải JSON", "The source's answer is not JSON")
            ) from error
        if not isinstance(answer, dict):
            raise SourceRefusedError(
                Text("Trả lời của nguồn không phải đối tượng JSON", "The source's answer is no JSON object")
            )
        return answer

    async def _ask(self, params: dict[str, str]) -> tuple[int, httpx2.Headers, bytes]:
        """One request; an expired token is renewed once."""
        if self._auth is None:
            return await self._get(params, None)
        for _ in range(2):
            token = await self._auth.token(self._client)
            status, headers, body = await self._get(params, token)
            if status != 401:
                return status, headers, body
            self._auth.forget(token)
        raise refused_login(401)

    async def _get(self, params: dict[str, str], token: str | None) -> tuple[int, httpx2.Headers, bytes]:
        asked = {"Accept": "application/json"}
        if token is not None:
            asked["Authorization"] = f"Bearer {token}"
        async with self._client.stream("GET", self._url, params=params, headers=asked) as response:
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > PAGE_BYTES:
                    raise SourceRefusedError(
                        Text(
                            f"Trang của nguồn lớn hơn {PAGE_BYTES} byte; giảm page_size",
                            f"A page of the source is larger than {PAGE_BYTES} bytes; lower page_size",
                        )
                    )
                chunks.append(chunk)
            return response.status_code, response.headers, b"".join(chunks)


def open_source(manifest: Manifest, secrets: SecretResolver, report: Report) -> RestSource:
    """The source of a manifest of this kind; NotConfiguredError if a reference has no value."""
    return RestSource(manifest.source, secrets, report)


def _raise_for(status: int, headers: httpx2.Headers) -> None:
    if status == 200:
        return
    if status in {401, 403}:
        raise refused_login(status)
    if status == 429 or status >= 500 or status == 408:
        raise SourceUnavailableError(
            Text(f"Nguồn trả lời {status}; sẽ thử lại", f"The source answered {status}; it will be asked again"),
            retry_after_s(headers.get("Retry-After")),
        )
    raise SourceRefusedError(
        Text(
            f"Nguồn trả lời {status}; kiểm tra địa chỉ và tham số trong khai báo",
            f"The source answered {status}; check path and parameters in the manifest",
        )
    )


def retry_after_s(value: str | None, now: Clock = utc_now) -> float | None:
    """`Retry-After` in seconds or as an HTTP date; None if absent or unreadable."""
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - now()).total_seconds())
    return None


def _since(cursor: Cursor | None) -> datetime | None:
    return None if cursor is None else datetime.fromisoformat(cursor["since"])


def _moment(record: Any, field: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(record[field])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None


def _identity(record: Any, field: str) -> Any:
    identity = record.get(field) if isinstance(record, dict) else None
    return identity if isinstance(identity, str | int) else None


def _at(answer: Any, path: str) -> Any:
    for part in path.split("."):
        answer = answer.get(part) if isinstance(answer, dict) else None
    return answer


def _newest_ms(given: dict[Any, datetime]) -> int | None:
    return epoch_ms(max(given.values())) if given else None
