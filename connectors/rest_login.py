"""How a REST source is signed in to: what each request carries, and what a refusal means."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from urllib.parse import urljoin

from connectors.http_client import Answer, HttpClient
from connectors.oauth import ClientCredentials, refused_login
from connectors.rest_config import ApiKey, Auth, Basic, OAuth2
from connectors.secrets import SecretResolver

REFUSED_STATUSES = frozenset((401, 403))


class Login:
    """Signs GET requests. `base`: the system's address. Values are resolved at once, shown never."""

    def __init__(self, auth: Auth | None, base: str, secrets: SecretResolver) -> None:
        self._oauth: ClientCredentials | None = None
        self._headers: dict[str, str] = {}
        self._params: dict[str, str] = {}
        if isinstance(auth, OAuth2):
            self._oauth = ClientCredentials(
                urljoin(base, auth.token_path),
                secrets.resolve(auth.client_id),
                secrets.resolve(auth.client_secret),
                asyncio.get_running_loop().time,
                auth.scope,
            )
        elif isinstance(auth, ApiKey):
            value = auth.prefix + secrets.resolve(auth.value)
            (self._headers if auth.where == "header" else self._params)[auth.name] = value
        elif isinstance(auth, Basic):
            pair = f"{secrets.resolve(auth.username)}:{secrets.resolve(auth.password)}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()

    async def get(
        self, client: HttpClient, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Answer:
        """One signed request; an expired token is renewed once. CredentialsError if the login is refused."""
        own = {**(params or {}), **self._params} if params is not None or self._params else None
        for _ in range(2):
            token = None if self._oauth is None else await self._oauth.token(client)
            signed = {**headers, **self._headers} | ({"Authorization": f"Bearer {token}"} if token else {})
            answer = await client.get(url, own, signed)
            if answer.status not in REFUSED_STATUSES:
                return answer
            if self._oauth is None or token is None or answer.status != 401:
                break
            self._oauth.forget(token)
        raise refused_login(answer.status)

    async def sign_in(self, client: HttpClient) -> None:
        """Get a token if tokens are used. CredentialsError, SourceUnavailableError."""
        if self._oauth is not None:
            await self._oauth.token(client)
