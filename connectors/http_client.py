"""Asking other people's HTTP servers: address checked and pinned, redirects rechecked, size and time capped.

httpx2's home among the connectors: its errors become SourceUnavailableError and SourceRefusedError here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

import httpx2

from connectors.clock import Clock, utc_now
from connectors.errors import SourceRefusedError, SourceUnavailableError, Text
from connectors.hosts import Hosts, RateLimit

TIMEOUT_S = 30.0
"""Longest wait for a connection or for the next part of an answer."""
ANSWER_S = 120.0
"""Longest time one answer may take as a whole, however steadily it drips."""
ANSWER_BYTES = 67_108_864
"""Largest answer taken into memory."""
REDIRECTS = 3
REDIRECT_STATUSES = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (case does not matter) and whole body; `url` is where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


@lru_cache
def _tls_context() -> ssl.SSLContext:
    """One for all connectors of the process: each costs a tenth of a second and a megabyte."""
    return httpx2.create_ssl_context(trust_env=False)


class HttpClient:
    """One connector's client. `per_s`: most requests a second to any host, shared with others who read it."""

    def __init__(self, hosts: Hosts, per_s: float | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._hosts = hosts
        self._per_s = per_s
        self._client = httpx2.AsyncClient(
            timeout=timeout_s, follow_redirects=False, trust_env=False, verify=_tls_context()
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str]) -> Answer:
        """GET, following at most REDIRECTS redirects. A redirect to another origin loses what `headers` say of us."""
        for _ in range(REDIRECTS + 1):
            answer = await self._ask("GET", url, params=params, headers=headers)
            if answer.status not in REDIRECT_STATUSES or "location" not in answer.headers:
                return answer
            target = urljoin(url, answer.headers["location"])
            if _origin(target) != _origin(url):
                headers = {"Accept": headers.get("Accept", "*/*")}
            url, params = target, None
        raise SourceRefusedError(
            Text(
                f"Nguồn chuyển hướng quá {REDIRECTS} lần; hãy khai địa chỉ cuối cùng",
                f"The source redirects more than {REDIRECTS} times; declare the final address",
            )
        )

    async def post_form(self, url: str, form: Mapping[str, str]) -> Answer:
        """POST a form; a redirect is not followed."""
        return await self._ask("POST", url, data=form)

    async def reach(self, url: str) -> str:
        """The checked address of the URL's host; see `Hosts.address`."""
        parsed = _parsed(url)
        return await self._hosts.address(parsed.host, _port(parsed))

    async def _ask(self, method: str, url: str, **what: Any) -> Answer:
        parsed = _parsed(url)
        address = await self._hosts.address(parsed.host, _port(parsed))
        limit: RateLimit = self._hosts.limit(parsed.host, self._per_s)
        await limit.wait()
        headers = {**(what.pop("headers", None) or {}), "Host": parsed.netloc.decode("ascii")}
        request = self._client.build_request(
            method,
            parsed.copy_with(host=address),
            headers=headers,
            extensions={"sni_hostname": parsed.host, "timeout": self._client.timeout.as_dict()},
            **{key: value for key, value in what.items() if value is not None},
        )
        try:
            async with asyncio.timeout(ANSWER_S):
                response = await self._client.send(request, stream=True)
                try:
                    return Answer(response.status_code, response.headers, await _body(response), url)
                finally:
                    await response.aclose()
        except (httpx2.TransportError, TimeoutError) as error:
            raise SourceUnavailableError(
                Text(
                    f"Không kết nối được tới nguồn ({type(error).__name__})",
                    f"The source cannot be reached ({type(error).__name__})",
                )
            ) from error
        except httpx2.DecodingError as error:
            raise SourceUnavailableError(
                Text("Trả lời của nguồn bị hỏng khi giải nén", "The source's answer cannot be decompressed")
            ) from error


async def _body(response: httpx2.Response) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > ANSWER_BYTES:
            raise SourceRefusedError(
                Text(
                    f"Trang của nguồn lớn hơn {ANSWER_BYTES} byte; giảm page_size",
                    f"A page of the source is larger than {ANSWER_BYTES} bytes; lower page_size",
                )
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _parsed(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise _bad_url() from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise _bad_url()
    return parsed


def _bad_url() -> SourceRefusedError:
    return SourceRefusedError(
        Text(
            "Địa chỉ của nguồn sai: cần http:// hoặc https:// và tên máy chủ",
            "The source's address is wrong: http:// or https:// and a host are needed",
        )
    )


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _origin(url: str) -> tuple[str, str, int]:
    parsed = _parsed(url)
    return parsed.scheme, parsed.host, _port(parsed)


def retry_after_s(value: str | None, now: Clock = utc_now) -> float | None:
    """`Retry-After` in seconds or as an HTTP date; None if absent or unreadable."""
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - now()).total_seconds())
    return None
