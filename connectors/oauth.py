"""OAuth2 client credentials: one token, kept until shortly before it expires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from connectors.errors import CredentialsError, SourceUnavailableError, Text
from connectors.http_client import HttpClient

EXPIRY_MARGIN = 0.1
"""Share of a token's life that is not used: clocks differ and requests take time."""
DEFAULT_LIFE_S = 300.0
"""Life of a token whose server does not say (RFC 6749 only recommends it)."""


@dataclass(slots=True)
class ClientCredentials:
    """Gets and keeps the token of one client. `monotonic` is a clock in seconds."""

    token_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    monotonic: Callable[[], float]
    scope: str | None = None
    _token: str | None = field(default=None, repr=False)
    _expires: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def token(self, client: HttpClient) -> str:
        """A token that is valid now; asks the server if there is none.

        CredentialsError if the login is refused, SourceUnavailableError if the server is away.
        """
        async with self._lock:
            if self._token is None or self.monotonic() >= self._expires:
                self._token, life_s = await self._ask(client)
                self._expires = self.monotonic() + life_s * (1 - EXPIRY_MARGIN)
            return self._token

    def forget(self, token: str) -> None:
        """The server refused `token`: do not use it again."""
        if self._token == token:
            self._token = None

    async def _ask(self, client: HttpClient) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        if self.scope is not None:
            form["scope"] = self.scope
        answer = await client.post_form(self.token_url, form)
        if answer.status in {400, 401, 403}:
            raise refused_login(answer.status)
        if answer.status != 200:
            raise SourceUnavailableError(
                Text(
                    f"Máy chủ cấp thẻ truy cập trả lời {answer.status}; sẽ thử lại",
                    f"The token server answered {answer.status}; it will be asked again",
                )
            )
        try:
            body = orjson.loads(answer.body)
            return str(body["access_token"]), float(body.get("expires_in", DEFAULT_LIFE_S))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceUnavailableError(
                Text("Máy chủ cấp thẻ truy cập trả lời sai dạng", "The token server's answer has no access_token")
            ) from error


def refused_login(status: int) -> CredentialsError:
    return CredentialsError(
        Text(
            f"Nguồn từ chối đăng nhập ({status}); kiểm tra client_id và client_secret (hoặc khóa, mật khẩu) "
            "với đơn vị quản lý hệ thống",
            f"The source refuses the login ({status}); check client_id and client_secret (or key, password) "
            "with the system's owner",
        )
    )
